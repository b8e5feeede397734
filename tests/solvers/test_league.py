"""Leagues in which every member learns."""

import numpy as np
import pytest

import pgames as pg
from pgames.population import Even, Everybody, Hard, Nash, Near, Uniform


def disc_and_ranking(seed=0):
    """The disc plus a ranking of .1 times normal skills."""
    skill = np.random.default_rng([seed, 1]).standard_normal(60)
    A = 2 * pg.games.disc(60, seed).skew[0] + 0.1 * (skill[:, None] - skill)
    return pg.PreferenceGame(0.5 + A / np.abs(A).max() / 2)


def members_of(state):
    return [one.policy for one in state.memory[0]]


def spread(policies):
    """The mean total variation between members."""
    probs = [np.exp(policy) for policy in policies]
    apart = [np.abs(p - q).sum() / 2 for i, p in enumerate(probs) for q in probs[:i]]
    return float(np.mean(apart))


def test_equal_members_collapse_under_every_matchmaker():
    """8 members of SPPO(1), 300 rounds: measured mean distances .0078 for each, .031 with self-play only.

    Nor is the Nash of the members less exploitable than the best of them: a gap of .114 for .096.
    """
    arena = pg.TableArena(disc_and_ranking(1))
    ends = {}
    for match in (Everybody(), Hard(), Even(), Near(), Everybody(self_play=1.0)):
        state = pg.solve(pg.League(pg.SPPO(1.0), 8, match), arena, 300)
        ends[match] = spread(members_of(state))
        best = min(float(arena.exploitability(one)[0]) for one in members_of(state))
        assert float(arena.exploitability(state.policy)[0]) > best + 0.005
    alone = ends.pop(Everybody(self_play=1.0))
    assert alone < 0.04 and max(ends.values()) < 0.01 and np.ptp(list(ends.values())) < 1e-4


def test_who_meets_whom_is_up_to_the_matchmaker():
    """With self-play only, every member is the iterate of its solver alone."""
    arena = pg.TableArena(pg.games.comal3().with_reference([0.6, 0.3, 0.1]))
    league = pg.League(pg.INPO(0.1, 0.5), 3, Everybody(self_play=1.0))
    state = pg.solve(league, arena, 10)
    for i, one in enumerate(members_of(state)):
        alone = pg.solve(pg.INPO(0.1, 0.5), arena, 10 + i).policy
        np.testing.assert_allclose(np.exp(one), np.exp(alone), atol=1e-13)


def test_the_mixture_is_that_of_the_meta_solver():
    arena = pg.TableArena(pg.games.disc_and_skill(20), runs=2)
    for meta in (Uniform(), Nash(select="max_entropy")):
        state = pg.solve(pg.League(pg.SPPO(1.0), 4, meta=meta), arena, 5)
        weights = meta(state.memory[1].known())
        policies = members_of(state)
        np.testing.assert_array_equal(pg.population.mixed(arena, weights, policies), state.policy)
        np.testing.assert_allclose(state.memory[1].rates, arena.win_rates(policies, policies), atol=1e-15)


def test_a_league_of_one_plays_itself():
    arena = pg.TableArena(pg.games.comal3().with_reference([0.6, 0.3, 0.1]))
    one = pg.solve(pg.League(pg.INPO(0.1, 0.5), 1), arena, 5)
    np.testing.assert_allclose(one.policy, pg.solve(pg.INPO(0.1, 0.5), arena, 5).policy, atol=1e-14)


def test_every_member_may_have_its_own_solver():
    """Each plays itself here, so it ends where its solver does alone; equal solvers start as a chain."""
    arena = pg.TableArena(pg.games.comal3().with_reference([0.6, 0.3, 0.1]))
    solvers = (pg.INPO(0.1, 0.5), pg.MMD(0.1, 0.4), pg.INPO(0.1, 0.5))
    league = pg.League(solvers, match=Everybody(self_play=1.0))
    ends = members_of(pg.solve(league, arena, 6))
    for solver, extra, end in zip(solvers, (0, 0, 1), ends, strict=True):
        np.testing.assert_allclose(np.exp(end), np.exp(pg.solve(solver, arena, 6 + extra).policy), atol=1e-13)
    assert league.solvers == solvers and pg.League(pg.SPPO(1.0), 2).solvers == (pg.SPPO(1.0),) * 2


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ((pg.SPPO(1.0), 0), "size must be a whole number of at least 1, got 0"),
        ((pg.SPPO(1.0),), "size must be a whole number of at least 1, got None"),
        ((pg.SPPO(1.0), 1.5), "size must be a whole number, got 1.5"),
        (([pg.SPPO(1.0)], 1), "the solvers of the members are a tuple, got a list"),
        (((),), "a tuple of 0 solvers makes as many members, at least 1"),
        (((pg.SPPO(1.0),), 2), "a tuple of 1 solvers .* got size 2: leave size out"),
    ],
)
def test_a_league_of_nobody_is_refused(fields, told):
    with pytest.raises(ValueError, match=told):
        pg.League(*fields)
