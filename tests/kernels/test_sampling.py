"""Random streams: uniform, and unrelated between runs, rounds, prompts, seeds and policies."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from pgames.games.preference import PreferenceGame
from pgames.kernels import streams
from pgames.kernels.elementary import njit
from pgames.table.arena import TableArena

ROW = np.log(np.array([0.2, 0.3, 0.5]))


@njit
def _uniforms(seed, run, t, x, row, count):
    key = streams.stream(seed, run, t, x, row)
    out = np.empty(count)
    for i in range(count):
        out[i] = streams.uniform(key, i)
    return out


def uniforms(seed=0, run=0, t=0, x=0, count=4000, row=ROW):
    return _uniforms(seed, run, t, x, row, count)


def correlation(one, other):
    """Correlation in standard errors."""
    return np.corrcoef(one, other)[0, 1] * np.sqrt(len(one))


def test_one_stream_is_uniform_and_serially_independent():
    u = uniforms(count=200_000)
    assert stats.kstest(u, "uniform").pvalue > 1e-3
    pairs = np.histogram2d(u[:-1:2], u[1::2], bins=16)[0]
    assert stats.chisquare(pairs.ravel()).pvalue > 1e-3


@pytest.mark.parametrize("axis", ["seed", "run", "t", "x"])
def test_first_numbers_of_neighbouring_streams_are_uniform(axis):
    """The weak spot of counters: number 0 of streams 0, 1, 2, ... must look random as well."""
    place = {"seed": 0, "run": 0, "t": 0, "x": 0, "count": 1}
    first = np.array([uniforms(**(place | {axis: i}))[0] for i in range(20_000)])
    assert stats.kstest(first, "uniform").pvalue > 1e-3
    assert abs(correlation(first[:-1], first[1:])) < 4


def test_streams_are_unrelated():
    base = uniforms()
    for other in (
        uniforms(seed=1),
        uniforms(run=1),
        uniforms(t=1),
        uniforms(x=1),
        uniforms(run=1, t=1),
        uniforms(row=np.log(np.array([0.2, 0.3, 0.5 + 1e-15]))),
    ):
        assert abs(correlation(base, other)) < 4
        assert len(np.intersect1d(base, other)) == 0
    swapped = uniforms(run=2, t=1), uniforms(run=1, t=2), uniforms(x=1, t=2)
    assert not np.intersect1d(swapped[0], swapped[1]).size
    assert not np.intersect1d(swapped[1], swapped[2]).size


def test_related_streams_would_be_seen():
    """Negative control: streams that share a counter, one step apart."""
    u = uniforms(count=4001)
    assert len(np.intersect1d(u[:-1], u[1:])) == 3999
    assert abs(correlation(u[:-1], 0.9 * u[:-1] + 0.1 * u[1:])) > 4


def cycle(runs, samples, seed=0):
    P = np.array([[0.5, 0.9, 0.2], [0.1, 0.5, 0.7], [0.8, 0.3, 0.5]])
    return TableArena(PreferenceGame(np.stack([P, P])), runs=runs, samples=samples, seed=seed)


def test_sampled_win_rates_have_the_mean_and_variance_of_duels():
    runs, samples = 4000, 5
    table = cycle(runs, samples)
    pi = table.policy([0.2, 0.3, 0.5])
    rates = streams.sampled_win_rates(table.game.skew, pi, samples, 0, 0, 0)
    mean = table.game.P[0] @ [0.2, 0.3, 0.5]
    error = np.sqrt(mean * (1 - mean) / samples / runs)
    assert (np.abs(rates.mean(axis=0) - mean) < 4.5 * error).all()
    np.testing.assert_allclose(rates.var(axis=0), np.tile(mean * (1 - mean) / samples, (2, 1)), rtol=0.12)
    np.testing.assert_allclose(rates * samples, np.round(rates * samples), atol=1e-12)


def test_runs_rounds_and_prompts_are_independent():
    table = cycle(3000, 1)
    pi = table.reference
    now, later = (streams.sampled_win_rates(table.game.skew, pi, 1, 0, 0, t) for t in (0, 1))
    for y in range(3):
        assert abs(correlation(now[:, 0, y], later[:, 0, y])) < 4  # rounds
        assert abs(correlation(now[:, 0, y], now[:, 1, y])) < 4  # prompts
        assert abs(correlation(now[:-1, 0, y], now[1:, 0, y])) < 4  # runs


def test_win_rate_and_duel_count_the_same_kind_of_duels():
    table = cycle(2000, 8)
    one, other = table.policy([0.2, 0.3, 0.5]), table.policy([0.6, 0.2, 0.2])
    exact = np.array([0.2, 0.3, 0.5]) @ table.game.P[0] @ [0.6, 0.2, 0.2]
    rate = table.win_rate(one, other)
    assert abs(rate.mean() - exact) < 4.5 * 0.5 / np.sqrt(2000 * 8 * 2)
    wins = table.duel(one, other).wins
    np.testing.assert_array_equal(wins.sum(axis=(2, 3)), 8)
    played = (wins + np.swapaxes(wins, 2, 3)).mean(axis=(0, 1)) / 8
    met = np.outer([0.2, 0.3, 0.5], [0.6, 0.2, 0.2])
    np.testing.assert_allclose(played, met + met.T, atol=0.02)


def test_a_response_without_mass_is_never_drawn_and_certain_duels_are_certain():
    P = np.array([[0.5, 1.0, 0.0], [0.0, 0.5, 1.0], [1.0, 0.0, 0.5]])
    game = PreferenceGame(P, reference=[0.5, 0.5, 0.0])
    table = TableArena(game, runs=200, samples=4)
    wins = table.duel(table.reference, table.reference).wins
    assert wins[..., 2].sum() == wins[..., 2, :].sum() == 0
    assert wins[..., 1, 0].sum() == 0 < wins[..., 0, 1].sum()


def test_the_first_run_moves_the_streams():
    table = cycle(10, 2)
    later = TableArena(table.game, runs=6, samples=2, first_run=4)
    whole = table.mirror_step(table.reference, table.reference, 1.0)
    np.testing.assert_array_equal(later.mirror_step(later.reference, later.reference, 1.0), whole[4:])
