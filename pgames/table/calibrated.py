"""The logistic pair loss plus a weight on the log-likelihood of samples: what XPO, VPO and SELM minimise."""

from __future__ import annotations

import math

import numpy as np

from pgames.kernels.elementary import njit
from pgames.kernels.rows import normalise
from pgames.table.fit_kernels import cholesky_solve

RIDGE, LONGEST = 1e-10, 2.0  # per unit of curvature; longest Newton step in units of the score


@njit
def fit_calibrated(prior, wins, counts, weight, beta, bound):
    """argmin over scores |r| <= bound of sum wins log(1 + exp(r_z - r_y)) + weight * sum counts log pi.

    pi = prior exp(r / beta), normalised: log-probabilities float64[S, X, Y]. wins float64[S, X, Y, Y] and
    counts float64[S, X, Y] of calibration samples; weight and beta float64[S].

    For weight <= 0 the objective is convex: Newton's method on the box. For weight > 0 the likelihood term
    is concave in r, with a local minimum where any one response is far ahead. The descent then starts from
    r = 0 and from each of those, takes Newton steps or steps of the convex majoriser with the same tangent,
    and keeps the lowest value.
    """
    S, X, Y = prior.shape
    out = np.empty((S, X, Y))
    for s in range(S):
        for x in range(X):
            row = (prior[s, x], wins[s, x], counts[s, x], weight[s], beta[s])
            best, lowest = descend(np.zeros(Y), *row, bound)
            if weight[s] > 0.0:
                for y in range(Y):
                    if prior[s, x, y] > -np.inf:
                        start = np.full(Y, -bound)
                        start[y] = bound
                        r, value = descend(start, *row, bound)
                        if value < lowest:
                            best, lowest = r, value
            out[s, x] = prior[s, x] + best / beta[s]
            normalise(out[s, x], Y)
    return out


@njit
def descend(r, prior, wins, counts, weight, beta, bound):
    """(r, value) at the end of projected Newton steps from r."""
    value, gradient, convex, concave = objective(r, prior, wins, counts, weight, beta)
    scale = wins.sum() + abs(weight / beta) * counts.sum()
    for _ in range(200):
        held = ((r <= -bound) & (gradient >= 0.0)) | ((r >= bound) & (gradient <= 0.0))
        free = np.flatnonzero(~held & (prior > -np.inf))
        if free.size == 0 or np.abs(gradient[free]).max() <= 1e-12 * scale:
            break
        step = newton_step(gradient, convex + concave, free)
        if not (step * gradient).sum() > 0.0:  # not convex here, or not a number
            step = newton_step(gradient, convex, free)
        length, moved = 1.0, False
        for _ in range(40):
            trial = np.minimum(np.maximum(r - length * step, -bound), bound)
            found = objective(trial, prior, wins, counts, weight, beta)
            moved = found[0] < value - 1e-4 * (gradient * (r - trial)).sum()
            if moved:
                r = trial
                value, gradient, convex, concave = found
                break
            length *= 0.5
        if not moved:
            break
    return r, value


@njit
def newton_step(gradient, hessian, free):
    """The Newton step of the free scores, at most LONGEST; 0 for the others; NaN where not convex."""
    n = free.size
    A, b, top = np.empty((n, n)), gradient[free], 0.0
    for i in range(n):
        top = max(top, hessian[free[i], free[i]])
    for i in range(n):
        for j in range(n):
            A[i, j] = hessian[free[i], free[j]]
        A[i, i] += RIDGE * top + 1e-12
    cholesky_solve(A, b)
    b *= min(1.0, LONGEST / np.abs(b).max())
    step = np.zeros(gradient.size)
    step[free] = b
    return step


@njit
def objective(r, prior, wins, counts, weight, beta):
    """(value, gradient, convex part of the Hessian, concave part) at scores r of one row."""
    Y = r.size
    value, gradient, convex, concave = 0.0, np.zeros(Y), np.zeros((Y, Y)), np.zeros((Y, Y))
    for y in range(Y):
        for z in range(y):
            won, lost = wins[y, z], wins[z, y]
            if won + lost == 0.0:
                continue
            margin = r[y] - r[z]
            decay = math.exp(-abs(margin))
            value += won * max(-margin, 0.0) + lost * max(margin, 0.0) + (won + lost) * math.log1p(decay)
            p = (1.0 if margin > 0.0 else decay) / (1.0 + decay)  # sigmoid(margin)
            pull, stiffness = (won + lost) * p - won, (won + lost) * decay / (1.0 + decay) ** 2
            gradient[y] += pull
            gradient[z] -= pull
            convex[y, y] += stiffness
            convex[z, z] += stiffness
            convex[y, z] -= stiffness
            convex[z, y] -= stiffness
    total = counts.sum()
    if weight != 0.0 and total > 0.0:
        log_pi = prior + r / beta
        normalise(log_pi, Y)
        part, curvature = convex if weight < 0.0 else concave, -weight * total / beta**2
        for y in range(Y):
            p = math.exp(log_pi[y])
            if counts[y] > 0.0:
                value += weight * counts[y] * log_pi[y]
            gradient[y] += weight / beta * (counts[y] - total * p)
            part[y, y] += curvature * p
            for z in range(Y):
                part[y, z] -= curvature * p * math.exp(log_pi[z])
    return value, gradient, convex, concave
