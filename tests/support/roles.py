"""Oracles for games of two roles: the product game, closed forms in NumPy, and the kit on pairs."""

import numpy as np

import pgames as pg
from pgames.testing import Known, known_games

SIZE = (6, 5)


def table(seed, size=SIZE):
    return np.random.default_rng(seed).random(size)


def references(seed, size=SIZE):
    rng = np.random.default_rng(1000 + seed)
    return rng.dirichlet(np.full(size[0], 2.0)), rng.dirichlet(np.full(size[1], 2.0))


def softmax(logs):
    weights = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def gap(A, p, q):
    """max_i (Aq)_i - min_j (p'A)_j."""
    return (A @ q).max() - (p @ A).min()


def product_game(A, p0, q0):
    """The symmetric game in which a response is an attack with a defence: pairs meet twice."""
    m, n = A.shape
    i, j = (part.ravel() for part in np.indices((m, n)))
    P = 0.5 + (A[i[:, None], j[None, :]] - A[i[None, :], j[:, None]]) / 2
    return pg.PreferenceGame(P, np.outer(p0, q0).ravel())


def marginals(policy, size):
    """The attacker's and the defender's part of probabilities of pairs float64[m n]."""
    joint = policy.reshape(size)
    return joint.sum(axis=1), joint.sum(axis=0)


def closed_form(R, tau):
    """The pair of the prompt game with uniform references: attacker float64[X], defender float64[X, Y]."""
    q = softmax(-R / tau)
    return softmax((q * R).sum(axis=1) / tau), q


def role_maker(game, *, runs=1, seed=0, samples=None, first_run=0):
    """The arena of roles of a PreferenceGame, whose prompts are the attacker and the defender.

    Both prompts have the same P, which is the table of success rates; with one prompt both roles have its
    reference.
    """
    roles = pg.MatrixRoles(game.P[0], game.reference[0], game.reference[-1])
    return pg.RoleArena(roles, runs, seed, samples, first_run=first_run)


def role_games(tau):
    """Games for `role_maker` with unequal roles, whose regularised equilibrium is known for any tau."""
    made = []
    for known in known_games(tau):
        if known.game.prompts > 1:
            continue
        P, p = known.game.P[0], known.equilibrium[0]
        q = 0.8 * p[::-1] + 0.2 / len(p)
        start = [p * np.exp(-P @ q / tau), q * np.exp(p @ P / tau)]
        game = pg.PreferenceGame(np.stack([P, P]), [one / one.sum() for one in start])
        made.append(Known(known.name, game, np.stack([p, q])))
    return made
