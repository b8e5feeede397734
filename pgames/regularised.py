"""The KL-regularised equilibrium of one game: damped Newton along a falling temperature.

It is the only solution of x = softmax(log ref + A x / tau), with A = P - 1/2. Newton's step there, and the
tangent of the path along which the temperature falls from infinity to tau, solve linear systems of one and
the same matrix, whose symmetric part is the identity:

    (I - K / tau) u = g,    K = sqrt(x) A sqrt(x) = -K',    d log x = u / sqrt(x).

So one LU per step corrects the point and moves on along the path, and ||u|| tells how far each may go.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pgames.linear import factor_resolvent

Vector = NDArray[np.float64]

MAX_STEPS = 1000
NEAR = 0.5  # the point is on the path when Newton's step is smaller than this
STRIDE = 1.0  # length of a step along the path
GROWTH = math.log(3)  # no step takes a response to a mass above this (in nats)
HEAVY = 1e-13  # lighter responses are left out of the linear system, though not out of the equation
EXACT = 4 * np.finfo(float).eps


def regularised_equilibrium(A: Vector, log_reference: Vector, tau: float) -> tuple[Vector, int]:
    """(x, steps) for A float64[n, n] antisymmetric and log-probabilities float64[n]; tau > 0."""
    goal = 1 / tau
    heat = min(goal, 1 / max(A.max(), tau))  # the inverse temperature, on its way to goal
    log_x = log_reference
    best, best_residual, stalled = np.exp(log_x), math.inf, 0
    for step in range(1, MAX_STEPS + 1):
        x = np.exp(log_x)
        payoff = A @ x
        answer = _normalised(log_reference + heat * payoff)
        if heat == goal:
            residual = float(np.abs(x - np.exp(answer)).sum())
            stalled = 0 if residual < 0.5 * best_residual else stalled + 1
            if residual < best_residual:
                best, best_residual = x, residual
            if residual <= EXACT or (stalled == 3 and best_residual < 1e-9):
                return best, step
        newton, tangent = _directions(A, x, heat, answer - log_x, heat * payoff)
        damping = min(1.0, _length(log_x, newton, 1.0))
        if heat < goal and damping == 1.0 and _norm(x, newton) <= NEAR:
            advance = _length(log_x, tangent, STRIDE)
            arrives = advance >= math.log(goal / heat)
            newton = newton + tangent * (math.log(goal / heat) if arrives else advance)
            heat = goal if arrives else heat * math.exp(advance)
        log_x = _normalised(log_x + damping * newton)
    return best, MAX_STEPS


def _directions(A: Vector, x: Vector, heat: float, *sources: Vector) -> Vector:
    """Per source g the d log x = g + heat A dx - constant that keeps sum(dx) = 0, float64[sources, n]."""
    heavy = np.flatnonzero(x > HEAVY)
    root = np.sqrt(x[heavy])
    block = A if len(heavy) == len(x) else A[np.ix_(heavy, heavy)]
    lu = factor_resolvent(block, math.sqrt(heat) * root)
    flow, *free = lu.solve(np.column_stack([root, *(root * g[heavy] for g in sources)])).T
    dx = np.zeros((len(sources), len(x)))
    dx[:, heavy] = [root * (u - (root @ u) / (root @ flow) * flow) for u in free]
    change = np.array(sources) - heat * (dx @ A)
    return change - (change @ x)[:, None]


def _length(log_x: Vector, move: Vector, stride: float) -> float:
    """How far to go along a move: by `stride` in the metric of x, and no response beyond exp(GROWTH)."""
    longest = stride / max(_norm(np.exp(log_x), move), 1e-300)
    rising = move > 0
    return min(longest, ((GROWTH - log_x[rising]) / move[rising]).min(initial=math.inf))


def _norm(x: Vector, move: Vector) -> float:
    return math.sqrt(x @ (move * move))


def _normalised(logits: Vector) -> Vector:
    logits = logits - logits.max()
    return logits - np.log(np.exp(logits).sum())
