"""The response that is least known, against the table."""

import numpy as np
import pytest

import pgames as pg
from llm_backend import TextArena
from llm_backend.policies.handles import BASE, Answers
from tests.support.llm_free import MoreOfA
from tests.support.llm_tiny import tiny_lm


def test_the_least_known_response_is_that_of_the_table(text, pi):
    learner = pg.DuelArena(text.game)
    counts = np.random.default_rng(8).integers(0, 4, (3, 5, 5)).astype(float)
    gram = np.eye(5) + np.zeros((3, 5, 5))
    pairs = []
    for x, y, z in np.ndindex(3, 5, 5):
        gap = np.eye(5)[y] - np.eye(5)[z]
        gram[x] += counts[x, y, z] * np.outer(gap, gap)
        pairs += [(5 * x + y, 5 * x + z)] * int(counts[x, y, z])
    empty = learner.empty_buffer()
    theirs = type(empty)(counts[None], np.linalg.inv(gram)[None])
    ours = text.empty_buffer().add(text.space.all, np.array(pairs))
    want = learner.least_known(theirs, learner.policy(text.probs(pi)))
    got = text.least_known(ours, pi)
    assert isinstance(got, Answers)
    np.testing.assert_allclose(text.probs(got), learner.probs(want)[0], atol=1e-12)


def test_an_adversary_answers_the_prompts_it_will_be_met_on():
    arena = TextArena(
        tiny_lm("abc", spread=0.15), ["a", "b c", "c", "b"], MoreOfA(), 4, max_new_tokens=3, per_round=2
    )
    buffer = arena.collect(arena.empty_buffer(), BASE, BASE, 3)
    adversary = arena.least_known(buffer, BASE)
    assert [len(texts) for texts in adversary.texts] == [0, 0, 1, 1]
    assert set(arena.at(1).context.draw(adversary, "first").prompt) == {2, 3}
    with pytest.raises(ValueError, match="none to prompt 0: it was made for the prompts of another round"):
        arena.context.draw(adversary, "first")
    with pytest.raises(ValueError, match="no pair for prompt 2"):
        arena.at(1).label(buffer, BASE, 1)
    assert [set(arena.at(t).context.draw(BASE, "first").prompt) for t in range(3)] == [{0, 1}, {2, 3}, {0, 1}]
