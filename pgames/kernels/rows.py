"""The compiled forms of `pgames.numerics` for one row of log-probabilities."""

from __future__ import annotations

import math

import numpy as np

from pgames.kernels.elementary import njit


@njit
def normalise(logits, n):
    """Subtract the logsumexp of the first n entries of logits float64[Y], in place; one must be finite."""
    top = -math.inf
    for i in range(n):
        top = max(top, logits[i])
    total = 0.0
    for i in range(n):
        total += math.exp(logits[i] - top)
    total = top + math.log(total)
    for i in range(n):
        logits[i] -= total


@njit
def softmax(logits):
    """exp(logits) / sum exp(logits), float64[Y]; one must be finite."""
    p = np.exp(logits - logits.max())
    p /= p.sum()
    return p
