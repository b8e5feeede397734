"""Newton's method for the KL-regularised equilibrium of one game, from a nearby point."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pgames.exact.linear import factor_resolvent
from pgames.numerics import normalise

Array = NDArray[np.float64]

HEAVY = 1e-13  # responses with less mass are left out of the linear system, not of the equation
EXACT = 4 * float(np.finfo(float).eps)  # a residual that needs no improvement
STALLED = 3  # the iteration stops after this many steps without halving the residual
PATIENCE = 20  # the same, where no other method is left
FLAT = 1e30  # a larger tau, for payoffs up to 1, has the same solution to the last bit and could overflow
FOUND = 1e-9  # below this residual Newton's method converges up to rounding


def newton(
    A: Array, log_reference: Array, tau: float, log_x: Array, patience: int
) -> tuple[Array, float, int]:
    """(x, ||x - softmax(log_reference + A x / tau)||_1, steps) for A float64[n, n], antisymmetric; tau > 0.

    With x = exp(log_x) and g the error of log_x, the step is d log x = g + A dx / tau - constant, where

        (I - K / tau) u = sqrt(x) g - constant sqrt(x),    K = sqrt(x) A sqrt(x) = -K',    dx = sqrt(x) u.
    """
    best, best_residual, stalled, steps = np.exp(log_x), math.inf, 0, 0
    while True:
        x = np.exp(log_x)
        answer = normalise(log_reference + A @ x / tau)
        residual = float(np.abs(x - np.exp(answer)).sum())
        stalled = 0 if residual < 0.5 * best_residual else stalled + 1
        if residual < best_residual:
            best, best_residual = x, residual
        if residual <= EXACT or stalled == patience:
            return best, best_residual, steps
        steps += 1
        error = answer - log_x
        heavy = np.flatnonzero(x > HEAVY)
        root = np.sqrt(x[heavy])
        block = A if len(heavy) == len(x) else A[np.ix_(heavy, heavy)]
        lu = factor_resolvent(block, root / math.sqrt(tau))
        flow, free = lu.solve(np.column_stack([root, root * error[heavy]])).T
        dx = np.zeros(len(x))
        dx[heavy] = root * (free - (root @ free) / (root @ flow) * flow)
        log_x = normalise(log_x + error + A @ dx / tau)
