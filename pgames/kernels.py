"""The arithmetic of the verbs on log-probabilities float64[S, X, Y]: serial compiled loops.

A run is never mixed with another, and no result depends on how many runs are computed together: the first
20 of 40 runs are bit-identical to 20 runs. -inf marks a response outside the game, which stays outside.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np


def njit(function: Callable[..., Any]) -> Callable[..., Any]:
    """numba.njit, nogil and cached on disk, or uncached where no cache folder is writable."""
    try:
        return numba.njit(nogil=True, cache=True)(function)
    except RuntimeError:  # "cannot cache function: no locator available"
        return numba.njit(nogil=True)(function)


@njit
def normalise_row(row):
    """Subtract the logsumexp of a row, in place."""
    top = -np.inf
    for y in range(row.size):
        top = max(top, row[y])
    total = 0.0
    for y in range(row.size):
        total += math.exp(row[y] - top)
    shift = top + math.log(total)
    for y in range(row.size):
        row[y] -= shift


@njit
def normalise(logs):
    """log-probabilities float64[S, X, Y] of unnormalised ones."""
    out = logs.copy()
    for s in range(out.shape[0]):
        for x in range(out.shape[1]):
            normalise_row(out[s, x])
    return out


@njit
def win_rates(skew, opponent):
    """P(y > opponent), float64[S, X, Y], for log-probabilities `opponent` float64[S, X, Y]."""
    S, X, Y = opponent.shape
    out = np.empty((S, X, Y))
    q = np.empty(Y)
    for s in range(S):
        for x in range(X):
            for z in range(Y):
                q[z] = math.exp(opponent[s, x, z])
            for y in range(Y):
                total = 0.5
                for z in range(Y):
                    total += skew[x, y, z] * q[z]
                out[s, x, y] = total
    return out


@njit
def tilt(prior, score, step):
    """prior * exp(step * score), normalised; `step` float64[S]."""
    S, X, Y = prior.shape
    out = np.empty((S, X, Y))
    for s in range(S):
        for x in range(X):
            for y in range(Y):
                out[s, x, y] = prior[s, x, y] + step[s] * score[s, x, y]
            normalise_row(out[s, x])
    return out


@njit
def mirror_step(skew, prior, opponent, step):
    """prior * exp(step * win rate against opponent), normalised; `step` float64[S]."""
    return tilt(prior, win_rates(skew, opponent), step)


@njit
def geometric_mixture(weights, logs):
    """prod_k exp(logs[k]) ** weights[k], normalised; `weights` float64[K, S], `logs` a tuple of float64[S, X, Y]."""
    S, X, Y = logs[0].shape
    out = np.zeros((S, X, Y))
    for s in range(S):
        for x in range(X):
            for k in range(len(logs)):
                if weights[k, s] == 0.0:
                    continue
                for y in range(Y):
                    if logs[k][s, x, y] == -np.inf:
                        out[s, x, y] = -np.inf
                    else:
                        out[s, x, y] += weights[k, s] * logs[k][s, x, y]
            normalise_row(out[s, x])
    return out


@njit
def mixture(weights, logs):
    """log of sum_k weights[k] * exp(logs[k]); shapes as in `geometric_mixture`."""
    S, X, Y = logs[0].shape
    out = np.empty((S, X, Y))
    for s in range(S):
        for x in range(X):
            for y in range(Y):
                total = 0.0
                for k in range(len(logs)):
                    total += weights[k, s] * math.exp(logs[k][s, x, y])
                out[s, x, y] = math.log(total) if total > 0.0 else -np.inf
    return out


@njit
def mix64(z):
    """The finaliser of splitmix64: one well-mixed 64-bit word from another."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return z ^ (z >> np.uint64(31))


@njit
def uniform(key, index):
    """Number `index` of the stream `key`, uniform in [0, 1)."""
    word = mix64(key + (np.uint64(index) + np.uint64(1)) * np.uint64(0x9E3779B97F4A7C15))
    return (word >> np.uint64(11)) * (1.0 / 9007199254740992.0)


@njit
def stream(seed, run, t, x, row):
    """The key of the stream of one run, round and prompt, and of the policy `row` that is asked about.

    Mixing in the policy gives two questions of one round independent answers without a hidden counter.
    """
    bits = row.view(np.uint64)
    key = mix64(np.uint64(seed) + np.uint64(0x9E3779B97F4A7C15))
    key = mix64(key ^ mix64(np.uint64(run) + np.uint64(0xD1B54A32D192ED03)))
    key = mix64(key ^ mix64(np.uint64(t) + np.uint64(0x8CB92BA72F3D8DD7)))
    key = mix64(key ^ mix64(np.uint64(x) + np.uint64(0xABC98388FB8FAC03)))
    for y in range(bits.size):
        key = mix64(key ^ bits[y])
    return key


@njit
def draw(cumulative, u):
    """The first index whose cumulative probability exceeds u times the total."""
    return min(np.searchsorted(cumulative, u * cumulative[-1], side="right"), cumulative.size - 1)


@njit
def sampled_win_rates(skew, opponent, samples, seed, first_run, t):
    """Like `win_rates`, each the mean of Bernoulli duels with the same `samples` draws of the opponent."""
    S, X, Y = opponent.shape
    out = np.zeros((S, X, Y))
    for s in range(S):
        for x in range(X):
            key = stream(seed, first_run + s, t, x, opponent[s, x])
            cumulative = np.cumsum(np.exp(opponent[s, x]))
            index = 0
            for _ in range(samples):
                z = draw(cumulative, uniform(key, index))
                index += 1
                for y in range(Y):
                    if uniform(key, index) < 0.5 + skew[x, y, z]:
                        out[s, x, y] += 1.0 / samples
                    index += 1
    return out


@njit
def duel_stream(seed, run, t, x, first, second):
    """The key of the duels between two policies."""
    return stream(seed, run, t, x, first) ^ mix64(stream(seed, run, t, x, second))


@njit
def sampled_win_rate(skew, first, second, samples, seed, first_run, t):
    """Share of `samples` duels that a draw of `first` wins against one of `second`, float64[S, X]."""
    S, X, _ = first.shape
    out = np.zeros((S, X))
    for s in range(S):
        for x in range(X):
            key = duel_stream(seed, first_run + s, t, x, first[s, x], second[s, x])
            ours, theirs = np.cumsum(np.exp(first[s, x])), np.cumsum(np.exp(second[s, x]))
            for i in range(samples):
                y = draw(ours, uniform(key, 3 * i))
                z = draw(theirs, uniform(key, 3 * i + 1))
                if uniform(key, 3 * i + 2) < 0.5 + skew[x, y, z]:
                    out[s, x] += 1.0 / samples
    return out


@njit
def sampled_duels(skew, first, second, samples, seed, first_run, t):
    """Wins float64[S, X, Y, Y] of `samples` duels per run and prompt between a draw of each policy."""
    S, X, Y = first.shape
    wins = np.zeros((S, X, Y, Y))
    for s in range(S):
        for x in range(X):
            key = duel_stream(seed, first_run + s, t, x, first[s, x], second[s, x])
            ours, theirs = np.cumsum(np.exp(first[s, x])), np.cumsum(np.exp(second[s, x]))
            for i in range(samples):
                y = draw(ours, uniform(key, 3 * i))
                z = draw(theirs, uniform(key, 3 * i + 1))
                if uniform(key, 3 * i + 2) < 0.5 + skew[x, y, z]:
                    wins[s, x, y, z] += 1.0
                else:
                    wins[s, x, z, y] += 1.0
    return wins
