"""Liger's kernels against full logits and against our own pass; on a CPU in Triton's interpreter."""

from __future__ import annotations

import importlib.util
import os

import numpy as np
import pytest
import torch

from llm_backend.models import logprobs
from llm_backend.models.liger import LigerLogProbs, liger_serves
from llm_backend.models.logprobs import LinearLogProbs, score, token_logprobs
from llm_backend.policies.handles import BASE
from tests.support.llm_oracles import PROMPTS, trained
from tests.support.llm_tiny import tiny_lm

MISSING = [name for name in ("triton", "liger_kernel") if importlib.util.find_spec(name) is None]
on_gpu = torch.cuda.is_available()
if not MISSING and not on_gpu:
    os.environ["TRITON_INTERPRET"] = "1"  # before triton is imported

needs_gpu = [pytest.mark.gpu, pytest.mark.skipif(not on_gpu, reason="no GPU")]
needs_liger = pytest.mark.skipif(bool(MISSING), reason=f"not installed: {MISSING}")
DEVICES = [
    pytest.param("cpu", marks=pytest.mark.skipif(on_gpu, reason="the interpreter is for machines without")),
    pytest.param("cuda", marks=needs_gpu),
]


def gradients(function, tensors, trained_too, upstream):
    leaves = [tensor.clone().requires_grad_(i == 0 or trained_too) for i, tensor in enumerate(tensors)]
    values = function(*leaves)
    values.backward(upstream.to(values))
    return [values.detach(), *(leaf.grad for leaf in leaves if leaf.requires_grad)]


@needs_liger
@pytest.mark.parametrize("device", DEVICES)
@pytest.mark.parametrize("frozen", [False, True])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-5), (torch.bfloat16, 2e-2)])
def test_values_and_gradients_are_those_of_full_logits(device, frozen, dtype, close):
    generator = torch.Generator().manual_seed(0)
    shapes = ((37, 16), (301, 16), (301,))  # several chunks, and a last one that is not full
    tensors = [torch.randn(shape, generator=generator).to(device, dtype) for shape in shapes]
    targets = torch.randint(0, 301, (37,), generator=generator).to(device)
    upstream = torch.randn(37, generator=generator).to(device)  # every row has its own coefficient

    def full(hidden, weight, bias):
        logits = hidden.double() @ weight.double().T + bias.double()
        return torch.log_softmax(logits, -1).gather(1, targets[:, None])[:, 0]

    liger = gradients(lambda h, w, b: LigerLogProbs.apply(h, w, b, targets), tensors, not frozen, upstream)
    ours = gradients(
        lambda h, w, b: LinearLogProbs.apply(h, w, b, targets, 1.0), tensors, not frozen, upstream
    )
    want = gradients(full, tensors, not frozen, upstream)
    assert len(want) == (2 if frozen else 4)
    for got, same, exact in zip(liger, ours, want, strict=True):
        assert got.dtype == same.dtype and got.shape == exact.shape
        assert float((got.double() - exact).norm() / exact.norm()) < close
        assert float((got.double() - same.double()).norm() / exact.norm()) < close


@needs_liger
@pytest.mark.parametrize("device", DEVICES)
def test_a_model_scores_and_trains_the_same(device, monkeypatch):
    lm = tiny_lm()
    if device == "cuda":
        lm.causal.to(device)
        lm.device = lm.causal.device
    policy = trained(lm)
    responses = [[4, 5, 2], [6, 2], [7, 7, 7]]

    def slopes():
        with lm.train(BASE) as trainee:
            values, mask = token_logprobs(lm, PROMPTS, responses)
            (values * mask * torch.arange(1, 4, device=lm.device)).sum().backward()
            return torch.cat([p.grad.flatten().cpu() for p in trainee.parameters.values()])

    def measured(serves):
        with monkeypatch.context() as patch:
            patch.setattr(logprobs, "liger_serves", lambda hidden, temperature: serves)
            return score(lm, policy, PROMPTS, responses), slopes()

    liger, ours = measured(True), measured(False)
    np.testing.assert_allclose(liger[0], ours[0], atol=1e-4)
    torch.testing.assert_close(liger[1], ours[1], atol=1e-5, rtol=1e-4)


def test_it_serves_on_a_gpu_at_temperature_one_only():
    hidden = torch.zeros(2, 3)
    assert not liger_serves(hidden, 1.0)
    assert not liger_serves(torch.zeros(2, 3, device="meta"), 1.0)


@needs_liger
@pytest.mark.gpu
@pytest.mark.skipif(not on_gpu, reason="no GPU")
def test_it_serves_on_this_gpu():
    hidden = torch.zeros(2, 3, device="cuda")
    assert liger_serves(hidden, 1.0) and not liger_serves(hidden, 0.7)
