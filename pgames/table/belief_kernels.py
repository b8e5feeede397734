"""Compiled loops of beliefs on a table: estimated preferences with their widths, and their Nash by Newton.

Y is the number of responses, S runs, X prompts.
"""

from __future__ import annotations

import math

import numpy as np

from pgames.kernels.elementary import njit
from pgames.table.fit_kernels import normalise_row


@njit
def centred_residual(u, log_reference, rates, scale):
    """(F, p): p = softmax(u) and F = u - log_reference - scale * rates p, centred by its p-mean."""
    p = np.exp(u - u.max())
    p /= p.sum()
    F = u - log_reference - scale * (rates @ p)
    return F - p @ F, p


@njit
def newton_nash(u, log_reference, rates, scale, tolerance):
    """(u, error) with u ~ log_reference + scale * rates softmax(u): damped Newton steps from u."""
    n = u.size
    F, p = centred_residual(u, log_reference, rates, scale)
    error = np.abs(F).max()
    for _ in range(60):
        if error <= tolerance:
            break
        jacobian = np.empty((n, n))
        played = rates @ p
        for i in range(n):
            for j in range(n):
                jacobian[i, j] = -scale * p[j] * (rates[i, j] - played[i])
            jacobian[i, i] += 1.0
        # every column of F's derivative is centred by p; solving without that shifts u by a constant
        move = np.linalg.solve(jacobian, F)
        damping, improved = 1.0, False
        while damping > 1e-4:
            trial = u - damping * move
            trial_F, trial_p = centred_residual(trial, log_reference, rates, scale)
            trial_error = np.abs(trial_F).max()
            if trial_error < (1.0 - 0.25 * damping) * error or trial_error <= tolerance:
                u, F, p, error, improved = trial - trial.max(), trial_F, trial_p, trial_error, True
                break
            damping *= 0.5
        if not improved:
            break
    return u, error


@njit
def belief_nash(rates, log_reference, tau, start):
    """The regularised Nash of every run's belief: log-probabilities float64[S, X, Y], by warm-started Newton.

    `rates` float64[S, X, Y, Y] with rates + rates' = 1, `start` float64[S, X, Y] finite inside the game. When
    Newton fails from `start`, the beliefs are turned on in 40 steps from indifference.
    """
    S, X, Y = start.shape
    out = np.full((S, X, Y), -np.inf)
    for x in range(X):
        inside = np.flatnonzero(log_reference[x] > -np.inf)
        n = inside.size
        base = log_reference[x][inside]
        for s in range(S):
            P = np.empty((n, n))
            for i in range(n):
                for j in range(n):
                    P[i, j] = rates[s, x, inside[i], inside[j]] - 0.5
            u, error = newton_nash(start[s, x][inside], base, P, 1.0 / tau, 1e-10)
            if not error <= 1e-10:
                u = base.copy()
                for level in range(1, 41):
                    u, error = newton_nash(u, base, P, level / 40.0 / tau, 1e-10)
            normalise_row(u)
            for i in range(n):
                out[s, x, inside[i]] = u[i]
    return out


@njit
def belief_rates(wins, optimism, confidence, bernstein):
    """Estimates float64[S, X, Y, Y]: share of wins, 1/2 where never compared, 1/2 on the diagonal.

    With `optimism` > 0 plus that many widths of `pgames.table.beliefs.Belief` off the diagonal, clipped to
    [0, 1].
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
                    if optimism > 0.0:
                        width = 1.0
                        if n > 0.0 and bernstein:
                            width = math.sqrt(2.0 * p * (1.0 - p) * confidence / n) + 3.0 * confidence / n
                        elif n > 0.0:
                            width = math.sqrt(confidence / (2.0 * n))
                        p = min(1.0, p + min(1.0, optimism * width))
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
