"""Recorded steps: the same states as steps whose shapes grow."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from llm_backend.engines.local.generate import generate
from llm_backend.engines.local.graphs import BLOCK, Still, columns
from llm_backend.engines.local.lean import Lean
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import BASE, geometric_mixture
from tests.support.llm_families import model_of
from tests.support.llm_oracles import trained
from tests.support.llm_tiny import tiny_tokenizer

PROMPTS = [[1, 5, 6, 7, 8], [1, 6], [1, 9, 4]]


class Direct:
    """In the place of `Graphs` where there is no GPU: the step itself, without a record."""

    def __init__(self) -> None:
        self.seen: list[int] = []
        self.forgotten = 0

    def forget(self) -> None:
        self.forgotten += 1

    def step(self, still: Still, tokens: torch.Tensor, used: int, width: int) -> torch.Tensor:
        self.seen.append(columns(used + 1))
        return still(tokens, torch.tensor([used], device=tokens.device), self.seen[-1])


@torch.inference_mode()
def states(lean: Lean, steps: int) -> list[torch.Tensor]:
    """The states of a prefill and of `steps` steps; half-way one row is dropped."""
    width = max(map(len, PROMPTS))
    ids = torch.tensor([[0] * (width - len(p)) + p for p in PROMPTS])
    valid = torch.tensor([[False] * (width - len(p)) + [True] * len(p) for p in PROMPTS])
    found = [lean.prefill(ids, valid, torch.arange(6), steps)]
    for t in range(steps):
        if t == steps // 2:
            lean.keep(torch.tensor([0, 1, 3, 4, 5]))
        found.append(lean.step(torch.arange(len(found[-1]) if t != steps // 2 else 5) % 9 + 4))
    return found


@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_a_step_of_fixed_shapes_returns_the_states_of_a_step(kind, monkeypatch):
    """Padded prompts, two leaves, a row dropped, across the end of a block of columns."""
    monkeypatch.setattr("llm_backend.engines.local.graphs.BLOCK", 8)
    lm = model_of(kind, lora=4)
    leaves, steps = [trained(lm, 0), BASE], 20
    plain, fixed = Lean(lm, leaves, [3, 3]), Lean(lm, leaves, [3, 3])
    fixed.graphs = direct = Direct()  # type: ignore[assignment]
    expected, got = states(plain, steps), states(fixed, steps)
    assert direct.seen == [columns(5 + t + 1) for t in range(steps)] and direct.forgotten == 2
    for a, b in zip(expected, got, strict=True):
        assert torch.allclose(a, b, atol=1e-5, rtol=1e-5)


def test_columns_grow_by_blocks():
    assert [columns(n) for n in (1, BLOCK, BLOCK + 1)] == [BLOCK, BLOCK, 2 * BLOCK]


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="no GPU")
@pytest.mark.parametrize("kind", ["llama", "qwen3"])
def test_recorded_steps_draw_the_same_tokens(kind, monkeypatch):
    """Of a policy and of a mixture, against steps that are not recorded; rows end at different times."""
    lm = LanguageModel(model_of(kind, lora=None).causal.to("cuda"), tiny_tokenizer(), 4)
    policy = trained(lm, 0)
    mixed = geometric_mixture((0.7, policy), (0.3, BASE))
    for drawn in (policy, mixed):
        recorded = generate(lm, drawn, PROMPTS, 8, max_new_tokens=40, key=(3,))
        with monkeypatch.context() as patch:
            patch.setattr("llm_backend.engines.local.lean.Graphs", Direct)
            plain = generate(lm, drawn, PROMPTS, 8, max_new_tokens=40, key=(3,))
        same = np.mean([a == b for a, b in zip(recorded.tokens, plain.tokens, strict=True)])
        assert same >= 0.9  # rounding may flip a token
        rows = [a == b for a, b in zip(recorded.tokens, plain.tokens, strict=True)]
        assert np.allclose(recorded.logprobs[rows], plain.logprobs[rows], atol=1e-3)
