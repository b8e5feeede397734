"""Ledger: what the policies a learner played have cost it so far, computed exactly from the true game."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.games.preference import PreferenceGame
from pgames.kernels.blocks import LANES, exp_block, load, width_of, win_rates_block
from pgames.kernels.elementary import exp, log, njit
from pgames.table.arena import Policy

Array = NDArray[np.float64]


class Sheets(NamedTuple):
    """What compiled loops book into: the true game and the sums, in place. Responses outside have -inf."""

    skew: Array  # [X, Y, Y]
    log_reference: Array  # [X, Y]
    weights: Array  # [X]
    tau: float
    gap: Array  # [S], of the policy booked last
    regret: Array  # [S]
    policies: Array  # [S, X, Y]
    divergence: Array  # [S, X]


class Ledger:
    """Sums over rounds for S runs of a game with regularisation tau >= 0.

    regret float64[S]: sum of gap(pi_t) = max_p J(p, pi_t) - 1/2, averaged over prompts; gap: that of the
    policy booked last; policies float64[S, X, Y]: sum of pi_t; divergence float64[S, X]: sum of
    KL(pi_t || reference), kept only where tau > 0; rounds: their number.
    """

    def __init__(self, game: PreferenceGame, tau: float, runs: int):
        if not (np.isfinite(tau) and tau >= 0):
            raise ValueError(f"tau must be finite and at least 0, got {tau}.")
        self.game, self.tau, self.rounds = game, float(tau), 0
        with np.errstate(divide="ignore"):
            log_reference = np.log(game.reference)
        X, Y = game.prompts, game.responses
        self.regret, self.gap = np.zeros(runs), np.zeros(runs)
        self.policies, self.divergence = np.zeros((runs, X, Y)), np.zeros((runs, X))
        self.sheets = Sheets(
            game.skew,
            log_reference,
            game.prompt_weights,
            self.tau,
            self.gap,
            self.regret,
            self.policies,
            self.divergence,
        )

    def charge(self, policy: Policy, rounds: int) -> Array:
        """Book `policy` as played for `rounds` rounds; its gap, float64[S]."""
        charge(self.sheets, policy, float(rounds))
        self.rounds += rounds
        return self.gap.copy()

    def average_gap(self) -> Array:
        """gap of the average policy, float64[S]."""
        return self._gap_of_average(0.0)

    def external_regret(self) -> Array:
        """max_p sum_t [J(p, pi_t) - 1/2], float64[S]: at most the regret, at least T gap(average)."""
        return self.rounds * self._gap_of_average(1.0)

    def _gap_of_average(self, share: float) -> Array:
        """gap(average), its own KL replaced in proportion `share` by the mean KL of the policies played."""
        if self.rounds == 0:
            return np.zeros_like(self.regret)
        with np.errstate(divide="ignore"):
            average = np.log(self.policies / self.rounds)
        scratch = Ledger(self.game, self.tau, len(self.regret))
        gap = scratch.charge(average, 1)
        excess = self.divergence / self.rounds - scratch.divergence
        return gap + share * self.tau * (excess @ self.game.prompt_weights)


@njit
def charge(sheets, policy, rounds):
    """Book a policy float64[S, X, Y] as played for `rounds` rounds."""
    skew, log_reference, weights, tau, gap, regret, policies, divergence = sheets
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
    """`value` and `kl` float64[width]: the gap of each row in a block of policies, and its KL where tau > 0.

    `logs` holds the log-probabilities and `p` the probabilities; `score` and `scratch` are room to work in.
    Blocks are those of `pgames.kernels`: a row has the same bits in any block.
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
