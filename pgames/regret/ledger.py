"""Ledger: the exact regret, in the true game, of the policies that a learner has played."""

from __future__ import annotations

from typing import Any, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

from pgames.games.preference import PreferenceGame
from pgames.kernels.gaps import LedgerArrays, charge
from pgames.numerics import number
from pgames.solver import State
from pgames.table.arena import Policy

Array = NDArray[np.float64]


class Ledger:
    """Sums over rounds for S runs of a game with regularisation tau >= 0.

    Raises ValueError when tau is negative or not finite.

    Attributes
    ----------
    regret : float64[S], sum of gap(pi_t) = max_p J(p, pi_t) - 1/2, averaged over prompts.
    gap : float64[S], of the policy charged last.
    policies : float64[S, X, Y], sum of pi_t.
    divergence : float64[S, X], sum of KL(pi_t || reference); 0 where tau = 0.
    rounds : number of rounds charged.
    arrays : the same sums with the true game, for compiled loops.
    """

    def __init__(self, game: PreferenceGame, tau: float, runs: int):
        if not 0 <= number(tau) < np.inf:
            raise ValueError(f"tau must be finite and at least 0, got {tau!r:.60}.")
        self.game, self.tau, self.rounds = game, float(tau), 0
        with np.errstate(divide="ignore"):
            log_reference = np.log(game.reference)
        X, Y = game.prompts, game.responses
        self.regret, self.gap = np.zeros(runs), np.zeros(runs)
        self.policies, self.divergence = np.zeros((runs, X, Y)), np.zeros((runs, X))
        self.arrays = LedgerArrays(
            game.skew,
            log_reference,
            game.prompt_weights,
            self.tau,
            self.gap,
            self.regret,
            self.policies,
            self.divergence,
        )

    def move_to(self, game: PreferenceGame) -> None:
        """Charge the rounds that follow in another game with the same responses and prompts.

        Raises TypeError for anything but a game, and ValueError for one of another shape.
        """
        if not isinstance(game, PreferenceGame):
            raise TypeError(f"game_in(game, t) must return a PreferenceGame, got {type(game).__name__}.")
        if game.skew.shape != self.game.skew.shape:
            raise ValueError(
                f"game_in(game, t) must keep the prompts and responses, {list(self.game.skew.shape)}, got a "
                f"game of {list(game.skew.shape)}."
            )
        self.game, self.arrays = game, self.arrays._replace(skew=game.skew)

    def charge(self, policy: Policy, rounds: int) -> Array:
        """Charge `rounds` rounds of `policy`, log-probabilities float64[S, X, Y]; its gap, float64[S].

        Raises ValueError when the policy is none of this game and these runs.
        """
        kind = policy.dtype if isinstance(policy, np.ndarray) else type(policy).__name__
        if np.shape(policy) != self.policies.shape or kind != np.float64:
            raise ValueError(
                f"a policy must be float64{list(self.policies.shape)}, [S, X, Y], got {kind} "
                f"of shape {list(np.shape(policy))}: the arena is not that of the game and the runs."
            )
        charge(self.arrays, policy, float(rounds))
        self.rounds += rounds
        return self.gap.copy()

    def average_gap(self) -> Array:
        """gap of the average policy, float64[S]."""
        return self._gap_of_average(0.0)

    def external_regret(self) -> Array:
        """max_p sum_t [J(p, pi_t) - 1/2], float64[S]: at most the regret, at least T gap(average)."""
        return self.rounds * self._gap_of_average(1.0)

    def _gap_of_average(self, mean_kl: float) -> Array:
        """gap of the average policy, float64[S], its KL to the reference mixed with the policies' mean KL.

        `mean_kl` in [0, 1] is the weight: at 0 the KL is the average policy's, at 1 the mean of the
        policies'.
        """
        if self.rounds == 0:
            return np.zeros_like(self.regret)
        with np.errstate(divide="ignore"):
            average = np.log(self.policies / self.rounds)
        scratch = Ledger(self.game, self.tau, len(self.regret))
        gap = scratch.charge(average, 1)
        excess = self.divergence / self.rounds - scratch.divergence
        return gap + mean_kl * self.tau * (excess @ self.game.prompt_weights)


@runtime_checkable
class Leaping(Protocol):
    """A learner that plays many rounds in one compiled call, with the bits of as many steps."""

    def leap(self, arena: Any, state: State, rounds: int, ledger: Ledger) -> State:
        """The state after `rounds` more rounds; their policies are charged to `ledger`."""
        ...
