"""Uniform numbers by key, and the quantiles taken with them."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from scipy.stats import kstest

from llm_backend.engines.local.randomness import draw, uniforms

pytestmark = pytest.mark.filterwarnings("ignore:fan_in_fan_out:UserWarning")  # PEFT on GPT-2


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
