"""Generation: the decoder against the model's own full forward pass, samples against exact distributions."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from scipy.stats import chisquare, kstest
from torch import Tensor

from llm_backend.engines import rollout
from llm_backend.engines.decode import General, decoder
from llm_backend.engines.generate import generate, generate_together
from llm_backend.engines.lean import Lean
from llm_backend.engines.randomness import draw, uniforms
from llm_backend.models import logprobs
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import LinearLogProbs, score
from llm_backend.policies.handles import BASE, Answers, geometric_mixture, mixture
from tests.support.llm_oracles import PROMPTS, full_logits, trained
from tests.support.llm_tiny import tiny_lm, tiny_tokenizer

pytestmark = pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning")  # PEFT on GPT-2

FORCED = [[6, 5, 9, 4, 11, 7], [8, 8, 4, 10, 5, 6], [9, 4, 12, 6, 7, 13]]
SHAPES = {
    "llama": {"num_key_value_heads": 1},
    "qwen2": {"num_key_value_heads": 2},
    "qwen3": {"num_key_value_heads": 1, "head_dim": 24},
    "gpt2": {},
}


def model_of(kind: str, lora: int | None) -> LanguageModel:
    """A random model of a family, its weights large enough for an uneven policy."""
    from transformers import AutoConfig, AutoModelForCausalLM

    tokenizer = tiny_tokenizer()
    sizes = {
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "initializer_range": 0.3,
        "tie_word_embeddings": False,
        "vocab_size": len(tokenizer),
        "max_position_embeddings": 64,
        "bos_token_id": 1,
        "eos_token_id": 2,
    }
    if kind != "gpt2":
        sizes |= {"intermediate_size": 64, **SHAPES[kind]}
    with torch.random.fork_rng():
        torch.manual_seed(0)
        model = AutoModelForCausalLM.from_config(AutoConfig.for_model(kind, **sizes))
    with torch.no_grad():
        for name, weights in model.named_parameters():
            if name.endswith("bias") or "norm" in name:  # initialised to constants, which hide mistakes
                weights.add_(0.3 * torch.randn(weights.shape, generator=torch.Generator().manual_seed(1)))
    return LanguageModel(model, tokenizer, lora)


def decoded_logits(lm: LanguageModel, leaves: list, prompts=PROMPTS, forced=FORCED) -> Tensor:
    """The same for every prompt and leaf, through the decoder: [leaves, prompts, L + 1, V]."""
    width, steps = max(map(len, prompts)), len(forced[0])
    ids = torch.tensor([[lm.pad] * (width - len(p)) + p for p in prompts])
    valid = torch.tensor([[False] * (width - len(p)) + [True] * len(p) for p in prompts])
    copies = torch.arange(len(leaves) * len(prompts))
    with torch.inference_mode():
        one = decoder(lm, leaves, [len(prompts)] * len(leaves))
        seen = [one.head(one.prefill(ids, valid, copies, steps))]
        for t in range(steps):
            fed = torch.tensor([row[t] for row in forced]).repeat(len(leaves))
            seen.append(one.head(one.step(fed)))
    return torch.stack(seen, dim=1).unflatten(0, (len(leaves), len(prompts))).double()


def total_variation(p: Tensor, q: Tensor) -> float:
    return float(0.5 * (p - q).abs().sum(-1).max())


@pytest.mark.parametrize("kind", SHAPES)
def test_decoded_logits_are_those_of_a_full_pass(kind):
    """Every leaf of a mixed batch, left-padded prompts, positions absolute (GPT-2) and rotary."""
    lm = model_of(kind, lora=4)
    leaves = [trained(lm, 0), BASE, trained(lm, 1)]
    got = decoded_logits(lm, leaves)
    for i, leaf in enumerate(leaves):
        for x, (prompt, tokens) in enumerate(zip(PROMPTS, FORCED, strict=True)):
            expected = full_logits(lm, leaf, prompt, tokens)
            assert (got[i, x] - expected).abs().max() <= 1e-5 * max(1.0, float(expected.abs().max()))
    assert isinstance(decoder(lm, [BASE], [1]), General if kind == "gpt2" else Lean)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
def test_decoded_logits_of_fully_trained_weights(kind):
    lm = model_of(kind, lora=None)
    policy = trained(lm)
    for leaf in (policy, BASE):
        expected = torch.stack([full_logits(lm, leaf, *row) for row in zip(PROMPTS, FORCED, strict=True)])
        assert torch.allclose(decoded_logits(lm, [leaf])[0], expected, atol=1e-5, rtol=1e-5)
    assert (decoded_logits(lm, [policy]) - decoded_logits(lm, [BASE])).abs().max() > 0.1


def test_prompts_may_be_read_a_few_at_a_time(monkeypatch):
    lm = model_of("llama", lora=4)
    leaves = [trained(lm), BASE]
    whole = decoded_logits(lm, leaves)
    monkeypatch.setattr("llm_backend.engines.lean.PREFILL_TOKENS", 6)  # one padded prompt at a time
    assert torch.allclose(whole, decoded_logits(lm, leaves), atol=1e-5)
    even = [[1, 4, 5]] * 3
    expected = torch.stack([full_logits(lm, BASE, *row) for row in zip(even, FORCED, strict=True)])
    assert torch.allclose(decoded_logits(lm, leaves, even)[1], expected, atol=1e-5, rtol=1e-5)


def test_half_precision_stays_within_its_rounding():
    """Adapters are float32 beside a bfloat16 base; a full pass rounds elsewhere, so the bound is loose."""
    lm = model_of("llama", lora=4)
    exact = decoded_logits(lm, [trained(lm), BASE])
    tokenizer, half = tiny_tokenizer(), model_of("llama", lora=None).causal.to(torch.bfloat16)
    low = LanguageModel(half, tokenizer, lora=4)
    got = decoded_logits(low, [trained(low), BASE])
    assert (got[1] - exact[1]).abs().max() <= 0.03 * float(exact.abs().max())
    expected = torch.stack([full_logits(low, BASE, *row) for row in zip(PROMPTS, FORCED, strict=True)])
    assert (got[1] - expected).abs().max() <= 0.03 * float(expected.abs().max())
    assert (got[0] - got[1]).abs().max() > 0.1 * float(expected.abs().max())


def test_packed_weights_change_rounding_only(monkeypatch):
    lm = model_of("qwen2", lora=4)
    leaves = [trained(lm), BASE]
    packed = decoded_logits(lm, leaves)
    monkeypatch.setattr("llm_backend.engines.lean.PACKED_BYTES", 0)
    assert torch.allclose(packed, decoded_logits(lm, leaves), atol=1e-5)


def test_left_padding_without_position_ids_would_be_wrong():
    """Negative control: GPT-2 counts positions from the padding when nobody tells it where a text begins."""
    lm = model_of("gpt2", lora=None)
    prompt = PROMPTS[1]
    ids, mask = torch.tensor([[lm.pad] * 3 + prompt]), torch.tensor([[0] * 3 + [1] * len(prompt)])
    with torch.no_grad():
        careless = lm.causal(input_ids=ids, attention_mask=mask).logits[0, -1].double()
    assert (careless - full_logits(lm, BASE, prompt, [])[-1]).abs().max() > 1e-2


def test_base_rows_of_a_mixed_batch_never_see_the_adapter():
    lm = model_of("llama", lora=4)
    mixed = decoded_logits(lm, [trained(lm), BASE])[1]
    assert torch.allclose(mixed, decoded_logits(lm, [BASE])[0], atol=1e-5)
    assert (mixed - decoded_logits(lm, [trained(lm)])[0]).abs().max() > 0.1


def recorded(monkeypatch, lm, policy, prompts, **how):
    """(samples, next-token distributions [T, R, V] that they were drawn from); no row is dropped."""
    seen = []

    def recorder(logits, u):
        seen.append(torch.softmax(logits.double(), dim=-1))
        return draw(logits, u)

    monkeypatch.setattr(rollout, "draw", recorder)
    monkeypatch.setattr(rollout, "SPARSE", -1.0)
    return generate(lm, policy, prompts, **how), seen


def mixture_error(lm, terms, samples, seen, prompts, temperature=1.0) -> float:
    """Largest TV between the distributions drawn from and the mixture of full forward passes."""
    worst = 0.0
    for i, (x, tokens) in enumerate(zip(samples.prompt, samples.tokens, strict=True)):
        logs = [
            w * torch.log_softmax(full_logits(lm, leaf, prompts[x], tokens[:-1]) / temperature, -1)
            for w, leaf in terms
        ]
        exact = torch.softmax(torch.stack(logs).sum(0), -1)
        order = [i for i, _ in sorted(enumerate(samples.prompt), key=lambda s: -len(prompts[s[1]]))]
        for t in range(len(tokens)):
            worst = max(worst, total_variation(seen[t][order.index(i)], exact[t]))
    return worst


@pytest.mark.parametrize("lora", [4, None])
def test_mixture_decoding_is_the_mixture_of_full_passes_at_every_step(monkeypatch, lora):
    lm = model_of("llama", lora)
    first, second = trained(lm, 0), trained(lm, 1)
    blend = geometric_mixture((0.7, first), (0.5, BASE), (-0.2, second))
    samples, seen = recorded(monkeypatch, lm, blend, PROMPTS, n=2, max_new_tokens=8, temperature=1.4)
    assert mixture_error(lm, blend.terms, samples, seen, PROMPTS, 1.4) <= 1e-5
    assert max(map(len, samples.tokens)) > 3


def test_one_cache_for_policy_and_reference_fails_that_test():
    """Negative control: both models append to one cache, as in TRL's mixture (all versions that have it)."""
    from transformers import DynamicCache

    lm = model_of("llama", lora=4)
    policy, prompt, tokens = trained(lm), PROMPTS[2], FORCED[2]

    def decoded(caches):
        seen, ids = [], prompt
        for token in [*tokens, None]:
            logits = 0.0
            for leaf, cache in zip((policy, BASE), caches, strict=True):
                with torch.no_grad(), lm.active(leaf):
                    out = lm.causal(input_ids=torch.tensor([ids]), past_key_values=cache, use_cache=True)
                logits = logits + 0.5 * out.logits[0, -1].double()
            seen.append(torch.softmax(torch.as_tensor(logits), -1))
            ids = [token]
        return torch.stack(seen)

    halves = [0.5 * full_logits(lm, leaf, prompt, tokens) for leaf in (policy, BASE)]
    exact = torch.softmax(halves[0] + halves[1], -1)
    cache = DynamicCache(config=lm.causal.config)
    assert total_variation(decoded([DynamicCache(config=lm.causal.config) for _ in "ab"]), exact) <= 1e-5
    assert total_variation(decoded([cache, cache]), exact) > 1e-2


def test_live_adapter_as_reference_fails_that_test(monkeypatch):
    """Negative control: a reference that keeps the adapter on makes the mixture the policy itself."""
    lm = model_of("llama", lora=4)
    policy = trained(lm)
    blend = geometric_mixture((0.5, policy), (0.5, BASE))
    samples, seen = recorded(monkeypatch, lm, policy, PROMPTS, max_new_tokens=5)
    assert mixture_error(lm, ((0.5, policy), (0.5, policy)), samples, seen, PROMPTS) <= 1e-5
    assert mixture_error(lm, blend.terms, samples, seen, PROMPTS) > 1e-2


@pytest.mark.parametrize("lora", [4, None])
def test_sampled_logprobs_are_the_scored_ones_at_the_same_temperature_only(lora):
    lm = tiny_lm(lora=lora, layers=2)
    policy = trained(lm)
    samples = generate(lm, policy, PROMPTS, 4, max_new_tokens=8, temperature=1.6, key=(3, 1))
    prompts = [PROMPTS[x] for x in samples.prompt]
    assert np.allclose(samples.logprobs, score(lm, policy, prompts, samples.tokens, 1.6), atol=1e-4)
    assert not np.allclose(samples.logprobs, score(lm, policy, prompts, samples.tokens), atol=0.1)
    assert all(len(a) == len(b) for a, b in zip(samples.by_token, samples.tokens, strict=True))


@pytest.mark.parametrize("temperature", [0.7, 1.5])
def test_frequencies_match_the_exact_distribution(temperature):
    lm = tiny_lm(spread=0.4)
    policy = trained(lm)
    samples = generate(
        lm, policy, PROMPTS[:1], 6000, max_new_tokens=1, temperature=temperature, key=(5,), rows=6000
    )
    exact = torch.softmax(full_logits(lm, policy, PROMPTS[0], [])[0] / temperature, -1).numpy()
    counts = np.bincount([tokens[0] for tokens in samples.tokens], minlength=len(exact))
    assert chisquare(counts, exact / exact.sum() * counts.sum()).pvalue > 1e-3
    other = torch.softmax(full_logits(lm, policy, PROMPTS[0], [])[0], -1).numpy()
    assert chisquare(counts, other / other.sum() * counts.sum()).pvalue < 1e-6


def enumerated(lm, blend, prompt, longest):
    """All responses of at most `longest` tokens; their probabilities token by token and as wholes."""
    vocabulary = lm.head.weight.shape[0]
    words = [v for v in range(vocabulary) if v != lm.eos]
    responses = [[*body, lm.eos] for size in range(longest) for body in itertools.product(words, repeat=size)]
    responses += [list(body) for body in itertools.product(words, repeat=longest)]
    whole = sum(w * score(lm, leaf, [prompt] * len(responses), responses) for w, leaf in blend.terms)
    whole = np.exp(whole - whole.max())
    token_level = []
    tables = {}
    for response in responses:
        log = 0.0
        for t, token in enumerate(response):
            before = tuple(response[:t])
            if before not in tables:
                parts = [w * full_logits(lm, leaf, prompt, list(before))[-1] for w, leaf in blend.terms]
                tables[before] = torch.log_softmax(torch.stack(parts).sum(0), -1)
            log += float(tables[before][token])
        token_level.append(np.exp(log))
    return responses, np.array(token_level), whole / whole.sum()


def test_token_level_is_not_the_mixture_of_wholes_and_resampling_mends_it():
    lm = tiny_lm(words=("a", "b"), layers=2, spread=0.5)
    blend = geometric_mixture((0.5, trained(lm, 0, 0.4)), (0.5, BASE))
    prompt = [1, 4, 5]
    responses, by_token, whole = enumerated(lm, blend, prompt, 3)
    assert by_token.sum() == pytest.approx(1, abs=1e-5)
    gap = 0.5 * np.abs(by_token - whole).sum()
    assert gap > 0.05
    place = {tuple(response): i for i, response in enumerate(responses)}

    def distance(to, **how):
        samples = generate(lm, blend, [prompt], 4000, max_new_tokens=3, key=(1,), rows=4000, **how)
        counts = np.bincount([place[tuple(t)] for t in samples.tokens], minlength=len(responses))
        return 0.5 * np.abs(counts / counts.sum() - to).sum()

    plain, mended, noise = distance(whole), distance(whole, correct=8), distance(by_token)
    assert plain > 0.8 * gap
    assert mended < 0.5 * plain
    assert noise < 0.5 * plain


def test_of_a_league_only_the_geometric_mixtures_are_mended():
    lm = tiny_lm(words=("a", "b"), layers=2, spread=0.5)
    leaves = [trained(lm, seed, 0.4) for seed in (0, 1)]
    blends = [geometric_mixture((0.5, leaf), (0.5, BASE)) for leaf in leaves]
    answers = Answers((("a", "b a"),) * 2, (np.array([0.25, 0.75]),) * 2)
    league = mixture((0.5, blends[0]), (0.2, blends[1]), (0.2, leaves[0]), (0.1, answers))
    prompt = [1, 4, 5]
    responses, *first = enumerated(lm, blends[0], prompt, 3)
    _, *second = enumerated(lm, blends[1], prompt, 3)
    place = {tuple(response): i for i, response in enumerate(responses)}
    said = np.zeros(len(responses))
    said[[place[tuple(lm.encode_response(text))] for text in ("a", "b a")]] = 0.25, 0.75
    rest = 0.2 * np.exp(score(lm, leaves[0], [prompt] * len(responses), responses)) + 0.1 * said
    by_token, whole = (0.5 * one + 0.2 * two + rest for one, two in zip(first, second, strict=True))
    assert by_token.sum() == pytest.approx(1, abs=1e-5) and whole.sum() == pytest.approx(1, abs=1e-5)

    how = {"max_new_tokens": 3, "key": (1,), "rows": 4000}

    def distance(to, **more):
        tokens = generate(lm, league, [prompt], 4000, **how, **more).tokens
        counts = np.bincount([place[tuple(t)] for t in tokens], minlength=len(responses))
        return 0.5 * np.abs(counts / counts.sum() - to).sum()

    plain, mended, noise = distance(whole), distance(whole, correct=8), distance(by_token)
    assert mended < 0.5 * plain and noise < 0.5 * plain
    few = generate(lm, league, [prompt] * 2, 6, correct=3, **how)
    alone = generate(lm, league, [prompt], 6, correct=3, which=[1], **how)
    assert few.prompt.tolist() == [0] * 6 + [1] * 6 and few.tokens[6:] == alone.tokens
    assert all(few.tokens)


@pytest.mark.parametrize("kind", ["llama", "gpt2"])
@pytest.mark.parametrize("lora", [4, None])
def test_dropping_finished_rows_changes_no_sample(monkeypatch, kind, lora):
    lm = model_of(kind, lora)
    policy = trained(lm)
    requests = [(policy, (0,)), (geometric_mixture((0.6, policy), (0.4, BASE)), (1,))]
    kept = []
    for sparse in (1.0, -1.0):  # drop as soon as one row ends; never
        monkeypatch.setattr(rollout, "SPARSE", sparse)
        kept.append(generate_together(lm, requests, PROMPTS, 8, max_new_tokens=16))
    for dropped, whole in zip(*kept, strict=True):
        assert len(set(map(len, whole.tokens))) > 3
        assert dropped.tokens == whole.tokens
        assert np.allclose(dropped.logprobs, whole.logprobs, atol=1e-5)


def test_samples_do_not_depend_on_what_shares_the_batch():
    lm = tiny_lm(layers=2)
    policy = trained(lm)
    how = {"max_new_tokens": 10}
    alone = generate(lm, policy, PROMPTS, 4, key=(7, 2), **how)
    part = generate(lm, policy, PROMPTS[1:], 2, key=(7, 2), which=[1, 2], **how)
    assert part.tokens == alone.tokens[4:6] + alone.tokens[8:10]
    other = generate(lm, policy, PROMPTS, 4, key=(7, 2), rows=5, **how)
    assert other.tokens == alone.tokens
    base, again = generate_together(lm, [(BASE, (0,)), (policy, (7, 2))], PROMPTS, 4, **how)
    assert again.tokens == alone.tokens
    assert base.tokens == generate(lm, BASE, PROMPTS, 4, key=(0,), **how).tokens
    assert generate(lm, policy, PROMPTS, 4, key=(7, 3), **how).tokens != alone.tokens


def test_truncated_and_ended_responses_are_told_apart():
    lm = tiny_lm()
    samples = generate(lm, BASE, PROMPTS, 40, max_new_tokens=6)
    assert {True, False} == set(samples.truncated.tolist())
    for tokens, truncated in zip(samples.tokens, samples.truncated, strict=True):
        assert lm.eos not in tokens[:-1]
        assert (tokens[-1] != lm.eos) == truncated
        assert len(tokens) == 6 or not truncated
    longer = generate(lm, BASE, PROMPTS, 40, max_new_tokens=6, min_new_tokens=4)
    assert min(map(len, longer.tokens)) >= 5  # 4 tokens, then a stop token at the earliest
    lm.stops = (*lm.stops, 4)
    stopped = generate(lm, BASE, PROMPTS, 40, max_new_tokens=6)
    assert {4, lm.eos} <= {tokens[-1] for tokens in stopped.tokens}
    assert not any(4 in tokens[:-1] for tokens in stopped.tokens)


def test_a_minimum_length_is_scored_as_it_is_drawn():
    lm = tiny_lm()
    lm.stops = (lm.eos, 4)
    policy, longest, shortest, temperature = trained(lm), 4, 2, 0.7
    how = {"max_new_tokens": longest, "min_new_tokens": shortest, "temperature": temperature}
    samples = generate(lm, policy, PROMPTS, 60, **how)
    prompts = [PROMPTS[x] for x in samples.prompt]
    scored = score(lm, policy, prompts, samples.tokens, temperature, shortest=shortest)
    assert np.allclose(scored, samples.logprobs, atol=1e-5)
    free = score(lm, policy, prompts, samples.tokens, temperature)
    assert (scored - free).min() > 0.01, "without the mask every response looks less likely than it is"
    tokens = samples.tokens[0]  # against the whole distribution, renormalised without the stop tokens
    logits = full_logits(lm, policy, prompts[0], tokens)[: len(tokens)] / temperature
    logits[:shortest, list(lm.stops)] = -torch.inf
    by_hand = torch.log_softmax(logits, -1)[torch.arange(len(tokens)), torch.tensor(tokens)].sum()
    assert scored[0] == pytest.approx(float(by_hand), abs=1e-5)


@pytest.mark.parametrize("frozen", [False, True])
def test_slopes_of_a_minimum_length(frozen, monkeypatch):
    generator = torch.Generator().manual_seed(0)
    tensors = [torch.randn(shape, generator=generator) for shape in ((9, 6), (11, 6), (11,))]
    targets, upstream = torch.arange(9) + 2, torch.randn(9, generator=generator)
    early, stops = torch.arange(9) % 3 == 0, torch.tensor([0, 1])
    monkeypatch.setattr(logprobs, "CHUNK_BYTES", 4 * 11 * 4)  # four rows at a time

    def full(hidden, weight, bias):
        logits = (hidden @ weight.T + bias) / 0.7
        mask = torch.zeros_like(logits, dtype=torch.bool)
        mask[:, stops] = early[:, None]
        return torch.log_softmax(logits.masked_fill(mask, -torch.inf), -1).gather(1, targets[:, None])[:, 0]

    def slopes(function, *inputs):
        leaves = [tensor.clone().requires_grad_(i == 0 or not frozen) for i, tensor in enumerate(inputs)]
        values = function(*leaves)
        values.backward(upstream.to(values))
        return [values.detach(), *(leaf.grad for leaf in leaves if leaf.requires_grad)]

    got = slopes(lambda *x: LinearLogProbs.apply(*x, targets, 0.7, (early, stops)), *tensors)
    want = slopes(full, *(tensor.double() for tensor in tensors))
    assert len(got) == (2 if frozen else 4)
    for mine, exact in zip(got, want, strict=True):
        assert torch.allclose(mine.double(), exact, atol=1e-5)


def test_responses_of_a_minimum_length_sum_to_one():
    lm = tiny_lm(words="abc")
    policy, words = trained(lm), range(len(lm.tokenizer))
    rest = [token for token in words if token not in lm.stops]
    responses = [[a, b] for a in rest for b in words]
    total = np.exp(score(lm, policy, [PROMPTS[0]] * len(responses), responses, shortest=1)).sum()
    assert total == pytest.approx(1, abs=1e-5)
    assert np.exp(score(lm, policy, [PROMPTS[0]] * len(responses), responses)).sum() < 0.99
    with pytest.raises(ValueError, match="ends before its 1 first tokens: no policy says it"):
        score(lm, policy, [PROMPTS[0]], [[lm.eos]], shortest=1)


def test_a_corrected_mixture_of_a_minimum_length():
    """Importance weights take the conditioned probabilities, of candidates and of leaves."""
    lm = tiny_lm(words="abc", spread=0.3, seed=2)
    blend = geometric_mixture((0.9, trained(lm, seed=1)), (0.9, trained(lm, seed=2)))
    rest = [token for token in range(len(lm.tokenizer)) if token not in lm.stops]
    responses = [[a, b] for a in rest for b in rest]

    def first_tokens(shortest):
        asked = [PROMPTS[0]] * len(responses)
        logs = sum(w * score(lm, leaf, asked, responses, shortest=shortest) for w, leaf in blend.terms)
        share = np.exp(logs).reshape(len(rest), -1).sum(axis=1)
        return share / share.sum()

    how = {"max_new_tokens": 2, "min_new_tokens": 2, "correct": 8, "key": (1,)}
    samples = generate(lm, blend, PROMPTS[:1], 2000, **how)
    drawn = np.bincount([rest.index(row[0]) for row in samples.tokens], minlength=len(rest)) / 2000
    assert np.abs(drawn - first_tokens(2)).sum() / 2 < 0.03
    assert np.abs(drawn - first_tokens(0)).sum() / 2 > 0.3, "of whole responses that may also stop"


def test_a_league_draws_its_members_and_answers_are_read_out():
    lm = tiny_lm()
    answers = Answers((("a b", "c"),) * 3, (np.array([0.25, 0.75]),) * 3)
    league = mixture((0.5, answers), (0.5, geometric_mixture((0.5, trained(lm)), (0.5, BASE))))
    samples = generate(lm, league, PROMPTS, 400, max_new_tokens=4, key=(2,))
    spoken = [lm.encode_response(text) for text in ("a b", "c")]
    read = [tokens == spoken[0] for tokens in samples.tokens], [t == spoken[1] for t in samples.tokens]
    assert np.mean(read[1]) > 0.3 and 0.08 < np.mean(read[0]) < 0.2
    only = generate(lm, answers, PROMPTS, 4, max_new_tokens=4)
    assert set(np.round(np.exp(only.logprobs), 9)) <= {0.25, 0.75} and not only.truncated.any()


def test_uniform_numbers_and_the_quantiles_taken_with_them():
    u = uniforms((3, 1, 4), np.repeat(np.arange(50), 40), np.tile(np.arange(40), 50), 20)
    assert kstest(u.ravel(), "uniform").pvalue > 1e-3
    assert abs(np.corrcoef(u[:-1].ravel(), u[1:].ravel())[0, 1]) < 0.02
    assert len(np.unique(u)) == u.size
    logits = 3 * torch.randn(64, 1000, generator=torch.Generator().manual_seed(0))
    logits[:, 700:] = float("-inf")
    quantiles = torch.linspace(0, 1 - 2**-53, 64, dtype=torch.float64)
    tokens, logprobs = draw(logits, quantiles)
    exact = torch.softmax(logits.double(), -1)
    total = exact.cumsum(-1)
    rows = torch.arange(64)
    assert (total[rows, tokens] >= quantiles - 1e-6).all()
    assert (total[rows, tokens] - exact[rows, tokens] <= quantiles + 1e-6).all()
    assert torch.allclose(logprobs, exact[rows, tokens].log(), atol=1e-5)
    assert tokens.max() < 700


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"temperature": 0.0}, "temperature must be positive"),
        ({"max_new_tokens": 0}, "max_new_tokens >= 1"),
        ({"min_new_tokens": 9}, "got 9 and 4"),
        ({"n": 0}, "n must be at least 1, got 0"),
        ({"prompt_ids": [[1], []]}, "prompt 1 is empty"),
        ({"max_new_tokens": 100}, "the model's context is 64"),
    ],
)
def test_bad_input_is_named(change, message):
    how = {"prompt_ids": PROMPTS, "n": 1, "max_new_tokens": 4} | change
    with pytest.raises(ValueError, match=message):
        generate(tiny_lm(), BASE, **how)


def test_no_prompts_no_samples():
    samples = generate(tiny_lm(), BASE, [], 2, max_new_tokens=4)
    assert len(samples.tokens) == len(samples.prompt) == len(samples.logprobs) == 0
