"""The regularised equilibrium of a zero-sum game: residuals, symmetric games, closed forms, bad input."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgames as pg
from tests.support.roles import gap, references, softmax, table


def residual(A, taus, logs, found):
    p = softmax(logs[0] + A @ found.column / taus[0])
    q = softmax(logs[1] - found.row @ A / taus[1])
    return max(np.abs(p - found.row).sum(), np.abs(q - found.column).sum())


@pytest.mark.parametrize(("tau", "allowed"), [(0.1, 1e-14), (0.01, 2e-14), (0.001, 2e-13)])
def test_the_residual_on_twenty_games(tau, allowed):
    uniform = (np.log(np.full(6, 1 / 6)), np.log(np.full(5, 1 / 5)))
    worst = 0.0
    for seed in range(20):
        found = pg.nash_zero_sum(table(seed), tau)
        worst = max(worst, residual(table(seed), (tau, tau), uniform, found))
        assert found.exploitability <= 1e-13
    assert worst <= allowed
    bad = found._replace(row=found.row[::-1])
    assert residual(table(19), (tau, tau), uniform, bad) > 0.1


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    m=st.integers(1, 8),
    n=st.integers(1, 8),
    log_taus=st.tuples(st.floats(-4, 2), st.floats(-4, 2)),
    scale=st.sampled_from([1e-6, 1.0, 1e9]),
    offset=st.floats(-3, 3),
)
def test_any_scale_and_a_tau_for_each_player(seed, m, n, log_taus, scale, offset):
    A, refs = table(seed, (m, n)), references(seed, (m, n))
    taus = (10 ** log_taus[0], 10 ** log_taus[1])
    found = pg.nash_zero_sum(scale * (A + offset), (scale * taus[0], scale * taus[1]), refs)
    logs = (np.log(refs[0]), np.log(refs[1]))
    assert residual(A, taus, logs, found) <= 1e-14 * (1 + 1 / min(taus)) * (1 + abs(offset))
    assert found.value / scale - offset == pytest.approx(found.row @ A @ found.column, abs=1e-12)
    for strategy in (found.row, found.column):
        assert strategy.min() >= 0 and strategy.sum() == pytest.approx(1, abs=1e-14)


def test_a_symmetric_game_is_solved_as_nash_does():
    game = pg.games.comal3()
    for tau in (0.3, 0.05):
        found = pg.nash_zero_sum(game.P[0], tau, (game.reference[0], game.reference[0]))
        np.testing.assert_allclose(found.row, pg.nash(game, tau).policy[0], atol=1e-14)
        np.testing.assert_allclose(found.column, found.row, atol=1e-14)


def test_a_reference_of_zero_takes_a_strategy_out_of_the_game():
    A, refs = table(3), (np.array([0.0, 0.5, 0.5, 0.0, 0.0, 0.0]), np.array([0.0, 0.2, 0.3, 0.5, 0.0]))
    inside = A[1:3, 1:4]
    for tau in (0.0, 0.05):
        found = pg.nash_zero_sum(A, tau, refs)
        inner = pg.nash_zero_sum(inside, tau, (refs[0][1:3], refs[1][1:4]))
        np.testing.assert_array_equal(found.row, [0, *inner.row, 0, 0, 0])
        np.testing.assert_array_equal(found.column, [0, *inner.column, 0])
        assert found.value == inner.value


def test_tau_to_zero_is_the_unregularised_game():
    A = table(0)
    exact, near = pg.nash_zero_sum(A), pg.nash_zero_sum(A, 1e-7)
    np.testing.assert_allclose(near.row, exact.row, atol=1e-5)
    assert gap(A, near.row, near.column) < 1e-5
    assert near.value == pytest.approx(exact.value, abs=1e-6)


def test_large_and_small_games_and_a_tau_of_any_size():
    A = table(1, (150, 220))
    found = pg.nash_zero_sum(A, (0.01, 0.03))
    uniform = (np.full(150, -np.log(150)), np.full(220, -np.log(220)))
    assert residual(A, (0.01, 0.03), uniform, found) < 5e-14
    np.testing.assert_allclose(pg.nash_zero_sum(A, 1e40).row, 1 / 150, atol=1e-16)
    np.testing.assert_allclose(pg.nash_zero_sum(np.full((2, 3), 7.0), 1e-9).column, 1 / 3, atol=1e-15)
    assert pg.nash_zero_sum([[0.3]], 0.1)[:2] == (1.0, 1.0)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"tau": -1.0}, "tau must be one number or one for each player, finite and at least 0, got -1.0"),
        ({"tau": np.nan}, "tau must be .* got nan"),
        ({"tau": (0.1, 0.2, 0.3)}, "tau must be one number or one for each player"),
        ({"tau": (0.0, 0.2)}, "tau must be 0 for both players or above 0 for both"),
        ({"references": ([0.5, 0.5],)}, "references must be two"),
        ({"references": ([0.5, 0.5], [1.0])}, r"the reference of the column player must have shape \[3\]"),
        (
            {"tau": 0.1, "references": ([0.5, 0.6], [1, 0, 0])},
            "reference of the row player must sum to 1",
        ),
    ],
)
def test_bad_input(arguments, message):
    with pytest.raises(ValueError, match=message):
        pg.nash_zero_sum(np.zeros((2, 3)), **arguments)
