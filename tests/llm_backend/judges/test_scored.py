"""Classifiers as judges: reward models and models of pairs."""

import numpy as np
import pytest
import torch

from llm_backend import judges
from llm_backend.judges import JudgeError
from tests.support.classifiers import classifier, tokenizer_of
from tests.support.judged import WORDS, assert_preference, table
from tests.support.llm_tiny import tiny_model, tiny_tokenizer


@pytest.mark.parametrize("pad", [0, None])
def test_reward_model_is_bradley_terry_with_its_own_template(pad):
    tokenizer = tokenizer_of()
    model = classifier(tokenizer, pad=pad)
    judge = judges.RewardModel(model, tokenizer, batch=4)
    responses = [*WORDS, "rock paper paper", ""]
    scores = []
    for response in responses:  # one at a time, by hand, so no padding at all
        text = f"<bos> user a <eos> assistant {response} <eos>"
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        assert (ids == tokenizer.bos_token_id).sum() == 1
        with torch.no_grad():
            scores.append(model(ids).logits[0, 0].item())
    got = judge.scores(["a"] * 5, responses)
    np.testing.assert_allclose(got, scores, atol=1e-5)
    assert np.ptp(scores) > 0.05
    P = table(judge, responses=responses)
    assert_preference(P)
    np.testing.assert_allclose(P, 1 / (1 + np.exp(got[None, :] - got[:, None])), atol=1e-12)
    assert model.config.pad_token_id == pad  # left as found


def test_padding_with_eos_would_read_the_wrong_token():
    """Negative control: a classifier without a pad token gives other scores when it is padded with EOS."""
    tokenizer = tokenizer_of()
    model = classifier(tokenizer, pad=None)
    ids = tokenizer("<bos> user a <eos>", add_special_tokens=False, return_tensors="pt")["input_ids"]
    with torch.no_grad():
        right = model(ids).logits.item()
        model.config.pad_token_id = tokenizer.eos_token_id
        wrong = model(ids).logits.item()
    assert abs(right - wrong) > 1e-2


def test_reward_model_without_a_chat_template():
    tokenizer = tiny_tokenizer(WORDS)
    model = classifier(tokenizer)
    with pytest.raises(ValueError, match=r"no chat template.*of your own"):
        judges.RewardModel(model, tokenizer)
    judge = judges.RewardModel(model, tokenizer, template=lambda x, y: f"{x} {y}")
    assert_preference(table(judge))
    other = judges.RewardModel(model, tokenizer, template=lambda x, y: f"{y} {x}")
    assert judge.name != other.name
    assert judge.name == judges.RewardModel(model, tokenizer, template=lambda x, y: f"{x} {y}").name


def test_classifiers_refuse_what_they_cannot_score():
    tokenizer = tokenizer_of()
    judge = judges.RewardModel(classifier(tokenizer), tokenizer)
    with pytest.raises(JudgeError, match=r"RewardModel.*cannot read \d+ tokens, only 1 to 32"):
        judge.prefer(["a"], ["rock " * 40], ["paper"])
    with pytest.raises(ValueError, match="has 3 labels, need 1"):
        judges.RewardModel(classifier(tokenizer, labels=3), tokenizer)
    broken = classifier(tokenizer)
    with torch.no_grad():
        broken.score.weight.fill_(float("nan"))
    with pytest.raises(JudgeError, match=r"RewardModel\(.*returned \[nan\].*check its weights"):
        judges.RewardModel(broken, tokenizer).prefer(["a"], ["rock"], ["paper"])


def test_reward_model_from_a_folder(tmp_path):
    tokenizer = tokenizer_of()
    model = classifier(tokenizer)
    model.save_pretrained(tmp_path / "good")
    tokenizer.save_pretrained(tmp_path / "good")
    loaded = judges.RewardModel.from_pretrained(str(tmp_path / "good"))
    np.testing.assert_allclose(table(loaded), table(judges.RewardModel(model, tokenizer)), atol=1e-6)
    causal = tiny_model(len(tokenizer))
    causal.save_pretrained(tmp_path / "causal")
    tokenizer.save_pretrained(tmp_path / "causal")
    with pytest.raises(ValueError, match=r"no weights for score.weight, which would stay random"):
        judges.RewardModel.from_pretrained(str(tmp_path / "causal"))
    likes = judges.LogProb.from_pretrained(str(tmp_path / "causal"), per_token=True)
    np.testing.assert_allclose(
        table(likes), table(judges.LogProb(causal, tokenizer, per_token=True)), atol=1e-6
    )


@pytest.mark.parametrize("labels", [1, 2])
def test_pairwise_models_are_averaged_over_both_orders(labels):
    tokenizer = tokenizer_of()
    model = classifier(tokenizer, labels)
    judge = judges.Pairwise(model, tokenizer, lambda x, y, z: f"user {x} a {y} b {z}")
    P = table(judge)
    assert_preference(P)
    one = np.empty((3, 3))
    for i, y in enumerate(WORDS):
        for j, z in enumerate(WORDS):
            ids = tokenizer(f"user a a {y} b {z}", return_tensors="pt")["input_ids"]
            with torch.no_grad():
                logits = model(ids).logits[0].double()
            one[i, j] = torch.sigmoid(logits[0] - (logits[1] if labels == 2 else 0)).item()
    assert np.abs(one + one.T - 1).max() > 0.01
    np.testing.assert_allclose(P, (one + 1 - one.T) / 2, atol=1e-6)
