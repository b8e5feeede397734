"""The certificate is right whatever the policy: closed forms against search, and what it refuses."""

import cvxpy as cp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgames as pg
from pgames.numerics import kl


def random_game(seed, prompts=2, responses=4, masked=True):
    rng = np.random.default_rng(seed)
    A = rng.uniform(-0.5, 0.5, (prompts, responses, responses))
    reference = rng.dirichlet(np.ones(responses), prompts)
    if masked and responses > 2:
        reference[0, rng.integers(responses)] = 0
        reference /= reference.sum(axis=1, keepdims=True)
    return pg.PreferenceGame(0.5 + (A - A.swapaxes(1, 2)) / 2, reference, rng.dirichlet(np.ones(prompts)))


def random_policy(game, rng, runs=None):
    shape = (game.prompts, game.responses) if runs is None else (runs, game.prompts, game.responses)
    weights = rng.exponential(size=shape) ** 3 * game.support
    return weights / weights.sum(axis=-1, keepdims=True)


def regularised_value(game, x, p, q, tau):
    """J_tau(p, q) of prompt x, straight from its definition."""
    inside = game.support[x]
    reference = game.reference[x, inside]

    def kl(r):
        r = r[inside]
        return sum(a * np.log(a / b) for a, b in zip(r, reference, strict=True) if a > 0)

    return p @ game.P[x] @ q - tau * kl(p) + tau * kl(q)


@settings(max_examples=60, deadline=None)
@given(seed=st.integers(0, 10**6), tau=st.sampled_from([0.0, 1e-3, 0.1, 1.0, 20.0]))
def test_no_policy_does_better_than_the_best_response(seed, tau):
    game, rng = random_game(seed), np.random.default_rng(seed)
    policy = random_policy(game, rng)
    best = pg.best_response(game, policy, tau)
    np.testing.assert_allclose(best.sum(axis=-1), 1, atol=1e-14)
    assert (best[~game.support] == 0).all()
    certificate = pg.exploitability(game, policy, tau)

    def gain(p):
        values = [regularised_value(game, x, p[x], policy[x], tau) - 0.5 for x in range(game.prompts)]
        return game.prompt_weights @ values

    assert gain(best) == pytest.approx(certificate, abs=1e-13)
    for _ in range(20):
        assert gain(random_policy(game, rng)) <= certificate + 1e-13
    assert certificate >= 0
    assert pg.duality_gap(game, policy, tau) == 2 * certificate


def test_the_best_response_against_a_numeric_optimiser():
    game = random_game(3, prompts=1, responses=5, masked=False)
    policy = random_policy(game, np.random.default_rng(0))[0]
    for tau in (0.05, 0.5):
        p = cp.Variable(5, nonneg=True)
        value = p @ (game.P[0] @ policy) - tau * cp.sum(cp.rel_entr(p, game.reference[0]))
        cp.Problem(cp.Maximize(value), [cp.sum(p) == 1]).solve(solver="CLARABEL")
        np.testing.assert_allclose(pg.best_response(game, policy, tau)[0], p.value, atol=1e-4)
        kl = np.sum(policy * np.log(policy / game.reference[0]))
        assert pg.exploitability(game, policy, tau) == pytest.approx(value.value + tau * kl - 0.5, abs=1e-8)


def test_zero_only_at_the_equilibrium():
    game = random_game(7)
    for tau in (0.0, 0.1):
        equilibrium = pg.nash(game, tau)
        assert pg.exploitability(game, equilibrium.policy, tau) <= 1e-15
        policies = random_policy(game, np.random.default_rng(0), runs=50)
        assert pg.exploitability(game, policies, tau).min() > 1e-4


def test_small_gaps_keep_their_digits():
    """Off the equilibrium by e the gap is of order tau e^2: seen down to 1e-22, not lost in rounding."""
    game = pg.PreferenceGame([[0.5, 0.8], [0.2, 0.5]])
    x = pg.nash(game, 0.1).policy[0]
    gaps = [pg.exploitability(game, x + e * np.array([1, -1]), 0.1) for e in (1e-3, 1e-6, 1e-9, 1e-11)]
    curvature = gaps[0] / 1e-6
    np.testing.assert_allclose(gaps, curvature * np.array([1e-6, 1e-12, 1e-18, 1e-22]), rtol=0.02)


def test_shapes_and_runs():
    game = random_game(1, prompts=3)
    policies = random_policy(game, np.random.default_rng(2), runs=4)
    for tau in (0.0, 0.2):
        together = pg.exploitability(game, policies, tau)
        assert together.shape == (4,)
        np.testing.assert_allclose(together, [pg.exploitability(game, p, tau) for p in policies], atol=1e-16)
        assert pg.best_response(game, policies, tau).shape == policies.shape
    one = random_game(1, prompts=1)
    single = random_policy(one, np.random.default_rng(2), runs=4)
    assert isinstance(pg.exploitability(one, single[0, 0]), float)
    np.testing.assert_allclose(
        pg.exploitability(one, single), [pg.exploitability(one, p[0]) for p in single], atol=1e-16
    )


def test_masked_responses_are_not_available():
    """Response 1 beats response 0 surely, but it is outside the game."""
    P = np.array([[0.5, 0, 0.6], [1, 0.5, 0.5], [0.4, 0.5, 0.5]])
    game = pg.PreferenceGame(P, reference=[0.5, 0, 0.5])
    for tau in (0.0, 0.1):
        assert pg.best_response(game, [1, 0, 0], tau)[0, 1] == 0
        assert pg.nash(game, tau).policy[0, 1] == 0
    assert pg.exploitability(game, [1, 0, 0]) == 0
    assert pg.exploitability(pg.PreferenceGame(P), [1, 0, 0]) == 0.5
    with pytest.raises(ValueError, match=r"mass 0.25 at \[0, 1\], which is outside the game"):
        pg.exploitability(game, [0.5, 0.25, 0.25])


def test_ties_of_the_best_response_follow_the_reference():
    game = pg.PreferenceGame(np.full((3, 3), 0.5), reference=[0.2, 0.3, 0.5])
    np.testing.assert_allclose(pg.best_response(game, [1, 0, 0]), [[0.2, 0.3, 0.5]])


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ([0.5, 0.5], r"policy must have shape \[1, 3\]"),
        ([0.5, 0.6, 0.2], "policy must sum to 1, got 1.3"),
        ([1.5, -0.5, 0], r"got -0.5 at \[0, 1\]"),
        ([np.nan, 0.5, 0.5], "got nan"),
        (np.log([0.2, 0.3, 0.5]), "np.exp"),
    ],
)
def test_what_is_not_a_policy(policy, message):
    with pytest.raises(ValueError, match=message):
        pg.exploitability(pg.games.rock_paper_scissors(), policy)


@pytest.mark.parametrize("tau", [-0.1, np.nan, np.inf])
def test_what_is_not_a_temperature(tau):
    game = pg.games.rock_paper_scissors()
    for call in (
        pg.nash,
        lambda g, t: pg.exploitability(g, [1, 0, 0], t),
        lambda g, t: pg.best_response(g, [1, 0, 0], t),
    ):
        with pytest.raises(ValueError, match="tau must be finite and at least 0"):
            call(game, tau)


def test_what_is_not_a_game():
    for call in (pg.nash, lambda P: pg.exploitability(P, [0.5, 0.5])):
        with pytest.raises(TypeError, match="pass PreferenceGame"):
            call({"a": [0.5, 0.6]})


def test_kl_is_never_below_zero():
    p = np.random.default_rng(0).dirichlet(np.ones(7), size=1000)
    assert (kl(p, p * (1 + 1e-15)) >= 0).all() and (kl(p, np.roll(p, 1, axis=0)) > 0).all()
    assert kl(np.array([0.5, 0.5]), np.array([1.0, 0.0])) == np.inf
