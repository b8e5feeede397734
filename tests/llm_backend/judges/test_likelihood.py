"""A causal model as judge."""

import numpy as np
import pytest
import torch

from llm_backend import judges
from llm_backend.judges import JudgeError
from tests.support.classifiers import tokenizer_of
from tests.support.judged import assert_preference, table
from tests.support.llm_tiny import tiny_model


@pytest.mark.parametrize("per_token", [False, True])
def test_log_prob_judge_is_the_chain_rule(per_token):
    tokenizer = tokenizer_of()
    model = tiny_model(len(tokenizer))
    judge = judges.LogProb(model, tokenizer, per_token=per_token, chat=False, batch=2)
    responses = ["rock", "paper scissors rock", ""]
    expected = []
    for response in responses:
        head = tokenizer("a")["input_ids"]
        tail = [*tokenizer(response, add_special_tokens=False)["input_ids"], tokenizer.eos_token_id]
        with torch.no_grad():
            logs = torch.log_softmax(model(torch.tensor([head + tail])).logits[0].double(), -1)
        total = sum(logs[len(head) - 1 + k, token].item() for k, token in enumerate(tail))
        expected.append(total / len(tail) if per_token else total)
    np.testing.assert_allclose(judge.scores(["a"] * 3, responses), expected, atol=1e-5)
    assert_preference(table(judge, responses=responses))


def test_log_prob_judge_asked_for_a_or_b():
    tokenizer = tokenizer_of()
    model = tiny_model(len(tokenizer))
    question = "{prompt} a {first} b {second}"
    judge = judges.LogProb(model, tokenizer, question, answers=("a", "b"))
    P = table(judge)
    assert_preference(P)

    def odds(y, z):
        text = f"<bos> user a a {y} b {z} <eos> assistant "
        ids = tokenizer(text, add_special_tokens=False, return_tensors="pt")["input_ids"]
        with torch.no_grad():
            logs = torch.log_softmax(model(ids).logits[0, -1], -1)[
                tokenizer.convert_tokens_to_ids(["a", "b"])
            ]
        return torch.softmax(logs, 0)[0].item()

    expected = (odds("rock", "paper") + 1 - odds("paper", "rock")) / 2
    assert P[0, 2] == pytest.approx(expected, abs=1e-6) and abs(expected - 0.5) > 1e-4
    with pytest.raises(ValueError, match="two different single tokens"):
        judges.LogProb(model, tokenizer, question, answers=("a b", "b"))
    with pytest.raises(KeyError):
        judges.LogProb(model, tokenizer, "{first} or {other}?", answers=("a", "b"))
    with pytest.raises(JudgeError, match="cannot read"):
        judge.prefer(["a"], ["rock " * 60], ["paper"])
