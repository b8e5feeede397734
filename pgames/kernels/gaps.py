"""The cost of policies, compiled: the gap max_p J(p, pi) - 1/2 and its sums over rounds, in blocks."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.kernels.blocks import LANES, exp_block, load, width_of, win_rates_block
from pgames.kernels.elementary import exp, log, njit

Array = NDArray[np.float64]


class LedgerArrays(NamedTuple):
    """The true game, with X prompts of Y responses, and the sums of S runs; kernels update the sums in place.

    Arrays have the shapes float64[X, Y, Y], [X, Y], [X], [S] and [S, X, Y] given beside each field.
    """

    skew: Array  # float64[X, Y, Y], P - 1/2
    log_reference: Array  # float64[X, Y], -inf for responses outside the game
    weights: Array  # float64[X], of prompts
    tau: float
    gap: Array  # float64[S], of the policy charged last
    regret: Array  # float64[S]
    policies: Array  # float64[S, X, Y]
    divergence: Array  # float64[S, X]


@njit
def charge(arrays, policy, rounds):
    """Add the cost of `rounds` rounds of `policy`, log-probabilities float64[S, X, Y], to LedgerArrays."""
    skew, log_reference, weights, tau, gap, regret, policies, divergence = arrays
    S, X, Y = policy.shape
    logs, p, score = np.empty(Y * LANES), np.empty(Y * LANES), np.empty(Y * LANES)
    value, kl, scratch = np.empty(LANES), np.empty(LANES), np.empty(LANES)
    gap[:] = 0.0
    for x in range(X):
        s = 0
        while s < S:
            width = width_of(S - s)
            load(policy, s, x, logs, width)
            exp_block(logs, p, Y, width)
            gap_block(skew, log_reference, x, tau, logs, p, score, value, kl, scratch, width)
            for lane in range(min(width, S - s)):
                gap[s + lane] += weights[x] * value[lane]
                divergence[s + lane, x] += rounds * kl[lane]
                for y in range(Y):
                    policies[s + lane, x, y] += rounds * p[y * width + lane]
            s += width
    for s in range(S):
        regret[s] += rounds * gap[s]


@njit
def gap_block(skew, log_reference, x, tau, logs, p, score, value, kl, scratch, width):
    """Write the gap of each run in a block of policies to `value` float64[width], and its KL to `kl`.

    `logs` holds the log-probabilities and `p` the probabilities, float64[Y * width]; `score` and `scratch`
    are scratch. KL is computed only where tau > 0. Blocks are those of `pgames.kernels.blocks`: a run has
    the same bits in any block.
    """
    Y, lanes = np.uint64(skew.shape[1]), np.uint64(width)
    win_rates_block(skew, x, p, score, width)
    for n in range(lanes):
        value[n], kl[n], scratch[n] = -np.inf, 0.0, 0.0
    for y in range(Y):
        row, anchor = y * lanes, log_reference[x, y]
        if anchor == -np.inf:
            continue
        for n in range(lanes):
            if tau > 0.0:
                score[row + n] = anchor + score[row + n] / tau
            value[n] = max(value[n], score[row + n])
    if tau > 0.0:
        for y in range(Y):
            row, anchor = y * lanes, log_reference[x, y]
            if anchor == -np.inf:
                continue
            for n in range(lanes):
                scratch[n] += exp(score[row + n] - value[n])
                kl[n] += p[row + n] * (logs[row + n] - anchor) if p[row + n] > 0.0 else 0.0
        for n in range(lanes):
            value[n] = tau * (value[n] + log(scratch[n]) + kl[n])
    for n in range(lanes):
        value[n] = max(value[n] - 0.5, 0.0)
