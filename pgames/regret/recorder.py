"""Recorder: charges policies to a ledger and records its sums at the rounds of a grid."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.curves import Curve
from pgames.regret.ledger import Ledger
from pgames.table.arena import Policy

Array = NDArray[np.float64]


class _Row(NamedTuple):
    """The sums after some rounds, float64[S] each, and the verdicts that one run has asked for."""

    rounds: int
    regret: Array
    gap: Array
    external: Array
    average_gap: Array
    bits: float


class Recorder:
    """Records a Ledger at the rounds of `grid` int64[R], which increase from 1 or more."""

    def __init__(self, ledger: Ledger, grid: NDArray[np.int64]):
        self.ledger, self.bits = ledger, 0.0
        self._grid: list[int] = grid.tolist()
        self._rows: list[_Row] = []

    def charge(self, policy: Policy, rounds: int, bits: int) -> None:
        """Charge `rounds` rounds of `policy` float64[S, X, Y], in which one run asked for `bits` verdicts.

        Sums grow linearly within such a step, so recorded rounds inside it are exact.
        """
        end = self.ledger.rounds + rounds
        per_round = bits / rounds
        while len(self._rows) < len(self._grid) and self._grid[len(self._rows)] <= end:
            self._charge(policy, self.rounds_to_next(), per_round)
            self._record()
        self._charge(policy, end - self.ledger.rounds, per_round)

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
        """The curve of regret, gap, external and average_gap, float64[S, R] each.

        Raises ValueError when it is empty.
        """
        if self.empty:
            raise ValueError("no round was recorded: simulate at least one round.")
        rounds, *columns, bits = zip(*self._rows, strict=True)
        names = _Row._fields[1:-1]
        values = {name: np.stack(column, axis=1) for name, column in zip(names, columns, strict=True)}
        counted = np.round(bits).astype(np.int64)
        return Curve(learner, np.array(rounds), values, counted, self.ledger.tau, stopped=stopped)

    def _charge(self, policy: Policy, rounds: int, per_round: float) -> None:
        if rounds > 0:
            self.ledger.charge(policy, rounds)
            self.bits += rounds * per_round

    def _record(self) -> None:
        sums = self.ledger
        external, average = sums.external_regret(), sums.average_gap()
        self._rows.append(
            _Row(sums.rounds, sums.regret.copy(), sums.gap.copy(), external, average, self.bits)
        )
