"""Log-probabilities that drawing knows are kept with the draws; they are those of a pass over them."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from llm_backend.models.logprobs import score
from llm_backend.policies.handles import BASE, geometric_mixture, mixture
from llm_backend.spaces.draws import Draws
from tests.support.llm_free import free_arena
from tests.support.llm_oracles import trained
from tests.support.llm_tiny import tiny_lm


def scored_again(arena, leaf, draws):
    how = arena.space.sampling
    asked = [how.prompts[x] for x in draws.prompt]
    return score(how.lm, leaf, asked, draws.tokens, how.temperature, 64, how.shortest)


@pytest.mark.parametrize("lora", [8, None])
@pytest.mark.parametrize("limits", [{}, {"temperature": 0.7, "min_new_tokens": 2}])
def test_draws_know_the_leaves_of_their_policy(lora, limits, monkeypatch):
    lm = tiny_lm("abc", lora=lora, spread=0.15)
    arena, other = free_arena(lm, **limits), trained(lm, size=0.05)
    blend = geometric_mixture((0.7, BASE), (0.5, other))
    for policy, leaves in ((BASE, [BASE]), (other, [other]), (blend, [BASE, other])):
        draws = arena.context.draw(policy, "first")
        want = [scored_again(arena, leaf, draws) for leaf in leaves]
        with monkeypatch.context() as patched:
            patched.setattr("llm_backend.spaces.free.score", None)
            for leaf, exact in zip(leaves, want, strict=True):
                np.testing.assert_allclose(arena.space.score(leaf, draws), exact, atol=2e-5)


def test_rows_of_a_mixture_are_scored_where_they_are_not_known():
    lm = tiny_lm("abc", spread=0.15)
    arena, other = free_arena(lm), trained(lm, size=0.05)
    draws = arena.context.draw(mixture((0.5, BASE), (0.5, other)), "first", 8)
    known = dict(draws.known)
    assert len(known) == 2
    assert all(0 < np.isnan(logs).sum() < len(logs) for logs in known.values())
    for leaf in (BASE, other):
        np.testing.assert_allclose(
            arena.space.score(leaf, draws), scored_again(arena, leaf, draws), atol=2e-5
        )


def test_rows_keep_what_is_known_of_them():
    lm = tiny_lm("abc", spread=0.15)
    arena, other = free_arena(lm), trained(lm, size=0.05)
    first, second = (arena.context.draw(policy, "first") for policy in (BASE, other))
    joined = Draws.join([first, second])
    rows = np.arange(len(joined))[::-1]
    for leaf in (BASE, other):
        np.testing.assert_allclose(
            arena.space.score(leaf, joined.take(rows)), scored_again(arena, leaf, joined)[rows], atol=2e-5
        )
    assert [int(np.isnan(logs).sum()) for _, logs in joined.known] == [len(second), len(first)]


def test_draws_of_other_limits_are_scored_again():
    lm = tiny_lm("abc", spread=0.15)
    hot, cold = free_arena(lm, temperature=1.3), free_arena(lm, temperature=0.7)
    draws = hot.context.draw(BASE, "first")
    np.testing.assert_allclose(cold.space.score(BASE, draws), scored_again(cold, BASE, draws), atol=1e-6)


def test_recorded_draws_have_the_same_bits(tmp_path):
    lm = tiny_lm("abc", spread=0.15)
    arena, other = free_arena(lm, folder=tmp_path), trained(lm, size=0.05)
    blend = geometric_mixture((0.5, BASE), (0.5, other))
    drawn, read = (arena.context.draw(blend, "first") for _ in range(2))
    for leaf in (BASE, other):
        np.testing.assert_array_equal(arena.space.score(leaf, read), arena.space.score(leaf, drawn))
    assert [name for name, _ in read.known] == [name for name, _ in drawn.known]
    assert len(drawn.known) == 2


def test_a_lower_precision_is_scored_again():
    lm = tiny_lm("abc", spread=0.15)
    lm.causal.bfloat16()
    assert free_arena(lm).context.draw(BASE, "first").known == ()


def test_draws_without_known_scores_are_scored():
    lm = tiny_lm("abc", spread=0.15)
    arena = free_arena(lm)
    draws = dataclasses.replace(arena.context.draw(BASE, "first"), known=())
    np.testing.assert_allclose(arena.space.score(BASE, draws), scored_again(arena, BASE, draws), atol=1e-6)
