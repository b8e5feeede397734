"""Turns and Rivals: schedules, idle roles, solvers of each role, targets, refusals."""

import numpy as np
import pytest

import pgames as pg
from tests.support.roles import references, table

TAU, ETA = 0.1, 0.3
INPO = pg.INPO(TAU, ETA)


def test_turns_end_at_the_pair_and_the_idle_role_stays_to_the_bit():
    arena = pg.RoleArena(pg.MatrixRoles(table(4)))
    before = arena.reference
    for state in pg.iterate(pg.Turns(INPO, INPO, 2, 3), arena, 40):
        defends = (state.t - 1) % 5 < 3
        idle, busy = (0, 1) if defends else (1, 0)
        np.testing.assert_array_equal(state.policy[:, idle], before[:, idle])
        assert not (state.policy[:, busy] == before[:, busy]).all()
        before = state.policy
    p, q = arena.halves(pg.solve(pg.Turns(INPO, INPO, 2, 3), arena, 4000).policy)
    exact = pg.nash_zero_sum(table(4), TAU)
    assert np.abs(p[0] - exact.row).sum() < 1e-9 and np.abs(q[0] - exact.column).sum() < 1e-9


def test_each_solver_counts_the_rounds_of_its_own_turns():
    arena = pg.RoleArena(pg.MatrixRoles(table(0)))
    state = pg.solve(pg.Turns(INPO, pg.FictitiousPlay(TAU), 2, 3), arena, 14)
    attacker, defender = state.memory
    assert (state.t, attacker.t, defender.t) == (14, 5, 9)


@pytest.mark.parametrize("solver", [INPO, pg.MMD(TAU, ETA), pg.SPPO(ETA), pg.MNPO(TAU, ETA)], ids=repr)
def test_one_solver_in_both_roles_is_that_solver_on_the_pair(solver):
    arena = pg.RoleArena(pg.MatrixRoles(table(1), *references(1)))
    ours = pg.solve(pg.Rivals(solver, solver), arena, 30).policy
    np.testing.assert_allclose(arena.probs(ours), arena.probs(pg.solve(solver, arena, 30).policy), atol=1e-13)


def test_looking_ahead_against_a_role_that_rests_is_not_looking_ahead():
    """EGPO in a view is INPO; on the pair it is not."""
    arena = pg.RoleArena(pg.MatrixRoles(table(1)))
    egpo, inpo = pg.EGPO(TAU, ETA), pg.solve(INPO, arena, 30).policy
    rivals = pg.solve(pg.Rivals(egpo, egpo), arena, 30).policy
    np.testing.assert_allclose(arena.probs(rivals), arena.probs(inpo), atol=1e-13)
    assert np.abs(arena.probs(pg.solve(egpo, arena, 30).policy) - arena.probs(inpo)).max() > 1e-3


def test_each_role_has_its_own_temperature():
    """The attacker at tau .1, the defender at tau .02: the same game as tempers (1, 5)."""
    arena = pg.RoleArena(pg.MatrixRoles(table(0)))
    solver = pg.Rivals(pg.INPO(0.1, 0.1), pg.INPO(0.02, 0.1))
    p, q = arena.halves(pg.solve(solver, arena, 12000).policy)
    exact = pg.nash_zero_sum(table(0), (0.1, 0.02))
    assert np.abs(p[0] - exact.row).sum() < 1e-9 and np.abs(q[0] - exact.column).sum() < 1e-9


def test_a_diverse_attacker_against_a_greedy_defender():
    """KL w to uniform for the attacker alone is its soft best response at the end."""
    arena = pg.RoleArena(pg.MatrixRoles(table(3)))
    policy = pg.solve(pg.Rivals(pg.INPO(0.5, 0.3), pg.SPPO(0.3)), arena, 6000).policy
    gains = arena.gains(policy, 0.5)
    assert gains.attacker[0] < 1e-6
    assert arena.gains(policy).defender[0] < 2e-2


def test_the_frozen_role_is_a_fixed_attacker():
    """INPO of the defender alone is its soft best response to the attacker it meets."""
    arena = pg.RoleArena(pg.MatrixRoles(table(2)))
    start = pg.solve(pg.INPO(TAU, 1.0), arena, 3).policy
    view = arena.only("defender", start)
    end = pg.solve(pg.INPO(TAU, 1.0), view, 300).policy
    np.testing.assert_array_equal(end[:, 0], start[:, 0])
    assert view.exploitability(end, TAU)[0] < 1e-14 < arena.exploitability(end, TAU)[0]


def test_the_target_is_the_common_one():
    assert pg.Turns(INPO, pg.MMD(TAU, 1.0)).target == TAU
    assert pg.Rivals(pg.SPPO(1.0), pg.FictitiousPlay()).target == 0.0
    assert pg.Rivals(INPO, pg.SPPO(1.0)).target is None
    assert pg.Turns(INPO, pg.RLHF(0.2)).target is None


def test_runs_resume_to_the_bit():
    arena = pg.RoleArena(pg.MatrixRoles(table(0)), runs=2, samples=8, seed=1)
    solver = pg.Turns(pg.Average(INPO), pg.MNPO(TAU, ETA), 2, 1)
    whole = pg.solve(solver, arena, 23)
    resumed = pg.solve(solver, arena, 12, pg.solve(solver, arena, 11))
    np.testing.assert_array_equal(whole.policy, resumed.policy)


def test_refusals():
    with pytest.raises(ValueError, match="Turns: defend must be a whole number of at least 1, got 0"):
        pg.Turns(INPO, INPO, 1, 0)
    for solver in (pg.Turns(INPO, INPO), pg.Rivals(INPO, INPO)):
        with pytest.raises(TypeError, match=r"needs the verb\(s\) only, join, which TableArena .*; pass an"):
            solver.init(pg.TableArena(pg.games.comal3()))
