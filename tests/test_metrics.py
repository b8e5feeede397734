"""Metrics against their definitions, on two prompts of different size."""

import numpy as np
import pytest

import pgames as pg
from pgames import metrics


@pytest.fixture
def measured():
    """An arena of two runs and two prompts, its policy and the probabilities."""
    game = pg.games.stack([pg.games.comal3(), pg.games.duel(0.8)])
    game = pg.PreferenceGame(game.P, game.reference, [0.25, 0.75])
    arena = pg.TableArena(game, runs=2)
    p = np.array([[[0.5, 0.5, 0.0], [0.25, 0.75, 0.0]], [[0.2, 0.3, 0.5], [1.0, 0.0, 0.0]]])
    return arena, arena.policy(p), p


def by_hand(arena, p, each):
    weights = arena.game.prompt_weights
    return [sum(w * each(x, row) for x, (w, row) in enumerate(zip(weights, run, strict=True))) for run in p]


def test_entropy_support_and_kl(measured):
    arena, policy, p = measured
    reference = arena.game.reference

    def entropy(x, row):
        return -sum(v * np.log(v) for v in row if v > 0)

    def kl(x, row):
        return sum(v * np.log(v / r) for v, r in zip(row, reference[x], strict=True) if v > 0)

    for metric, each in (
        (metrics.Entropy(), entropy),
        (metrics.Support(), lambda x, row: sum(row > 0)),
        (metrics.Support(threshold=0.4), lambda x, row: sum(row > 0.4)),
        (metrics.KLToReference(), kl),
    ):
        np.testing.assert_allclose(metric(arena, policy), by_hand(arena, p, each), rtol=1e-12)


@pytest.mark.parametrize("tau", [0.0, 0.1])
def test_duality_gap_is_what_both_players_gain(measured, tau):
    arena, policy, _ = measured
    gap = metrics.DualityGap(tau)(arena, policy)
    np.testing.assert_allclose(gap, 2 * metrics.Exploitability(tau)(arena, policy))
    assert (gap > 0).all()


def test_a_table_of_win_rates(measured):
    arena, policy, p = measured
    policies = [arena.reference, policy, arena.mirror_step(arena.reference, policy, 1.0)]
    table = metrics.win_rate_matrix(arena, policies)
    assert table.shape == (2, 3, 3)
    np.testing.assert_allclose(table + np.swapaxes(table, 1, 2), 1, atol=1e-12)
    expected = by_hand(arena, p, lambda x, row: arena.game.reference[x] @ arena.game.P[x] @ row)
    np.testing.assert_allclose(table[:, 0, 1], expected, rtol=1e-12)


def test_a_run_records_any_of_them_under_its_name(measured):
    arena, _, _ = measured
    wanted = [metrics.Entropy(), metrics.Support(), metrics.KLToReference(), metrics.DualityGap(0.1)]
    result = pg.run(pg.EGPO(0.1, 0.5), arena, 50, record=wanted)
    assert list(result.values) == [metric.name for metric in wanted]
    assert all(value.shape == (2, len(result.rounds)) for value in result.values.values())
