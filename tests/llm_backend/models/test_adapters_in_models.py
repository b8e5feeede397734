"""A model that comes with adapters is the trained model: as a folder, as a PeftModel, as a judge."""

from __future__ import annotations

import json

import numpy as np
import pytest
import torch

from llm_backend import LanguageModel
from llm_backend.engines.local.generate import generate
from llm_backend.judges import LogProb, RewardModel
from llm_backend.models.logprobs import score
from llm_backend.policies.handles import BASE
from tests.support.classifiers import classifier, tokenizer_of
from tests.support.llm_oracles import PROMPTS, rows, trained
from tests.support.llm_tiny import tiny_model, tiny_tokenizer

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning:peft"),
    pytest.mark.filterwarnings("ignore:.*is_gradient_checkpointing:FutureWarning"),
]


def adapted(model, **more):
    """A PeftModel with an adapter of some size."""
    from peft import LoraConfig, get_peft_model

    config = {"r": 3, "lora_alpha": 6, "target_modules": "all-linear", "task_type": "CAUSAL_LM"} | more
    torch.manual_seed(0)
    peft = get_peft_model(model, LoraConfig(**config)).eval()
    with torch.no_grad():
        for name, weight in peft.named_parameters():
            if "lora_" in name or "modules_to_save" in name:
                weight.add_(0.2 * torch.randn(weight.shape))
    return peft


def base_folder(tmp_path, tied=False):
    tokenizer = tiny_tokenizer()
    model = tiny_model(len(tokenizer), spread=0.2)
    if tied:
        model.config.tie_word_embeddings = True
        model.tie_weights()
    model.save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    return str(tmp_path / "base")


def load(folder):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder)


def told(model, row, answer):
    """log p(answer | row) by a plain pass."""
    with torch.no_grad():
        logs = torch.log_softmax(model(input_ids=torch.tensor([row + answer])).logits[0].double(), -1)
    return sum(float(logs[len(row) - 1 + i, token]) for i, token in enumerate(answer))


def agrees(lm, wanted):
    """Scores and draws of the base are those of the trained model."""
    asked, answers = rows(lm)
    got = score(lm, BASE, asked, answers)
    np.testing.assert_allclose(got, [wanted(x, y) for x, y in zip(asked, answers, strict=True)], atol=1e-4)
    drawn = generate(lm, BASE, PROMPTS, 2, max_new_tokens=4)
    logs = [wanted(PROMPTS[x], row) for x, row in zip(drawn.prompt, drawn.tokens, strict=True)]
    np.testing.assert_allclose(drawn.logprobs, logs, atol=1e-4)


@pytest.mark.parametrize("lora", [2, None])
@pytest.mark.parametrize(
    ("more", "tied"),
    [
        ({}, False),
        ({"modules_to_save": ["lm_head"]}, False),
        ({"use_dora": True}, False),
        ({"target_modules": ["q_proj", "lm_head"]}, True),
        ({"target_modules": ["q_proj", "embed_tokens"]}, True),
    ],
)
@pytest.mark.parametrize("form", ["folder", "wrapper"])
def test_an_adapter_is_part_of_the_model(tmp_path, form, more, tied, lora):
    base = base_folder(tmp_path, tied)
    peft = adapted(load(base), **more)
    plain = load(base)
    pairs = [(x, [5, 6, 2]) for x in PROMPTS]
    trained = {(tuple(x), tuple(y)): told(peft, x, y) for x, y in pairs}
    assert all(abs(trained[tuple(x), tuple(y)] - told(plain, x, y)) > 0.02 for x, y in pairs)
    if form == "folder":
        peft.save_pretrained(tmp_path / "adapter")
        lm = LanguageModel.from_pretrained(tmp_path / "adapter", lora=lora)
        agrees(lm, lambda x, y: told(peft, x, y))
    else:
        agrees(LanguageModel(peft, tiny_tokenizer(), lora), lambda x, y: told(lm_of(base, more), x, y))


def lm_of(base, more):
    return adapted(load(base), **more)


def test_an_adapter_that_transformers_loaded_is_merged_too(tmp_path):
    base = base_folder(tmp_path)
    adapted(load(base)).save_pretrained(tmp_path / "adapter")
    model = load(base)
    model.load_adapter(str(tmp_path / "adapter"))
    agrees(LanguageModel(model, tiny_tokenizer(), lora=2), lambda x, y: told(lm_of(base, {}), x, y))


def test_what_cannot_be_merged_is_refused(tmp_path):
    from peft import PromptTuningConfig, get_peft_model

    base, tokenizer = base_folder(tmp_path), tiny_tokenizer()
    peft = adapted(load(base))
    with peft.disable_adapter(), pytest.raises(ValueError, match="switch the adapters on"):
        LanguageModel(peft, tokenizer)
    prompted = get_peft_model(load(base), PromptTuningConfig(num_virtual_tokens=2, task_type="CAUSAL_LM"))
    with pytest.raises(ValueError, match="cannot be merged"):
        LanguageModel(prompted, tokenizer)


def test_adapters_that_do_not_fit_are_refused_in_one_line(tmp_path):
    base, folder = base_folder(tmp_path), tmp_path / "adapter"
    adapted(load(base)).save_pretrained(folder)
    config = json.loads((folder / "adapter_config.json").read_text())

    def refused(match, **change):
        (folder / "adapter_config.json").write_text(json.dumps(config | change))
        with pytest.raises(ValueError, match=match) as error:
            LanguageModel.from_pretrained(folder)
        assert "\n" not in str(error.value) and len(str(error.value)) < 700

    refused("does not fit its base", r=5)  # another rank than the weights have
    refused("is not there", base_model_name_or_path=str(tmp_path / "nowhere"))
    refused("does not name its base", base_model_name_or_path=None)
    refused("no place for", target_modules=["q_proj"])
    (folder / "adapter_config.json").write_text(json.dumps(config))
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    with pytest.raises(ValueError, match="save the adapter as safetensors"):
        LanguageModel.from_pretrained(folder)


def test_a_second_language_model_on_one_model_is_refused():
    tokenizer = tiny_tokenizer()
    for lora in (2, None):
        model = tiny_model(len(tokenizer))
        lm = LanguageModel(model, tokenizer, lora)
        for other in (model, lm.peft or model):
            with pytest.raises(ValueError, match="base of another LanguageModel"):
                LanguageModel(other, tokenizer, lora)


@pytest.mark.parametrize("lora", [2, None])
def test_a_model_is_free_again_when_its_language_model_is_gone(lora):
    tokenizer = tiny_tokenizer()
    model = tiny_model(len(tokenizer))
    lm = LanguageModel(model, tokenizer, lora)
    asked, answers = rows(lm)
    expected = score(lm, BASE, asked, answers)
    policy = trained(lm)
    with lm.active(policy):
        pass
    del lm, policy
    for again in (3, None):
        found = score(LanguageModel(model, tokenizer, again), BASE, asked, answers)
        np.testing.assert_array_equal(found, expected)


@pytest.mark.filterwarnings("ignore:The following (rank|alpha)_pattern:RuntimeWarning")
def test_a_model_that_was_refused_may_be_used_with_other_settings():
    from transformers import MixtralConfig, MixtralForCausalLM

    tokenizer = tiny_tokenizer()
    shape = {"hidden_size": 16, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2}
    more = {"num_key_value_heads": 2, "num_local_experts": 2, "vocab_size": len(tokenizer)}
    model = MixtralForCausalLM(MixtralConfig(**shape, **more))
    with pytest.raises(ValueError, match="lora=None"):
        LanguageModel(model, tokenizer, lora=2)
    assert LanguageModel(model, tokenizer, lora=None).lora is None


def test_pickles_and_code_are_refused_in_one_line(tmp_path):
    folder = tmp_path / "base"
    base_folder(tmp_path)
    (folder / "model.safetensors").rename(folder / "pytorch_model.bin")
    with pytest.raises(ValueError, match=r"pickled weights \(pytorch_model.bin\).*safetensors"):
        LanguageModel.from_pretrained(folder)
    config = json.loads((folder / "config.json").read_text()) | {
        "model_type": "own",
        "architectures": ["Own"],
    }
    config["auto_map"] = {"AutoConfig": "own.Own", "AutoModelForCausalLM": "own.Own"}
    (folder / "config.json").write_text(json.dumps(config))
    (folder / "own.py").write_text("raise SystemExit('this code ran')")
    with pytest.raises(ValueError, match="needs code of its own, which is not run"):
        LanguageModel.from_pretrained(folder)


def test_judges_that_are_adapters(tmp_path):
    tokenizer = tokenizer_of()
    classifier(tokenizer).save_pretrained(tmp_path / "base")
    tokenizer.save_pretrained(tmp_path / "base")
    from transformers import AutoModelForSequenceClassification

    plain = AutoModelForSequenceClassification.from_pretrained(tmp_path / "base")
    peft = adapted(plain, task_type="SEQ_CLS", target_modules=["q_proj"], modules_to_save=["score"])
    peft.save_pretrained(tmp_path / "adapter")
    asked = (["a", "b"], ["b", "a b"])
    judge = RewardModel.from_pretrained(str(tmp_path / "adapter"))
    expected = RewardModel(peft, tokenizer).scores(*asked)
    np.testing.assert_allclose(judge.scores(*asked), expected, atol=1e-5)
    base = RewardModel.from_pretrained(str(tmp_path / "base"))
    assert np.abs(base.scores(*asked) - expected).max() > 1e-2


def test_a_likelihood_judge_that_is_an_adapter(tmp_path):
    base = base_folder(tmp_path)
    peft = adapted(load(base))
    peft.save_pretrained(tmp_path / "adapter")
    judge = LogProb.from_pretrained(str(tmp_path / "adapter"), chat=False)
    wanted = told(peft, [1, 4, 5], [6, 2])
    assert judge.scores(["a b"], ["c"])[0] == pytest.approx(wanted, abs=1e-4)
