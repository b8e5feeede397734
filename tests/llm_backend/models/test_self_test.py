"""What a language model is tried on when it is loaded: batches, decoding, length and training."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from transformers import AutoConfig, AutoModelForCausalLM

from llm_backend import LanguageModel
from llm_backend.engines.local.generate import generate
from llm_backend.models import self_test as room
from llm_backend.models.logprobs import score, token_logprobs
from llm_backend.policies.handles import BASE, geometric_mixture, mixture
from tests.support.llm_oracles import PROMPTS, full_logits, trained
from tests.support.llm_tiny import tiny_lm, tiny_model, tiny_tokenizer

pytestmark = [
    pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning"),  # PEFT on GPT-2
    pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern:RuntimeWarning"),
]
SIZES = {"vocab_size": 14, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": 0}
SHAPES = {
    "opt": {"hidden_size": 32, "ffn_dim": 64, "num_attention_heads": 2, "word_embed_proj_dim": 32}
    | {"num_hidden_layers": 2, "init_std": 0.2, "max_position_embeddings": 64},
    "mpt": {"d_model": 32, "n_heads": 2, "n_layers": 2, "max_seq_len": 64, "initializer_range": 0.2},
    "jetmoe": {"hidden_size": 32, "num_hidden_layers": 2, "num_key_value_heads": 2, "kv_channels": 16}
    | {"intermediate_size": 64, "num_local_experts": 4, "initializer_range": 0.2}
    | {"max_position_embeddings": 64},
    "gpt2": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64, "initializer_range": 0.2},
    "mistral": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "initializer_range": 0.2}
    | {"num_attention_heads": 2, "num_key_value_heads": 1, "max_position_embeddings": 64},
    "openai-gpt": {"n_embd": 32, "n_layer": 2, "n_head": 2, "n_positions": 64},
    "minimax": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    | {"num_key_value_heads": 2, "head_dim": 16, "num_local_experts": 2},
    "rwkv": {"hidden_size": 32, "attention_hidden_size": 32, "num_hidden_layers": 2},
    "bert": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 1, "num_attention_heads": 2},
    "phimoe": {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    | {"num_key_value_heads": 2, "num_local_experts": 2},
    "bart": {"d_model": 32, "decoder_layers": 2, "decoder_attention_heads": 2, "decoder_ffn_dim": 64}
    | {"init_std": 0.3, "max_position_embeddings": 64, "is_decoder": True},
    "falcon": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "hidden_dropout": 0.5}
    | {"attention_dropout": 0.2},
    "biogpt": {"hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2, "layerdrop": 0.5}
    | {"intermediate_size": 64, "max_position_embeddings": 64},
    "xglm": {"d_model": 32, "num_layers": 2, "attention_heads": 2, "ffn_dim": 64, "layerdrop": 0.5}
    | {"max_position_embeddings": 64},
}


def model_of(kind, **more):
    torch.manual_seed(0)
    return AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **(SIZES | SHAPES[kind] | more)))


def lm_of(kind, lora=4, checkpointing=False, **more):
    return LanguageModel(model_of(kind, **more), tiny_tokenizer(), lora, checkpointing=checkpointing)


def by_plain_passes(lm, policy, drawn):
    """Log-probabilities of each response by plain passes, one row, no cache."""
    terms = getattr(policy, "terms", ((1.0, policy),))
    found = []
    for x, row in zip(drawn.prompt, drawn.tokens, strict=True):
        mixed = sum(w * full_logits(lm, leaf, PROMPTS[x], row) for w, leaf in terms)
        logs = torch.log_softmax(mixed, dim=-1)[:-1]
        found.append(float(logs.gather(1, torch.tensor(row)[:, None]).sum()))
    return np.array(found)


@pytest.mark.parametrize(
    ("kind", "mixes"), [("opt", False), ("mpt", False), ("jetmoe", False), ("gpt2", True), ("mistral", True)]
)
def test_leaves_are_decoded_in_one_batch_or_apart(kind, mixes):
    """PEFT ignores the adapters' names on MPT and cannot use them on OPT and JetMoE."""
    lm = lm_of(kind)
    assert lm.mixes is mixes
    policy = trained(lm)
    for drawn_from in (BASE, policy, geometric_mixture((0.4, policy), (0.6, BASE))):
        drawn = generate(lm, drawn_from, PROMPTS, 3, max_new_tokens=6)
        np.testing.assert_allclose(drawn.logprobs, by_plain_passes(lm, drawn_from, drawn), atol=1e-4)
    both = generate(lm, mixture((0.5, policy), (0.5, BASE)), PROMPTS, 8, max_new_tokens=6)
    plain = np.stack([by_plain_passes(lm, leaf, both) for leaf in (policy, BASE)])
    assert np.abs(both.logprobs - plain).min(axis=0).max() < 1e-4


def test_mixing_on_mpt_would_be_wrong():
    """Negative control: what was drawn before the test existed."""
    lm = lm_of("mpt")
    lm.mixes = True
    blend = geometric_mixture((0.4, trained(lm)), (0.6, BASE))
    drawn = generate(lm, blend, PROMPTS, 8, max_new_tokens=6)
    assert np.abs(drawn.logprobs - by_plain_passes(lm, blend, drawn)).max() > 0.1


@pytest.mark.parametrize(
    ("kind", "lora", "told"),
    [
        ("openai-gpt", 4, "cannot be decoded in batches"),
        ("openai-gpt", None, "cannot be decoded in batches"),
        ("minimax", None, "cannot be decoded in batches"),
        ("bart", 4, "cannot be decoded in batches"),
        ("phimoe", 4, "lora=None"),
        ("rwkv", None, "recurrent state"),
        ("bert", None, "more than a linear map"),
    ],
)
def test_what_would_be_wrong_is_refused_in_one_line(kind, lora, told):
    with pytest.raises(ValueError, match=told) as error:
        lm_of(kind, lora)
    assert "\n" not in str(error.value) and len(str(error.value)) < 400
    assert type(model_of(kind)).__name__ in str(error.value)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_hides_no_fault_and_invents_none(dtype):
    """One row of two is wrong on MPT and BART: a mean over rows would miss it."""
    tokenizer = tiny_tokenizer()
    for kind, mixes in (("mpt", False), ("mistral", True), ("gpt2", True), ("jetmoe", False)):
        assert LanguageModel(model_of(kind).to(dtype), tokenizer, 4).mixes is mixes
    with pytest.raises(ValueError, match="cannot be decoded in batches"):
        LanguageModel(model_of("bart").to(dtype), tokenizer, 4)


@pytest.mark.parametrize("window", [3, 8])
def test_rows_longer_than_a_sliding_window(window):
    lm = lm_of("mistral", sliding_window=window)
    policy = trained(lm)
    long = [[1, *([4, 5, 6, 7, 8] * 3)], [1, 4]]
    drawn = generate(lm, policy, long, 3, max_new_tokens=12)
    asked = [long[x] for x in drawn.prompt]
    alone = [score(lm, policy, [x], [y])[0] for x, y in zip(asked, drawn.tokens, strict=True)]
    np.testing.assert_allclose(drawn.logprobs, alone, atol=1e-4)
    np.testing.assert_allclose(score(lm, policy, asked, drawn.tokens), alone, atol=1e-4)


# -- length ----------------------------------------------------------------------------------------------


def longrope(switch, **more):
    factors = {
        "short_factor": [1.0] * 8,
        "long_factor": [4.0] * 8,
        "original_max_position_embeddings": switch,
    }
    rope = {"rope_type": "longrope", "rope_theta": 10000.0, "factor": 64 / switch, **factors}
    sizes = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    sizes |= {"num_key_value_heads": 2, "max_position_embeddings": 64, "initializer_range": 0.2} | SIZES
    torch.manual_seed(0)
    config = AutoConfig.for_model("phi3", **sizes, rope_parameters=rope, **more)
    config.original_max_position_embeddings = switch
    return AutoModelForCausalLM.from_config(config)


def test_passes_end_before_the_switch_of_longrope():
    lm = LanguageModel(longrope(16), tiny_tokenizer(), lora=4)
    assert lm.context == 16
    drawn = generate(lm, BASE, PROMPTS, 4, max_new_tokens=11)
    np.testing.assert_allclose(drawn.logprobs, by_plain_passes(lm, BASE, drawn), atol=1e-4)
    with pytest.raises(ValueError, match="context is 16"):
        generate(lm, BASE, PROMPTS, 4, max_new_tokens=12)
    with pytest.raises(ValueError, match="context is 16"):
        score(lm, BASE, [[1] * 10], [[5] * 7])


def test_a_switch_that_no_configuration_names_is_found(monkeypatch):
    monkeypatch.setattr(
        "llm_backend.models.language_model.steady_context", lambda model: model.config.max_position_embeddings
    )
    with pytest.raises(ValueError, match="depend on the length of the pass"):
        LanguageModel(longrope(16), tiny_tokenizer(), lora=4)


# -- training --------------------------------------------------------------------------------------------


def slopes(lm):
    with lm.train(BASE) as trainee:
        values, _ = token_logprobs(lm, PROMPTS, [[5, 6, 2], [7, 2], [8, 9, 4]])
        values.sum().backward()
        found = [p.grad.clone() for p in trainee.parameters.values() if p.grad is not None]
    return values.detach(), torch.cat([slope.flatten() for slope in found])


@pytest.mark.parametrize("lora", [4, None])
@pytest.mark.parametrize("kind", ["opt", "falcon", "biogpt", "xglm", "gpt2"])
def test_checkpointing_changes_no_value_and_no_gradient(kind, lora):
    """All of them have dropout, some also drop whole layers in training."""
    more = {"dropout": 0.5} if kind in ("opt", "xglm") else {}
    plain = slopes(lm_of(kind, lora, **more))
    lm = lm_of(kind, lora, checkpointing=True, **more)
    recomputed, passes = slopes(lm), []
    for layer in lm._recomputed:
        layer.register_forward_hook(lambda *_: passes.append(1))
    slopes(lm)
    assert len(passes) >= len(lm._recomputed) > 0
    for got, want in zip(recomputed, plain, strict=True):
        torch.testing.assert_close(got, want, rtol=1e-5, atol=1e-6)
    assert not any(module.training for module in lm.causal.modules())


def test_checkpointing_that_drops_is_refused(monkeypatch):
    def careless(model):
        model.activation_checkpointing_enable({"use_reentrant": False})
        return [layer for layer in model.modules() if getattr(layer, "gradient_checkpointing", False)]

    monkeypatch.setattr("llm_backend.models.language_model.enable_checkpointing", careless)
    with pytest.raises(ValueError, match="checkpointing changes what OPTForCausalLM computes"):
        lm_of("opt", dropout=0.5, checkpointing=True)


# -- weights and ids -------------------------------------------------------------------------------------


def test_weights_that_are_not_finite_are_named():
    model = tiny_model(14)
    with torch.no_grad():
        model.model.layers[0].mlp.up_proj.weight[3, 5] = torch.nan
    with pytest.raises(ValueError, match=r"up_proj\.weight holds NaN"):
        LanguageModel(model, tiny_tokenizer())
    high = tiny_model(14, spread=0.3).to(torch.float16)
    with torch.no_grad():
        high.lm_head.weight.fill_(6e4)
    with pytest.raises(ValueError, match=r"not finite.*bfloat16"):
        LanguageModel(high, tiny_tokenizer())


def test_an_overflow_that_comes_later_ends_in_one_line():
    lm = tiny_lm(lora=None)
    with torch.no_grad():
        lm.causal.model.embed_tokens.weight[5] = torch.inf  # after loading
    for act in (
        lambda: score(lm, BASE, [[1, 5]], [[4, 2]]),
        lambda: generate(lm, BASE, [[1, 5]], 2, max_new_tokens=2),
    ):
        with pytest.raises(FloatingPointError, match="not a number"):
            act()


@pytest.mark.parametrize("pad", [14, 500])
def test_the_pad_id_is_never_looked_at(pad):
    tokenizer = tiny_tokenizer()
    while len(tokenizer) <= pad and pad < 20:
        tokenizer.add_tokens([f"<{len(tokenizer)}>"])
    plain = tiny_lm()
    tokenizer.pad_token_id = pad
    lm = LanguageModel(tiny_model(14, spread=0.2), tokenizer, 8)
    answers = [[5, 6, 7, 2], [6, 2], [4, 2]]
    np.testing.assert_allclose(score(lm, BASE, PROMPTS, answers), score(plain, BASE, PROMPTS, answers))
    drawn = [generate(one, BASE, PROMPTS, 3, max_new_tokens=5).tokens for one in (lm, plain)]
    assert drawn[0] == drawn[1]


def test_stop_and_eos_tokens_beyond_the_vocabulary_are_refused():
    model = tiny_model(14)
    model.generation_config.eos_token_id = [2, 99]
    with pytest.raises(ValueError, match="stop token 99"):
        LanguageModel(model, tiny_tokenizer())
    tokenizer = tiny_tokenizer()
    tokenizer.add_tokens(["<end>"])
    tokenizer.eos_token = "<end>"
    with pytest.raises(ValueError, match="EOS is token 14, the model has 14"):
        LanguageModel(tiny_model(14), tokenizer)


# -- ids without a token ---------------------------------------------------------------------------------


@pytest.mark.parametrize("lora", [4, None])
def test_ids_without_a_token_are_never_drawn_and_have_no_mass(lora):
    tokenizer = tiny_tokenizer()
    size, words = 60, len(tokenizer)
    lm = LanguageModel(tiny_model(size, spread=0.2), tokenizer, lora)
    policy = trained(lm, size=0.05)
    blend = geometric_mixture((1.5, policy), (-0.5, BASE))
    for drawn_from in (BASE, policy, blend):
        drawn = generate(lm, drawn_from, PROMPTS, 8, max_new_tokens=5)
        assert max(max(row) for row in drawn.tokens) < words
    for leaf in (BASE, policy):
        one = score(lm, leaf, [PROMPTS[0]] * words, [[i] for i in range(words)])
        assert np.exp(one).sum() == pytest.approx(1, abs=1e-5)
        drawn = generate(lm, leaf, PROMPTS, 8, max_new_tokens=5)
        asked = [PROMPTS[x] for x in drawn.prompt]
        np.testing.assert_allclose(score(lm, leaf, asked, drawn.tokens), drawn.logprobs, atol=1e-4)
        assert np.isneginf(score(lm, leaf, [PROMPTS[0]], [[words + 3]])).all()
    logs = full_logits(lm, BASE, PROMPTS[0], [])[0]
    assert float(torch.softmax(logs, -1)[words:].sum()) > 0.3  # what they would have without the mask
    values, slope = slopes(lm)
    assert bool(values.isfinite().all() and slope.isfinite().all())


def test_the_test_is_cheap():
    """It runs whenever a model is made: a dozen passes, and none that keeps anything."""
    lm, passes = tiny_lm(lora=4), []
    lm.causal.model.register_forward_hook(lambda *_: passes.append(1))
    before = {name: weight.clone() for name, weight in lm.causal.named_parameters()}
    assert room.self_test(lm)
    assert len(passes) <= 12
    assert all(torch.equal(before[name], weight) for name, weight in lm.causal.named_parameters())
