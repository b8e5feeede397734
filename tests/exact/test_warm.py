"""A regularised equilibrium is the same from a cold start, from nearby and from far off."""

import numpy as np
import pytest

import pgames as pg
from pgames.exact.newton import FOUND, STALLED
from pgames.exact.small import CLOSE, scratch
from pgames.exact.small_newton import newton
from pgames.table.belief_kernels import belief_nash


def random_game(rng, n):
    return pg.PreferenceGame(rng.random((n, n)), rng.dirichlet(np.full(n, 0.5)), symmetrise=True)


@pytest.mark.parametrize("n", [1, 2, 3, 8, 40, 140])
@pytest.mark.parametrize("tau", [1.0, 0.05, 0.005])
def test_every_start_leads_to_the_same_equilibrium(n, tau):
    rng = np.random.default_rng(n)
    game = random_game(rng, n)
    exact = pg.nash(game, tau).policy
    near = exact * np.exp(0.1 * rng.standard_normal(exact.shape)) + 1e-300
    far = np.exp(10 * rng.standard_normal(exact.shape))
    starts = np.log(np.stack([game.reference, near, far]))
    found = belief_nash(np.repeat(game.P[None], 3, 0), np.log(game.reference), tau, starts)
    np.testing.assert_allclose(np.exp(found), np.repeat(exact[None], 3, 0), atol=1e-10)
    for policy in np.exp(found):
        assert pg.exploitability(game, policy, tau) < 1e-13


def test_the_path_is_followed_where_newtons_method_fails_from_the_start():
    tau, failed = 0.005, 0
    work, matrix, pivots = scratch(8)
    for seed in range(20):
        game = random_game(np.random.default_rng(seed), 8)
        base = np.log(game.reference)
        start = base[0].copy()
        alone, _ = newton(game.skew[0], 8, tau, base[0], start, CLOSE, STALLED, work, matrix, pivots)
        failed += not alone < FOUND
        found = belief_nash(game.P[None], base, tau, base[None])
        np.testing.assert_allclose(np.exp(found[0]), pg.nash(game, tau).policy, atol=1e-10)
    assert failed > 10


def test_logarithms_are_right_where_a_response_is_next_to_nothing():
    rng = np.random.default_rng(5)
    game, tau = random_game(rng, 5), 0.002
    log_reference = np.log(game.reference)
    start = np.log(rng.dirichlet(np.ones(5)))[None, None]
    found = belief_nash(game.P[None], log_reference, tau, start)[0, 0]
    expected = log_reference[0] + game.skew[0] @ np.exp(found) / tau
    expected -= np.logaddexp.reduce(expected)
    assert expected.min() < -100
    np.testing.assert_allclose(found, expected, atol=1e-9)
