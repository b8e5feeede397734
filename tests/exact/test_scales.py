"""Zero-sum games with payoffs of any size: values by exact fractions, overflow, flat games."""

from fractions import Fraction
from itertools import combinations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import pgames as pg
from pgames.exact import unregularised_pair as pair
from pgames.exact.flat import Embedded
from pgames.exact.rational import solve_exactly

INTEGERS = np.array([[3.0, -1, 2, 0], [-2, 1, -3, 4], [0, 2, -1, -4], [1, -3, -2, 2]])


def value_by_enumeration(A):
    """max_x min_j (x A)_j in fractions: over all square subsystems, the best row that is feasible."""
    A = [[Fraction(float(a)) for a in row] for row in A]
    m, n = len(A), len(A[0])
    best = max(min(row) for row in A)
    for k in range(2, min(m, n) + 1):
        for rows in combinations(range(m), k):
            for columns in combinations(range(n), k):
                x = solved(
                    [[A[i][j] for i in rows] + [Fraction(-1)] for j in columns]
                    + [[Fraction(1)] * k + [Fraction(0)]]
                )
                if x is not None and min(x[:k]) >= 0:
                    best = max(best, min(sum(x[a] * A[i][j] for a, i in enumerate(rows)) for j in range(n)))
    return best


def solved(M):
    """The solution of M x = (0, ..., 0, 1) in fractions, None if M is singular."""
    k = len(M)
    M = [[*row, Fraction(int(i == k - 1))] for i, row in enumerate(M)]
    for c in range(k):
        p = next((r for r in range(c, k) if M[r][c] != 0), None)
        if p is None:
            return None
        M[c], M[p] = M[p], M[c]
        M[c] = [v / M[c][c] for v in M[c]]
        for r in range(k):
            if r != c and M[r][c] != 0:
                M[r] = [a - M[r][c] * b for a, b in zip(M[r], M[c], strict=True)]
    return [row[-1] for row in M]


@pytest.mark.parametrize("k", [0, 5, 10, 12, 13, 14, 16, 20, 100, 300])
def test_one_payoff_of_another_size(k):
    large = pg.nash_zero_sum([[10.0**k, 0], [0, 1]])
    assert large.value == pytest.approx(1 / (1 + 10.0**-k), rel=1e-14)
    assert pg.nash_zero_sum([[1, -1], [-1, -(10.0**k)]]).value == pytest.approx(-1, rel=1e-14)
    assert pg.nash_zero_sum([[10.0**-k, 0], [0, 1]]).value == pytest.approx(1 / (1 + 10.0**k), rel=1e-12)
    integers = INTEGERS.copy()
    integers[2, 3] = -(10.0**k)
    found = pg.nash_zero_sum(integers)
    assert found.value == pytest.approx(float(value_by_enumeration(integers)), rel=1e-9)
    assert 0 <= found.exploitability <= 1e-9


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), digits=st.sampled_from([3, 20]))
@example(seed=1, digits=20)  # the row must play 1/11 to 28 digits
def test_payoffs_of_any_size_against_fractions(seed, digits):
    rng = np.random.default_rng(seed)
    m, n = rng.integers(1, 5, 2)
    A = rng.integers(-3, 4, (m, n)) * 10.0 ** rng.integers(-digits, digits, (m, n))
    found = pg.nash_zero_sum(A)
    size = float(found.row @ np.abs(A) @ found.column) + np.abs(A)[A != 0].min(initial=1.0)
    assert abs(found.value - float(value_by_enumeration(A))) <= 1e-9 * size
    assert found.exploitability >= 0


def test_the_first_solution_alone_would_be_wrong():
    """Negative control: the centre by doubles, which was returned, misses the value by two thirds."""
    A = np.array([[1.0, -1], [-1, -1e14]])
    first = pair.measured(A, *pair.centre(A))
    assert abs(first.value + 1) > 0.5 and pair.relative(A, first) > 0.1
    assert pair.relative(A, pair.unregularised(A)) == 0


def test_a_large_game_is_solved_on_its_support_or_refused(monkeypatch):
    A = np.random.default_rng(0).normal(size=(90, 100))
    exact = pg.nash_zero_sum(A)
    i, j = int(np.argmax(exact.row)), int(np.argmax(exact.column))
    for cell in (1e13, -1e13, 1e16, -1e16, 1e20):
        A[i, j] = cell
        found = pg.nash_zero_sum(A)
        assert pair.relative(A, pair.Found(*found)) < 1e-12
    monkeypatch.setattr(pair, "more_exact", lambda payoff: [])
    with pytest.raises(
        RuntimeError, match=r"no equilibrium to 1e-09 of the payoffs that are played.*leave out"
    ):
        pg.nash_zero_sum(A)


def test_exploitability_is_never_negative():
    assert pg.nash_zero_sum([[3.0], [1], [2], [3]]).exploitability == 0
    rng = np.random.default_rng(1)
    games = [rng.integers(-3, 4, rng.integers(1, 6, 2)) for _ in range(300)]
    found = [pg.nash_zero_sum(game) for game in games]
    assert min(one.exploitability for one in found) == 0
    rounding = [(A @ one.column).max() - (one.row @ A).min() for A, one in zip(games, found, strict=True)]
    assert min(rounding) < 0  # what was returned


def test_the_largest_doubles():
    found = pg.nash_zero_sum([[1.7e308, -1.7e308], [-1e308, 1e308]])
    np.testing.assert_allclose(found.row, [10 / 27, 17 / 27], rtol=1e-14)
    np.testing.assert_allclose(found.column, 0.5, rtol=1e-14)
    assert abs(found.value) <= 1e-15 * 1.7e308
    cycle = np.array([[0, -1.0, 1], [1, 0, -1], [-1, 1, 0]])
    for unit in (1.7e308, 1.0, 1e-300):
        np.testing.assert_allclose(pg.ratings.nash_average(cycle * unit).policy, 1 / 3, rtol=1e-14)
        assert np.isfinite(pg.ratings.alpha_rank(cycle * unit, 0.1).scores).all()
    mixed = np.array([[0, 1e14, -1], [-1e14, 0, 1], [1, -1, 0]])
    np.testing.assert_allclose(pg.ratings.nash_average(mixed).policy, [[1e-14, 1e-14, 1]], rtol=1e-9)


@pytest.mark.parametrize("tau", [0.1, 1.0, 1e3])
def test_regularised_games_in_their_own_scale(tau):
    for A in ([[1e14, 0], [0, 1]], [[1, -1], [-1, -1e14]], [[1e-14, 0], [0, 1]]):
        A, found = np.array(A), pg.nash_zero_sum(A, tau)
        row = np.exp(A @ found.column / tau - (A @ found.column / tau).max())
        np.testing.assert_allclose(found.row, row / row.sum(), rtol=1e-9)
    with pytest.raises(RuntimeError, match=r"tau is 1e-309 of the range .* or for tau=0"):
        pg.nash_zero_sum([[1e308, -1e308], [-1e308, 1e308]], 0.1)


@pytest.mark.parametrize("population", [2.5, 1, 0, np.nan, np.inf])
def test_a_population_is_a_whole_number(population):
    with pytest.raises(ValueError, match="whole population of 2 to 1000000"):
        pg.ratings.alpha_rank([[0.0, 1], [-1, 0]], 0.1, population=population)


# -- flat games ----------------------------------------------------------------------------------------------


def spread_of_logs(A, found):
    """sum log(z - G z) of the embedded game, which the centre maximises."""
    B = (A - A.min()) / np.ptp(A) + 1
    z = np.r_[found.row, found.column, found.row @ B @ found.column]
    z /= z.sum()
    return np.log(np.maximum(z - Embedded(B) @ z, 1e-300)).sum()


@pytest.mark.parametrize("shape", [(2, 300), (3, 200), (200, 3), (8, 160), (1, 200)])
@pytest.mark.parametrize("kind", ["normal", "ties", "binary"])
def test_a_flat_game_is_the_same_game_by_the_small_side(shape, kind, monkeypatch):
    rng = np.random.default_rng(7)
    draw = {
        "normal": lambda: rng.normal(size=shape),
        "ties": lambda: rng.integers(-3, 4, shape).astype(float),
        "binary": lambda: rng.integers(0, 2, shape).astype(float),
    }
    A = draw[kind]()
    found = pg.nash_zero_sum(A)
    program = linprog(
        np.r_[np.zeros(shape[0]), -1],
        A_ub=np.c_[-A.T, np.ones(shape[1])],
        b_ub=np.zeros(shape[1]),
        A_eq=[[1] * shape[0] + [0]],
        b_eq=[1],
        bounds=[(0, None)] * shape[0] + [(None, None)],
    )
    assert found.value == pytest.approx(program.x[-1], abs=1e-9)
    assert found.exploitability <= 3e-13
    monkeypatch.setattr(pair, "SMALL", 10**9)
    whole = pg.nash_zero_sum(A)
    assert spread_of_logs(A, found) >= spread_of_logs(A, whole) - 1e-9  # the centre, where there are several


def test_the_table_of_a_flat_game_is_never_written():
    game = Embedded(np.random.default_rng(3).uniform(1, 2, (3, 9)))
    table = game.block(np.ones(13, dtype=bool))
    np.testing.assert_array_equal(table, -table.T)
    z, d = np.random.default_rng(4).uniform(size=(2, 13))
    np.testing.assert_allclose(game @ z, table @ z, rtol=1e-13)
    right = np.linalg.solve(np.eye(13) - d[:, None] * table * d, z)
    np.testing.assert_allclose(game.resolvent(d).solve(z), right, rtol=1e-11)


def test_exact_arithmetic_alone():
    rng = np.random.default_rng(5)
    for _ in range(30):
        A = rng.integers(-3, 4, rng.integers(1, 5, 2)) * 10.0 ** rng.integers(-20, 20)
        A[0, 0] = rng.normal()
        assert solve_exactly(A).value == float(value_by_enumeration(A))
