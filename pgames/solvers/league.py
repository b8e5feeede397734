"""Solvers that play against a mixture of their own past."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgames.arena import Preferring
from pgames.solver import Memoryless, Pi, Regularised, State, Weight, require
from pgames.solvers.checks import check_steps


@dataclass(frozen=True)
class FictitiousPlay(Regularised):
    """Best response to the uniform mixture of one's own past (Brown 1951; smoothed for tau > 0).

    average' = (1 - 1/(t+1)) average + 1/(t+1) best response to average; the policy is the average.

    Theorem: the exploitability of the average is o(1) in zero-sum games (Robinson 1951), slowly:
    O(1/sqrt(t)) in practice. Known failure: exact ties, which are broken in proportion to the reference.

    Raises ValueError when tau is negative or not finite, or an array that holds a 0.
    """

    tau: Weight = 0.0

    def __post_init__(self) -> None:
        check_steps(self, self.tau, None)
        if np.ndim(self.tau) > 0 and np.any(np.asarray(self.tau) == 0):
            raise ValueError("FictitiousPlay: tau must be one number when it is 0, got an array with a 0.")

    def init(self, arena: Preferring[Pi]) -> Memoryless[Pi]:
        require(self, arena, Preferring)
        return State(0, arena.reference)

    def step(self, arena: Preferring[Pi], state: Memoryless[Pi]) -> Memoryless[Pi]:
        greed = np.inf if np.ndim(self.tau) == 0 and self.tau == 0 else 1 / self.tau
        answer = arena.mirror_step(arena.reference, state.policy, greed)
        new = 1 / (state.t + 1)
        return State(state.t + 1, arena.mixture((1 - new, state.policy), (new, answer)))
