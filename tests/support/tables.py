"""Random tables for hypothesis, and a slow reference of the verbs in plain Python."""

import math

import numpy as np
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pgames as pg

quick = settings(max_examples=40, deadline=None, derandomize=True)
STEPS = st.floats(-20, 20)
WEIGHTS = st.floats(-2, 2)


PROMPTS, RESPONSES = st.integers(1, 2), st.integers(1, 5)


@st.composite
def preference_games(draw, prompts=PROMPTS, responses=RESPONSES):
    """Any table, 0 and 1 included, with references that may leave responses out."""
    X, Y = draw(prompts), draw(responses)
    above = draw(arrays(np.float64, (X, Y, Y), elements=st.floats(0, 1)))
    upper = np.triu(np.ones((Y, Y)), 1)
    P = above * upper + (1 - np.swapaxes(above, 1, 2)) * upper.T + 0.5 * np.eye(Y)
    return pg.PreferenceGame(P, _distributions(draw, (X, Y)))


def _distributions(draw, shape, support=None):
    weights = draw(arrays(np.float64, shape, elements=st.floats(1e-3, 1)))
    inside = draw(arrays(np.bool_, shape)) if support is None else np.broadcast_to(support, shape)
    inside = inside | ~inside.any(axis=-1, keepdims=True)
    weights = np.where(inside, weights, 0.0)
    return weights / weights.sum(axis=-1, keepdims=True)


@st.composite
def tables(draw, runs=2, policies=3, **sizes):
    """(arena, policies as handles, the same as probabilities float64[S, X, Y])."""
    game = draw(preference_games(**sizes))
    shape = (runs, game.prompts, game.responses)
    probs = [_distributions(draw, shape, game.support) for _ in range(policies)]
    arena = pg.TableArena(game, runs=runs)
    return arena, [arena.policy(p) for p in probs], probs


# -- the slow reference: one run and one prompt at a time, sums by fsum ----------------------------------


def each(function, *tables):
    """float64[S, X, Y] from a function of rows."""
    S, X, _ = tables[0].shape
    return np.array([[function(s, x, *(t[s, x] for t in tables)) for x in range(X)] for s in range(S)])


def normalised(logs):
    top = max(logs)
    total = math.fsum(math.exp(v - top) for v in logs)
    return [math.exp(v - top) / total for v in logs]


def log(p):
    return math.log(p) if p > 0 else -math.inf


def slow_geometric(weights, *policies):
    def row(s, x, *rows):
        inside = [p > 0 for p in rows[0]]
        terms = [
            [w * log(p) if keep else -math.inf for p, keep in zip(row, inside, strict=True)]
            for w, row in zip(weights, rows, strict=True)
        ]
        return normalised(
            [math.fsum(column) if keep else -math.inf for *column, keep in zip(*terms, inside, strict=True)]
        )

    return each(row, *policies)


def slow_mixture(weights, *policies):
    return each(
        lambda s, x, *rows: [
            math.fsum(w * p for w, p in zip(weights, ps, strict=True)) for ps in zip(*rows, strict=True)
        ],
        *policies,
    )


def slow_rates(game, x, opponent):
    return [math.fsum(P * q for P, q in zip(row, opponent, strict=True)) for row in game.P[x]]


def slow_mirror_step(game, step, prior, opponent):
    def row(s, x, prior, opponent):
        rates = slow_rates(game, x, opponent)
        return normalised([log(p) + step * r for p, r in zip(prior, rates, strict=True)])

    return each(row, prior, opponent)


def slow_win_rate(game, first, second):
    def row(s, x, first, second):
        return [math.fsum(p * r for p, r in zip(first, slow_rates(game, x, second), strict=True))]

    return each(row, first, second)[..., 0] @ game.prompt_weights


def slow_duel(game, first, second):
    """Expected wins of y over z in one duel of a draw of `first` with a draw of `second`."""
    S, X, Y = first.shape
    wins = np.zeros((S, X, Y, Y))
    for s, x, y, z in np.ndindex(wins.shape):
        met = first[s, x, y] * second[s, x, z]
        wins[s, x, y, z] += met * game.P[x, y, z]
        wins[s, x, z, y] += met * game.P[x, z, y]
    return wins


def close(found, expected, tolerance=1e-11):
    np.testing.assert_allclose(found, expected, rtol=0, atol=tolerance)
