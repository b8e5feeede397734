"""The regularised equilibrium: a fixed point for every reference and temperature, and the one cvxpy finds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgames as pg

TEMPERATURES = (30.0, 1.0, 0.1, 1e-2, 1e-3, 1e-4)


def softmax_residual(game, policy, tau):
    """||pi - softmax(log ref + P pi / tau)||_1 per prompt, straight from the formula."""
    errors = []
    for P, reference, pi in zip(game.P, game.reference, policy, strict=True):
        inside = reference > 0
        logits = np.log(reference[inside]) + (P[np.ix_(inside, inside)] - 0.5) @ pi[inside] / tau
        weights = np.exp(logits - logits.max())
        errors.append(np.abs(pi[inside] - weights / weights.sum()).sum())
    return max(errors)


def kinds(n, seed):
    """Preferences of several kinds and references of several skews, some with zeros."""
    rng = np.random.default_rng([n, seed])
    upper = [rng.normal(size=(n, n)), rng.integers(-1, 2, (n, n)), rng.normal(size=(n, n)) ** 5][seed % 3]
    A = np.triu(upper, 1) - np.triu(upper, 1).T
    reference = rng.dirichlet(np.full(n, [0.05, 1.0, 100.0][seed // 3 % 3]))
    if n > 2 and seed % 2:
        reference[rng.integers(n)] = 0
        reference /= reference.sum()
    return pg.PreferenceGame(0.5 + A / max(2 * np.abs(A).max(), 1e-9), reference)


@pytest.mark.parametrize("n", [1, 2, 3, 10, 30, 45, 100])
@pytest.mark.parametrize("tau", TEMPERATURES)
def test_fixed_point(n, tau):
    for seed in range(18 if n < 45 else 6):
        game = kinds(n, seed)
        answer = pg.nash(game, tau)
        residual = softmax_residual(game, answer.policy, tau)
        # log ref + P pi / tau is known to 1e-16 / tau: no policy in double precision does better
        assert residual <= 2e-15 + 1e-16 / tau
        assert answer.residual == pytest.approx(residual, abs=2e-15 + 1e-16 / tau)
        assert 0 <= answer.exploitability <= 1e-15
        assert (answer.policy[~game.support] == 0).all()
        assert answer.policy.sum() == pytest.approx(1, abs=1e-14)


@settings(max_examples=80, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(1, 12),
    log_tau=st.floats(-4, 2),
    log_scale=st.floats(-6, 0),
)
def test_fixed_point_of_random_games(seed, n, log_tau, log_scale):
    rng, tau = np.random.default_rng(seed), 10**log_tau
    A = np.triu(rng.uniform(-0.5, 0.5, (n, n)), 1) * 10**log_scale
    game = pg.PreferenceGame(0.5 + A - A.T, rng.dirichlet(np.full(n, 0.3)))
    policy = pg.nash(game, tau).policy
    assert softmax_residual(game, policy, tau) <= 2e-15 + 1e-16 / tau
    assert pg.exploitability(game, policy, tau) <= 1e-15


def test_agrees_with_cvxpy():
    for seed in range(6):
        game = kinds(7, seed)
        for tau in (1.0, 0.1, 1e-2):
            ours, theirs = (pg.nash(game, tau, method=m) for m in ("newton", "cvxpy"))
            np.testing.assert_allclose(ours.policy, theirs.policy, atol=2e-5)
            assert ours.exploitability <= theirs.exploitability <= 1e-8


def test_negative_control_a_fixed_point_of_another_temperature():
    """Nash-MD with a constant step stops at the equilibrium of another temperature: the certificate tells."""
    game = pg.games.comal3().with_reference([0.6, 0.3, 0.1])
    wrong = pg.nash(game, 0.1 / (1 - 0.5 * 0.1))
    assert wrong.exploitability < 1e-15
    assert pg.exploitability(game, wrong.policy, 0.1) > 1e-5


def test_high_temperature_is_the_reference_and_low_is_the_nash():
    game = pg.games.comal3().with_reference([0.6, 0.3, 0.1])
    np.testing.assert_allclose(pg.nash(game, 1e6).policy, game.reference, atol=1e-6)
    np.testing.assert_allclose(pg.nash(game, 1e-6).policy, pg.nash(game).policy, atol=1e-4)


def test_a_reference_next_to_nothing():
    """A reference of 1e-300 holds a good response down at tau = 0.1 and gives way as tau falls."""
    game = pg.PreferenceGame([[0.5, 0.0], [1.0, 0.5]], [1.0, 1e-300])
    assert pg.nash(game, 0.1).policy[0, 1] < 1e-290
    assert pg.nash(game, 1e-4).policy[0, 1] == pytest.approx(1)
    assert pg.nash(game).policy[0, 1] == 1
