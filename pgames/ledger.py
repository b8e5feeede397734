"""Ledger: what the policies a learner played have cost it so far, computed exactly from the true game."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pgames.elementary import njit
from pgames.game import PreferenceGame
from pgames.table import Policy

Array = NDArray[np.float64]


class Ledger:
    """Sums over rounds for S runs of a game with regularisation tau >= 0.

    regret float64[S]: sum of gap(pi_t) = max_p J(p, pi_t) - 1/2, averaged over prompts; policies
    float64[S, X, Y]: sum of pi_t; divergence float64[S, X]: sum of KL(pi_t || reference); rounds: how many.
    """

    def __init__(self, game: PreferenceGame, tau: float, runs: int):
        if not (np.isfinite(tau) and tau >= 0):
            raise ValueError(f"tau must be finite and at least 0, got {tau}.")
        self.game, self.tau = game, float(tau)
        with np.errstate(divide="ignore"):
            self.log_reference = np.log(game.reference)
        self.regret = np.zeros(runs)
        self.policies = np.zeros((runs, game.prompts, game.responses))
        self.divergence = np.zeros((runs, game.prompts))
        self.rounds = 0

    def charge(self, policy: Policy, rounds: int) -> Array:
        """Book `policy` as played for `rounds` rounds; its gap, float64[S]."""
        gap = charge(
            self.game.skew,
            self.log_reference,
            self.game.prompt_weights,
            self.tau,
            policy,
            float(rounds),
            self.policies,
            self.divergence,
        )
        self.regret += rounds * gap
        self.rounds += rounds
        return gap

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
        scratch, own = np.zeros_like(self.policies), np.zeros_like(self.divergence)
        gap = charge(
            self.game.skew,
            self.log_reference,
            self.game.prompt_weights,
            self.tau,
            average,
            1.0,
            scratch,
            own,
        )
        excess = self.divergence / self.rounds - own
        return gap + share * self.tau * (excess @ self.game.prompt_weights)


@njit
def charge(skew, log_reference, weights, tau, policy, rounds, policies, divergence):
    """Add `rounds` times the policy and its KL to the sums; its gap per run, float64[S]."""
    S, X, Y = policy.shape
    gap = np.zeros(S)
    p = np.empty(Y)
    for s in range(S):
        for x in range(X):
            kl = 0.0
            for y in range(Y):
                p[y] = math.exp(policy[s, x, y])
                policies[s, x, y] += rounds * p[y]
                if p[y] > 0.0:
                    kl += p[y] * (policy[s, x, y] - log_reference[x, y])
            divergence[s, x] += rounds * kl
            top, total = -np.inf, 0.0
            for y in range(Y):
                if log_reference[x, y] == -np.inf:
                    continue
                score = 0.0
                for z in range(Y):
                    score += skew[x, y, z] * p[z]
                if tau > 0.0:
                    score = log_reference[x, y] + score / tau
                if score > top:
                    total = total * math.exp(top - score) + 1.0
                    top = score
                else:
                    total += math.exp(score - top)
            value = top if tau == 0.0 else tau * (top + math.log(total) + kl)
            gap[s] += weights[x] * max(value, 0.0)
    return gap
