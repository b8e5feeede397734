"""Independent oracles for the tests: plain NumPy, written from the formulas and not from the package."""

from __future__ import annotations

import numpy as np

from pgames import PreferenceGame, games, nash


def softmax(x):
    e = np.exp(x - x.max())
    return e / e.sum()


def with_random_reference(game: PreferenceGame) -> PreferenceGame:
    """The game with reference softmax(N(0, 1)) from default_rng(1), as in the recorded tables."""
    return game.with_reference(softmax(np.random.default_rng(1).standard_normal(game.responses)))


RECORDED_GAMES = {
    "RPS": with_random_reference(games.cyclic(3)),
    "COMAL3": with_random_reference(games.comal3()),
    "RPS331": with_random_reference(games.perturbed_rps()),
    "rand10": with_random_reference(games.uniform_random(10, 0)),
}


def duality_gap(game: PreferenceGame, policy, tau):
    """2 (tau log sum ref exp(P pi / tau) + tau KL(pi || ref)) - 1, float64[S, X], for tau float64[S]."""
    policy = np.broadcast_to(policy, (len(tau), game.prompts, game.responses))
    out = np.empty(policy.shape[:2])
    for s, x in np.ndindex(out.shape):
        inside = game.support[x]
        p, P, ref = policy[s, x, inside], game.P[x][np.ix_(inside, inside)], game.reference[x, inside]
        rates = P @ p
        if tau[s] == 0:
            out[s, x] = 2 * rates.max() - 1
        else:
            z = np.log(ref) + rates / tau[s]
            logsumexp = z.max() + np.log(np.exp(z - z.max()).sum())
            out[s, x] = 2 * tau[s] * (logsumexp + (p[p > 0] * np.log(p[p > 0] / ref[p > 0])).sum()) - 1
    return out


def kl(p, log_q):
    """KL(p || q) over the last axis, accurate also when p is near q; p may hold zeros."""
    inside = p > 0
    d = np.where(inside, log_q - np.log(np.where(inside, p, 1.0)), 0.0)
    return np.where(inside, p * (np.expm1(d) - d), np.exp(log_q)).sum(axis=-1)


def equilibrium(game: PreferenceGame, tau: float):
    """The regularised Nash float64[X, Y], its equation pi = softmax(log ref + P pi / tau) checked."""
    policy = nash(game, tau).policy
    for x in range(game.prompts):
        inside = game.support[x]
        p = policy[x, inside]
        answer = softmax(np.log(game.reference[x, inside]) + game.P[x][np.ix_(inside, inside)] @ p / tau)
        assert np.abs(answer - p).sum() < 1e-14 / tau + 1e-14
    return policy
