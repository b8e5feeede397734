"""Copies of arenas, spaces, beliefs and states answer as the originals do, to the bit."""

import copy
from dataclasses import replace

import numpy as np
import pytest

import pgames as pg
from llm_backend import Fit
from llm_backend.policies.handles import BASE, Answers, geometric_mixture, mixture
from llm_backend.runs.meter import Meter
from llm_backend.spaces.draws import NO_DRAWS
from llm_backend.spaces.metered import Metered
from llm_backend.spaces.recorded import Recorded
from llm_backend.spaces.shared import Shared
from llm_backend.testing import text_arena
from tests.support.llm_free import free_arena
from tests.support.llm_listed import make
from tests.support.llm_tiny import cyclic_game, tiny_lm

QUICK = Fit(epochs=2, lr=1e-2)
copies = pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy])


def decorated(space, folder):
    """A space with none, some or all three of its decorators."""
    yield space
    yield Recorded(space, folder)
    yield Metered(space, Meter())
    yield Shared(space)
    yield Metered(Recorded(Shared(space), folder), Meter())


@copies
@pytest.mark.parametrize("kind", ["free", "listed", "recorded", "decorated", "table"])
def test_a_copy_of_an_arena_plays_as_the_arena(kind, duplicate, tmp_path):
    if kind == "table":
        arena = text_arena(cyclic_game(2, 3), samples=4)
    elif kind == "listed":
        arena = make(samples=4, fit=QUICK)
    else:
        arena = free_arena(tiny_lm("abc", spread=0.15), folder=tmp_path if kind == "recorded" else None)
    if kind == "decorated":
        arena = arena.within(replace(arena.context, space=[*decorated(arena.space, tmp_path)][-1]))
    pi = arena.mirror_step(arena.reference, arena.reference, 1.0)
    other = duplicate(arena)
    assert type(other) is type(arena) and other is not arena
    here, there = (one.at(1).anchored(pi) for one in (arena, other))
    assert here.mirror_step(pi, BASE, 1.0).id == there.mirror_step(pi, BASE, 1.0).id
    assert here.sample(pi, n=3).draws.tokens == there.sample(pi, n=3).draws.tokens


@copies
@pytest.mark.parametrize("kind", ["free", "listed"])
def test_a_copy_of_a_space_draws_and_scores_as_the_space(kind, duplicate, tmp_path):
    arena = make(samples=4, fit=QUICK) if kind == "listed" else free_arena(tiny_lm("abc", spread=0.15))
    for space in decorated(arena.space, tmp_path):
        other = duplicate(space)
        assert type(other) is type(space) and other is not space
        here, there = (one.draw(BASE, 3, (1, 2)) for one in (space, other))
        assert here.tokens == there.tokens
        np.testing.assert_array_equal(space.score(BASE, here), other.score(BASE, there))
        assert (other.listed is None) == (kind == "free")


@copies
def test_a_copy_of_a_belief_answers_as_the_belief(duplicate):
    for arena in (make(fit=QUICK), make(samples=4, fit=QUICK), free_arena(tiny_lm("abc", spread=0.15))):
        belief = arena.believe(arena.duel(BASE, BASE), 0.5)
        other = duplicate(belief)
        assert type(other) is type(belief) and other is not belief
        assert belief.least_known(BASE).texts == other.least_known(BASE).texts
        assert belief.mirror_step(BASE, BASE, 1.0).id == other.mirror_step(BASE, BASE, 1.0).id


@copies
@pytest.mark.parametrize(
    "solver", [pg.EGPO(0.2, 1.0), pg.ENPO(0.2), pg.FictitiousPlay(0.5), pg.XPO(0.5, 0.01)]
)
def test_a_copy_of_a_state_is_played_on_as_the_state(solver, duplicate, tmp_path):
    for arena in (make(samples=4, fit=QUICK), free_arena(tiny_lm("abc", spread=0.15))):
        state = pg.solve(solver, arena, 2)
        here, there = (solver.step(arena.at(2), one) for one in (state, duplicate(state)))
        texts = ["a", "b", "c"]
        np.testing.assert_array_equal(arena.probs(here.policy, texts), arena.probs(there.policy, texts))
        arena.save(duplicate(state), tmp_path)


def test_handles_that_name_weights_are_not_copied():
    arena = make(samples=4, fit=QUICK)
    pi = arena.mirror_step(BASE, BASE, 1.0)
    blend, answers = geometric_mixture((0.5, BASE), (0.5, pi)), Answers((("a",),) * 3, (np.ones(1),) * 3)
    league = mixture((0.5, blend), (0.5, answers))
    for duplicate in (copy.copy, copy.deepcopy):
        assert duplicate(BASE) is BASE and duplicate(pi) is pi and duplicate(NO_DRAWS) is NO_DRAWS
        assert [leaf for _, leaf in duplicate(blend).terms] == [BASE, pi]
        np.testing.assert_array_equal(arena.probs(duplicate(league)), arena.probs(league))
