"""Compiled loops of beliefs on a table: estimated preferences with widths, and their Nash by Newton.

Y is the number of responses, S runs, X prompts.
"""

from __future__ import annotations

import math

import numpy as np

from pgames.exact.small import find_inside, scratch, solve_warm
from pgames.kernels.elementary import njit


@njit
def belief_nash(rates, log_reference, tau, start):
    """The regularised Nash of every run's belief: log-probabilities float64[S, X, Y], by Newton from `start`.

    rates float64[S, X, Y, Y] with rates + rates' = 1, log_reference float64[X, Y], start float64[S, X, Y]
    finite inside the game, tau > 0.
    """
    S, X, Y = start.shape
    out = np.full((S, X, Y), -np.inf)
    A, index, played = np.empty((Y, Y)), np.empty(Y, np.int64), np.empty(Y, np.bool_)
    base, p, log_p = np.empty(Y), np.empty(Y), np.empty(Y)
    work, matrix, pivots = scratch(Y)
    for x in range(X):
        n = find_inside(log_reference[x], index)
        for i in range(n):
            base[i] = log_reference[x, index[i]]
        for s in range(S):
            for i in range(n):
                log_p[i] = start[s, x, index[i]]
                for j in range(n):
                    A[i, j] = 0.5 * (rates[s, x, index[i], index[j]] - rates[s, x, index[j], index[i]])
            solve_warm(A, n, tau, base, p, log_p, played, work, matrix, pivots)
            for i in range(n):
                out[s, x, index[i]] = log_p[i]
    return out


@njit
def belief_rates(wins, optimism, confidence, bernstein):
    """Estimates float64[S, X, Y, Y]: share of wins, 1/2 where never compared, 1/2 on the diagonal.

    `optimism` adds that many widths of `Belief` off the diagonal, subtracts them where it is negative, and
    clips to [0, 1].
    """
    S, X, Y, _ = wins.shape
    out = np.full((S, X, Y, Y), 0.5)
    for s in range(S):
        for x in range(X):
            for y in range(Y):
                for z in range(Y):
                    if y == z:
                        continue
                    n = wins[s, x, y, z] + wins[s, x, z, y]
                    p = wins[s, x, y, z] / n if n > 0.0 else 0.5
                    if optimism != 0.0:
                        width = 1.0
                        if n > 0.0 and bernstein:
                            width = math.sqrt(2.0 * p * (1.0 - p) * confidence / n) + 3.0 * confidence / n
                        elif n > 0.0:
                            width = math.sqrt(confidence / (2.0 * n))
                        p = min(1.0, max(0.0, p + max(-1.0, min(1.0, optimism * width))))
                    out[s, x, y, z] = p
    return out


@njit
def expected_rates(rates, opponent):
    """P(y > opponent) float64[S, X, Y] under each run's own table float64[S, X, Y, Y]."""
    S, X, Y = opponent.shape
    out = np.zeros((S, X, Y))
    for s in range(S):
        for x in range(X):
            for y in range(Y):
                for z in range(Y):
                    out[s, x, y] += rates[s, x, y, z] * math.exp(opponent[s, x, z])
    return out
