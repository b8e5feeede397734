"""The functions f(t) = (t^q - 1 - q (t - 1)) / (q (q - 1)) of t >= 0: one family for five regularisers.

q = 1 is t log t - t + 1, q = 0 is t - 1 - log t, q = 2 is (t - 1)^2 / 2. All have f(1) = f'(1) = 0 and
f''(1) = 1.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

SERIES = 1e-2  # |log t| below which f is expanded, so that small divergences keep their digits
TERMS = 8


def slope(t: Array, q: float) -> Array:
    """f'(t) = (t^(q - 1) - 1) / (q - 1), float64[...]; -inf at t = 0 for q <= 1."""
    with np.errstate(divide="ignore"):
        logs = np.log(t)
    if q == 1:
        return logs
    with np.errstate(over="ignore"):
        return np.expm1((q - 1) * logs) / (q - 1)


def unslope(z: Array, q: float) -> Array:
    """The t >= 0 with f'(t) = z, float64[...]; 0 where z is below f'(0), inf where it is above f'(inf)."""
    with np.errstate(over="ignore", divide="ignore", invalid="ignore"):
        if q == 1:
            return np.exp(z)
        inside = 1 + (q - 1) * z
        t = np.exp(np.log1p((q - 1) * z) / (q - 1))
    return np.where(inside > 0, t, 0.0 if q > 1 else np.inf)


def bend(t: Array, q: float) -> Array:
    """f''(t) = t^(q - 2), float64[...]; inf at t = 0 for q < 2."""
    with np.errstate(divide="ignore", over="ignore"):
        return np.asarray(t, dtype=np.float64) ** (q - 2)


def bregman(a: Array, b: Array, q: float) -> Array:
    """f(a) - f(b) - f'(b) (a - b) = b^q f(a / b), float64[...], without its cancellation.

    inf where b is 0 and a is not for q <= 1, and where a is 0 and b is not for q <= 0.
    """
    if q == 2:
        return 0.5 * (a - b) ** 2
    with np.errstate(divide="ignore", invalid="ignore", over="ignore"):
        r = np.log(a) - np.log(b)
        if q == 1:
            far = b * (np.exp(r) * (r - 1) + 1)
        elif q == 0:
            far = np.expm1(r) - r
        else:
            far = b**q * (np.expm1(q * r) - q * np.expm1(r)) / (q * (q - 1))
        near = b**q * _series(r, q)
        both = np.where(np.abs(r) < SERIES, near, np.maximum(far, 0.0))
    a_none, b_none = a == 0, b == 0
    at_zero = b**q / q if q > 0 else np.full(np.shape(b), np.inf)  # a = 0
    from_zero = a**q / (q * (q - 1)) if q > 1 else np.full(np.shape(a), np.inf)  # b = 0
    out = np.where(a_none, at_zero, np.where(b_none, from_zero, both))
    return np.where(a_none & b_none, 0.0, out)


def _series(r: Array, q: float) -> Array:
    """f(exp(r)) for small r: the sum of r^k / k! (1 + q + ... + q^(k - 2)) over k >= 2."""
    small = np.where(np.abs(r) < SERIES, r, 0.0)
    total, power, geometric = np.zeros_like(small), small.copy(), 0.0
    for k in range(2, TERMS):
        power = power * small / k
        geometric = geometric * q + 1
        total = total + geometric * power
    return total
