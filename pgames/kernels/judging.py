"""The randomness of dueling bandits: verdicts on two named responses, and the learner's own streams.

Streams are a function of (seed, run, prompt, round); the judge's and the learner's are disjoint.
"""

from __future__ import annotations

import numpy as np

from pgames.kernels.elementary import njit
from pgames.kernels.streams import COIN, NAMED_ROUND, NAMED_RUN, VERDICT, mix64, uniform


@njit
def run_key(seed, run, x):
    """The key from which all streams of one run and prompt are derived."""
    return mix64(mix64(mix64(np.uint64(seed) + NAMED_RUN) ^ np.uint64(run)) ^ np.uint64(x))


@njit
def coin_key(key, t):
    """The key of a learner's own stream in round t; `key` is its `run_key`."""
    return mix64(key ^ (np.uint64(2 * t + COIN) * NAMED_ROUND))


@njit
def compare(skew, x, y, z, key, t):
    """1.0 if y beats z in round t, else 0.0: one bit of the true preference; `key` is a `run_key`."""
    stream = mix64(key ^ (np.uint64(2 * t + VERDICT) * NAMED_ROUND))
    return 1.0 if uniform(stream, y * skew.shape[1] + z) < 0.5 + skew[x, y, z] else 0.0


@njit
def coins(runs, prompts, seed, first_run, t):
    """uint64[S, X]: the `coin_key` of every run and prompt."""
    keys = np.empty((runs, prompts), dtype=np.uint64)
    for s in range(runs):
        for x in range(prompts):
            keys[s, x] = coin_key(run_key(seed, first_run + s, x), t)
    return keys


@njit
def comparisons(skew, first, second, seed, first_run, t):
    """float64[S, X]: `compare` of responses int64[S, X]."""
    S, X = first.shape
    won = np.empty((S, X))
    for s in range(S):
        for x in range(X):
            won[s, x] = compare(skew, x, first[s, x], second[s, x], run_key(seed, first_run + s, x), t)
    return won
