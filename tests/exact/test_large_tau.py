"""Any tau that is finite is solved: the equilibrium tends to the reference, to the last bit."""

import numpy as np
import pytest

import pgames as pg


def games(number, size, flat):
    for seed in range(number):
        random = np.random.default_rng(seed)
        Y = size or int(random.integers(2, 9))
        P = np.triu(random.random((Y, Y)), 1)
        P += np.tril(1 - P.T, -1)
        np.fill_diagonal(P, 0.5)
        yield pg.PreferenceGame(0.5 + flat * (P - 0.5), random.dirichlet(np.ones(Y)))


@pytest.mark.parametrize("tau", [1e7, 1e20, 1e30, 1e100, 1e300, 1.7e308])
@pytest.mark.parametrize(("number", "size", "flat"), [(40, None, 1.0), (10, None, 1e-12), (2, 140, 1.0)])
def test_random_games_at_a_huge_tau(tau, number, size, flat):
    for game in games(number, size, flat):
        found = pg.nash(game, tau)
        assert found.residual <= 1e-13
        np.testing.assert_allclose(found.policy, game.reference, rtol=2 / tau + 1e-13)


@pytest.mark.parametrize("tau", [1e30, 1e300])
def test_flat_games_with_a_tiny_reference_end(tau):
    """These looped for ever in compiled code: tau divided by the largest payoff overflowed."""
    for edge in (1e-12, 1e-13, 1e-15, 0.0):
        P = np.array(
            [[0.5, 0.5 + edge, 0.5 - edge], [0.5 - edge, 0.5, 0.5 + edge], [0.5 + edge, 0.5 - edge, 0.5]]
        )
        reference = np.array([1e-300, 0.5, 0.5])
        for size in (3, 140):
            table = np.full((size, size), 0.5)
            table[:3, :3] = P
            weights = np.zeros(size)
            weights[:3] = reference
            found = pg.nash(pg.PreferenceGame(table, weights), tau)
            np.testing.assert_allclose(found.policy[0, :3], reference, rtol=1e-12)


def test_the_solution_of_a_moderate_tau_is_as_before():
    game = pg.games.cyclic(3, p=0.9)
    for tau in (0.01, 0.1, 1.0, 1e3):
        assert pg.nash(game, tau).residual <= 1e-13 / min(tau, 1.0)


def test_any_tau_and_any_reference_end_in_an_equilibrium():
    """Eleven of these raised: a tau of 1e-34 to 1e-316, by which win rates cannot be divided."""
    for seed in range(300):
        random = np.random.default_rng(seed)
        Y = int(random.integers(2, 9))
        skew = random.normal(size=(Y, Y)) * 10.0 ** random.integers(-17, 1)
        reference = 10.0 ** -random.uniform(0, 300, Y)
        reference[random.integers(Y)] = 1.0
        game = pg.PreferenceGame(0.5 + np.clip((skew - skew.T) / 4, -0.5, 0.5), reference / reference.sum())
        for tau in (10.0 ** random.uniform(-320, 2), 10.0 ** random.uniform(-12, 308)):
            found = pg.nash(game, tau)
            assert found.policy.sum() == pytest.approx(1, abs=1e-12)
            assert found.exploitability <= 1e-9 or found.residual <= 1e-13
