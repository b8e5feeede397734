"""Zero-sum games that are not symmetric: published cases, linear programming, any scale of payoffs."""

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.optimize import linprog

import pgames as pg

PUBLISHED = {
    "OpenSpiel": ([[2, 1, 5], [-3, -4, -2]], [1, 0], [0, 1, 0], 1),
    "nashpy documentation": (
        [[0, 1, -1], [-1, 0, 1], [1, -1, 0], [1, -1, 1]],
        [4 / 9, 2 / 9, 0, 3 / 9],
        [2 / 9, 4 / 9, 3 / 9],
        1 / 9,
    ),
    "QuantEcon: RPS and a dominated row": (
        [[0, -1, 1], [1, 0, -1], [-1, 1, 0], [-1, -1, -1]],
        [1 / 3, 1 / 3, 1 / 3, 0],
        [1 / 3, 1 / 3, 1 / 3],
        0,
    ),
    "unequal supports": ([[1, -2, -3], [-1, 1, 5], [7, 1, -3]], None, [0, 1, 0], 1),
    "matching pennies": ([[1, -1], [-1, 1]], [1 / 2, 1 / 2], [1 / 2, 1 / 2], 0),
    "one by one": ([[-7.5]], [1], [1], -7.5),
    "constant": (np.full((2, 3), 4.0), [1 / 2] * 2, [1 / 3] * 3, 4),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_published(name):
    A, row, column, value = PUBLISHED[name]
    answer = pg.nash_zero_sum(A)
    assert answer.value == pytest.approx(value, abs=1e-14)
    assert abs(answer.exploitability) <= 1e-14
    np.testing.assert_allclose(answer.column, column, atol=1e-14)
    if row is not None:
        np.testing.assert_allclose(answer.row, row, atol=1e-14)


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    m=st.integers(1, 7),
    n=st.integers(1, 7),
    scale=st.sampled_from([1e-9, 1.0, 1e12]),
    offset=st.floats(-3, 3),
)
@example(seed=22060, m=1, n=2, scale=1e12, offset=-1.0)  # all payoffs equal: the gap is rounding
def test_value_and_certificate(seed, m, n, scale, offset):
    rng = np.random.default_rng(seed)
    A = rng.normal(size=(m, n)) if seed % 2 else rng.integers(-2, 3, (m, n)).astype(float)
    answer = pg.nash_zero_sum(scale * (A + offset))
    program = linprog(
        np.r_[np.zeros(m), -1],
        A_ub=np.c_[-A.T, np.ones(n)],
        b_ub=np.zeros(n),
        A_eq=[[1] * m + [0]],
        b_eq=[1],
        bounds=[(0, None)] * m + [(None, None)],
    )
    assert answer.value / scale - offset == pytest.approx(program.x[-1], abs=1e-8)
    gap = (scale * (A + offset) @ answer.column).max() - (answer.row @ (scale * (A + offset))).min()
    assert answer.exploitability == pytest.approx(max(gap, 0.0), abs=1e-15 * scale)
    assert abs(gap) <= 1e-13 * scale
    for strategy in (answer.row, answer.column):
        assert strategy.min() >= 0
        assert strategy.sum() == pytest.approx(1, abs=1e-14)


def test_a_symmetric_game_is_solved_alike():
    game = pg.games.comal3()
    answer = pg.nash_zero_sum(game.P[0])
    np.testing.assert_allclose(answer.row, pg.nash(game).policy[0], atol=1e-14)
    np.testing.assert_allclose(answer.column, answer.row, atol=1e-14)
    assert answer.value == pytest.approx(0.5, abs=1e-15)


@pytest.mark.parametrize(
    ("A", "message"),
    [
        ([1, 2], r"A must have shape \[m, n\], got \(2,\)"),
        (np.zeros((0, 2)), r"got \(0, 2\)"),
        ([[1, np.inf]], r"A must be finite, got A\[0, 1\] = inf"),
    ],
)
def test_bad_input(A, message):
    with pytest.raises(ValueError, match=message):
        pg.nash_zero_sum(A)
