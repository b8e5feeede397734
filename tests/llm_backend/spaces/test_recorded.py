"""Recorded draws are read back from disk."""

import copy

import numpy as np
import pytest

from llm_backend.policies.handles import BASE, described, geometric_mixture
from tests.support.llm_free import free_arena
from tests.support.llm_oracles import trained
from tests.support.llm_tiny import tiny_lm


def test_recorded_draws_are_read_back(tmp_path, monkeypatch):
    lm = tiny_lm("abc", spread=0.15)
    arena = free_arena(lm, folder=tmp_path)
    drawn = arena.context.draw(BASE, "first")
    blend = geometric_mixture((0.5, BASE), (0.5, trained(lm, size=0.05)))
    mixed = arena.context.draw(blend, "first")
    monkeypatch.setattr("llm_backend.spaces.free.generate_together", None)
    again = copy.copy(arena).context.draw(BASE, "first")
    assert again.tokens == drawn.tokens
    assert again.texts == drawn.texts
    np.testing.assert_array_equal(again.truncated, drawn.truncated)
    assert arena.context.draw(blend, "first").tokens == mixed.tokens
    with pytest.raises(TypeError):
        arena.at(1).context.draw(BASE, "first")  # another round is drawn anew
    for path in tmp_path.glob("*.json"):
        path.write_text(path.read_text()[:-3])
    with pytest.raises(ValueError, match="delete it"):
        arena.context.draw(BASE, "first")
    assert described(blend)[0] == "Blend"
