"""Log-probabilities and their gradients against float64."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llm_backend.models import logprobs
from llm_backend.models.logprobs import LinearLogProbs, score, token_logprobs
from llm_backend.policies.handles import BASE
from tests.support.llm_oracles import PROMPTS, rows, trained
from tests.support.llm_tiny import tiny_lm


@pytest.mark.parametrize("temperature", [1.0, 0.7])
def test_chunked_log_probabilities_and_gradients(monkeypatch, temperature):
    torch.manual_seed(0)
    hidden, weight, bias = torch.randn(13, 6), torch.randn(11, 6), torch.randn(11)
    targets, upstream = torch.randint(0, 11, (13,)), torch.randn(13)
    monkeypatch.setattr(logprobs, "CHUNK_BYTES", 4 * 11 * 4)  # four rows at a time

    def gradients(value, *tensors):
        leaves = [tensor.clone().requires_grad_(True) for tensor in tensors]
        out = value(*leaves)
        return [out.detach(), *torch.autograd.grad((out * upstream.to(out)).sum(), leaves)]

    def naive(h, w, b):
        logs = torch.log_softmax((h @ w.T + b) / temperature, dim=-1)
        return logs.gather(-1, targets[:, None])[:, 0]

    got = gradients(lambda h, w, b: LinearLogProbs.apply(h, w, b, targets, temperature), hidden, weight, bias)
    want = gradients(naive, hidden.double(), weight.double(), bias.double())
    for mine, exact in zip(got, want, strict=True):
        torch.testing.assert_close(mine.double(), exact, rtol=1e-5, atol=1e-6)


def test_padding_and_batching_change_nothing():
    lm = tiny_lm()
    prompts = [lm.encode(text) for text in ("a", "b c d e", "f g")]
    answers = [lm.encode_response(text) for text in ("h i j a b", "c", "d e")]
    together = score(lm, BASE, prompts, answers)
    alone = [score(lm, BASE, [p], [a])[0] for p, a in zip(prompts, answers, strict=True)]
    np.testing.assert_allclose(together, alone, atol=1e-5)
    np.testing.assert_allclose(score(lm, BASE, prompts, answers, rows=1), alone, atol=1e-6)
    ids = torch.tensor([prompts[1] + answers[1]])
    logs = torch.log_softmax(lm.causal(input_ids=ids).logits[0].double(), dim=-1)
    told = sum(logs[len(prompts[1]) - 1 + i, token].item() for i, token in enumerate(answers[1]))
    assert together[1] == pytest.approx(told, abs=1e-5)


def test_token_log_probabilities_under_training_have_gradients():
    lm = tiny_lm()
    prompts, answers = rows(lm)
    with lm.train(BASE) as trainee:
        values, mask = token_logprobs(lm, prompts, answers)
        values.sum().backward()
        moved = [p.grad is not None and bool(p.grad.abs().sum() > 0) for p in trainee.parameters.values()]
    assert any(moved)
    assert mask.sum() == sum(map(len, answers))
    assert all(p.grad is None and not p.requires_grad for p in lm.causal.parameters())


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
    with pytest.raises(ValueError, match="ends before its 1 first tokens: no policy draws it"):
        score(lm, policy, [PROMPTS[0]], [[lm.eos]], shortest=1)
