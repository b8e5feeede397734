"""Newton's method for the KL-regularised equilibrium of a zero-sum game of two players."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pgames.numerics import normalise

Array = NDArray[np.float64]

EXACT = 2 * float(np.finfo(float).eps)  # a residual that needs no improvement
STALLED = 4  # the iteration stops after this many steps without halving the residual
FOUND = 1e-6  # a residual from which the next temperature starts
SHRINK = 0.7  # the factor of both temperatures from one step of the homotopy to the next
CLOSE = 0.9999  # the largest factor that is tried when Newton's method fails


def regularised_pair(
    A: Array, logs: tuple[Array, Array], taus: tuple[float, float]
) -> tuple[Array, Array, float]:
    """(p, q, residual) with p = softmax(log p0 + A q / tau_p) and q = softmax(log q0 - A'p / tau_q).

    A float64[m, n] with entries of size about 1; `logs` are log p0 float64[m] and log q0 float64[n], finite;
    both taus above 0. The residual is the larger L1 distance of p and of q from their right-hand sides.

    The unknowns are (log p, log q). Both temperatures start so high that the references are near the answer,
    and fall together; where Newton's method fails to follow, it goes back and falls by less.

    Raises RuntimeError when it cannot follow, never seen for a tau of at least 1e-6.
    """
    if A.shape[0] > A.shape[1]:
        q, p, residual = regularised_pair(-A.T, (logs[1], logs[0]), (taus[1], taus[0]))
        return p, q, residual
    heat, shrink = max(1.0, 1.0 / min(taus)), SHRINK
    there = logs
    found, residual = newton_pair(A, logs, (taus[0] * heat, taus[1] * heat), there)
    while heat > 1:
        cooler = max(1.0, heat * shrink)
        tried, error = newton_pair(A, logs, (taus[0] * cooler, taus[1] * cooler), found)
        if error <= FOUND:
            found, residual, heat, shrink = tried, error, cooler, max(SHRINK, shrink * shrink)
        elif shrink < CLOSE:
            shrink = math.sqrt(shrink)
        else:
            raise RuntimeError(
                f"no regularised equilibrium at {heat:.3g} times the tau asked for: ask for a larger tau, or "
                "for tau=0."
            )
    return np.exp(found[0]), np.exp(found[1]), residual


def newton_pair(
    A: Array, logs: tuple[Array, Array], taus: tuple[float, float], start: tuple[Array, Array]
) -> tuple[tuple[Array, Array], float]:
    """((log p, log q), residual) from a nearby start: the best pair float64[m], float64[n] that Newton met.

    Let (sqrt(p) u, sqrt(q) w / s) be the change of (p, q), s = sqrt(tau_q / tau_p), and g, h the errors of
    both logs. With B = sqrt(p) A sqrt(q) / sqrt(tau_p tau_q), and c, d that keep both masses, the step is

        u = sqrt(p) g + B w - c sqrt(p),    w = s sqrt(q) h - B' u - d sqrt(q);

    I + BB' is factored once.
    """
    from scipy.linalg import cho_factor, cho_solve

    (tau_p, tau_q), ratio = taus, math.sqrt(taus[1] / taus[0])
    x, y = start
    best, best_residual, stalled = start, math.inf, 0
    while True:
        p, q = np.exp(x), np.exp(y)
        answers = normalise(logs[0] + A @ q / tau_p), normalise(logs[1] - p @ A / tau_q)
        residual = max(
            float(np.abs(p - np.exp(answers[0])).sum()), float(np.abs(q - np.exp(answers[1])).sum())
        )
        stalled = 0 if residual < 0.5 * best_residual else stalled + 1
        if residual < best_residual:
            best, best_residual = (x, y), residual
        if best_residual <= EXACT or stalled == STALLED or not math.isfinite(residual):
            return best, best_residual
        g, h = answers[0] - x, answers[1] - y
        root, stem = np.sqrt(p), np.sqrt(q)
        B = (root[:, None] * A) * stem / math.sqrt(tau_p * tau_q)
        right = np.column_stack([root * g, root, np.zeros(len(p))])  # the step, and the two constants
        below = np.column_stack([ratio * stem * h, np.zeros(len(q)), stem])
        factor = cho_factor(np.eye(len(p)) + B @ B.T, check_finite=False)
        u = cho_solve(factor, right + B @ below, check_finite=False)
        w = below - B.T @ u
        sums = np.vstack([root @ u, stem @ w])  # both must be 0: masses stay 1
        c = np.linalg.solve(sums[:, 1:], sums[:, 0])
        dp, dq = root * (u[:, 0] - u[:, 1:] @ c), stem * (w[:, 0] - w[:, 1:] @ c) / ratio
        x, y = normalise(x + g + A @ dq / tau_p), normalise(y + h - dp @ A / tau_q)


def _distance(p: Array, q: Array) -> float:
    return float(np.abs(p - q).sum())
