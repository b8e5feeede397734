"""The exact pair beside nashpy and a linear program: the same at tau = 0, and its limit as tau falls to 0."""

import numpy as np
import pytest
from scipy.optimize import linprog

import pgames as pg
from pgames.roles import named
from tests.support.roles import table

SIZES = [(2, 2), (6, 5), (3, 8), (9, 4)]
CASES = [pytest.param(table(seed, size), id=f"{size} {seed}") for size in SIZES for seed in range(4)]
CASES += [
    pytest.param(named.penalty_kicks().success, id="kicks"),
    pytest.param(named.guards(4).success, id="guards"),
]


def program(A):
    """(p, q, value) of max over p of min_j (p'A)_j by HiGHS; q are the duals."""
    m, n = A.shape
    found = linprog(
        np.r_[np.zeros(m), -1.0],
        A_ub=np.c_[-A.T, np.ones(n)],
        b_ub=np.zeros(n),
        A_eq=np.r_[np.ones(m), 0.0][None],
        b_eq=[1.0],
        bounds=[(0, None)] * m + [(None, None)],
    )
    return found.x[:m], -found.ineqlin.marginals, found.x[m]


@pytest.mark.parametrize("A", CASES)
def test_the_pair_of_a_linear_program(A):
    p, q, value = program(A)
    found = pg.nash_roles(pg.MatrixRoles(A))
    assert found.value == pytest.approx(value, abs=1e-9)
    np.testing.assert_allclose(found.attacker, p, atol=1e-7)
    np.testing.assert_allclose(found.defender, q, atol=1e-7)


@pytest.mark.parametrize("A", CASES)
def test_the_pair_of_nashpy(A):
    nashpy = pytest.importorskip("nashpy")
    pairs = list(nashpy.Game(A).support_enumeration())
    assert len(pairs) == 1  # so there is one pair to agree on
    found = pg.nash_roles(pg.MatrixRoles(A))
    np.testing.assert_allclose(found.attacker, pairs[0][0], atol=1e-9)
    np.testing.assert_allclose(found.defender, pairs[0][1], atol=1e-9)


@pytest.mark.parametrize("A", CASES)
def test_the_regularised_pair_falls_to_it_with_tau(A):
    """The value of the regularised game is within tau log n of that of the game, and the pair goes to it."""
    p, q, value = program(A)
    before = np.inf
    for tau in (0.1, 0.01, 0.001, 0.0001):
        found = pg.nash_roles(pg.MatrixRoles(A), tau)
        assert max(found.gains) < 1e-12
        apart = np.abs(found.attacker - p).sum() + np.abs(found.defender - q).sum()
        assert apart < before + 1e-6
        assert abs(found.value - value) <= tau * (np.log(A.shape[0]) + np.log(A.shape[1]))
        before = apart
    assert apart < 0.02


@pytest.mark.parametrize("A", CASES[::3])
def test_populations_end_there(A):
    _, _, value = program(A)
    arena = pg.RoleArena(pg.MatrixRoles(A))
    for solver, rounds in ((pg.PSRO(), 30), (pg.AnytimePSRO(), 30)):
        attacker, defender = (half[0] for half in arena.halves(pg.solve(solver, arena, rounds).policy))
        assert attacker @ A @ defender == pytest.approx(value, abs=1e-9)
        assert (A @ defender).max() - (attacker @ A).min() < 1e-9
