"""Recorder: charges policies to a ledger and records its sums at the rounds of a grid."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.curves import Curve
from pgames.regret.ledger import Ledger
from pgames.solver import State
from pgames.table.arena import Policy

Array = NDArray[np.float64]


SUMS = ("regret", "gap", "external", "average_gap")  # of every simulation
OF_ONE_GAME = ("external", "average_gap")  # not where the game drifts

Measure = Callable[[State], dict[str, Array]]


class _Row(NamedTuple):
    """The values after some rounds, float64[S, ...] each, and the verdicts that one run has asked for."""

    rounds: int
    values: dict[str, Array]
    bits: float


class Recorder:
    """Records a Ledger at the rounds of `grid` int64[R], which increase from 1 or more.

    `measure` gives further values float64[S, ...] of a state, by name. `drifts` leaves out what needs one
    game for all rounds.
    """

    def __init__(
        self,
        ledger: Ledger,
        grid: NDArray[np.int64],
        measure: Measure | None = None,
        drifts: bool = False,
    ):
        self.ledger, self.bits = ledger, 0.0
        self._measure, self._drifts = measure, drifts
        self._grid: list[int] = grid.tolist()
        self._rows: list[_Row] = []

    def charge(self, state: State, rounds: int, bits: int) -> None:
        """Charge `rounds` rounds of the state's policy float64[S, X, Y]; one run asked for `bits` verdicts.

        Sums grow linearly within such a step, so recorded rounds inside it are exact.
        """
        end = self.ledger.rounds + rounds
        per_round = bits / rounds
        while len(self._rows) < len(self._grid) and self._grid[len(self._rows)] <= end:
            self._charge(state.policy, self.rounds_to_next(), per_round)
            self._record(state)
        self._charge(state.policy, end - self.ledger.rounds, per_round)

    def rounds_to_next(self) -> int:
        """Rounds left until the next recorded one."""
        return self._grid[len(self._rows)] - self.ledger.rounds

    def after_leap(self, bits: int) -> None:
        """Record the sums if a leap, which charges its own policies, reached a round of the grid."""
        self.bits += bits
        if self.rounds_to_next() == 0:
            self._record()

    @property
    def empty(self) -> bool:
        """Whether no round of the grid has been reached yet."""
        return not self._rows

    def curve(self, learner: str, stopped: bool) -> Curve:
        """The curve of regret, gap, external and average_gap, float64[S, R] each, and what was measured.

        Raises ValueError when it is empty.
        """
        if self.empty:
            raise ValueError("no round was recorded: simulate at least one round.")
        first = self._rows[0].values
        values = {name: np.stack([row.values[name] for row in self._rows], axis=1) for name in first}
        rounds = np.array([row.rounds for row in self._rows])
        counted = np.round([row.bits for row in self._rows]).astype(np.int64)
        return Curve(learner, rounds, values, counted, self.ledger.tau, stopped=stopped)

    def _charge(self, policy: Policy, rounds: int, per_round: float) -> None:
        if rounds > 0:
            self.ledger.charge(policy, rounds)
            self.bits += rounds * per_round

    def _record(self, state: State | None = None) -> None:
        sums = self.ledger
        values = {"regret": sums.regret.copy(), "gap": sums.gap.copy()}
        if not self._drifts:
            values |= {"external": sums.external_regret(), "average_gap": sums.average_gap()}
        if self._measure is not None and state is not None:
            values |= self._measure(state)
        self._rows.append(_Row(sums.rounds, values, self.bits))
