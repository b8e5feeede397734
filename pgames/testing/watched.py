"""An arena of duels that records the calls of a learner, for check_learner."""

from __future__ import annotations

import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.arena import Evidence, Width
from pgames.games.preference import PreferenceGame
from pgames.losses import PairLoss
from pgames.solver import Weight
from pgames.table.arena import Policy, TableArena
from pgames.table.beliefs import Belief
from pgames.table.duels import Buffer, DuelArena, Labels, Samples
from pgames.table.linear import LinearBelief

Table = NDArray[np.float64]


@dataclass
class Notes:
    """The record of a learner in a watched arena.

    reads : files and lines that read the true game.
    policies : float64[S, X, Y], the policies that it passed to verbs that draw responses.
    met : int64[S, X], the responses that it compared.
    beliefs : float64[S, X, Y, Y], the rates of the beliefs that it used.
    views : arenas made by at(), including by the learner.
    """

    reads: list[str] = field(default_factory=list)
    policies: list[Policy] = field(default_factory=list)
    met: list[NDArray[np.int64]] = field(default_factory=list)
    beliefs: list[Table] = field(default_factory=list)
    views: list[DuelArena] = field(default_factory=list)


class WatchedArena(DuelArena):
    """A DuelArena that records policies played, beliefs used, and reads of the true game outside a verb.

    A verb may read the true game while it runs. Any other read of `_truth` is recorded and returns a decoy,
    the game with every preference reversed.
    """

    def __init__(self, game: PreferenceGame, runs: int = 1, seed: int = 0, first_run: int = 0):
        self._verbs = 0  # number of nested verbs that are running
        self.notes = Notes()
        reversed_game = PreferenceGame(np.swapaxes(game.P, -1, -2), game.reference, game.prompt_weights)
        self._decoy = TableArena(reversed_game, runs, seed, samples=1)
        with self._verb():
            super().__init__(game, runs, seed, first_run=first_run)

    @contextmanager
    def _verb(self) -> Iterator[None]:
        """Inside the block `_truth` is the true game."""
        self._verbs += 1
        try:
            yield
        finally:
            self._verbs -= 1

    @property
    def _truth(self) -> TableArena:
        if self._verbs:
            return self._hidden
        reader = traceback.extract_stack(limit=2)[0]
        self.notes.reads.append(f"{Path(reader.filename).name}, line {reader.lineno}")
        return self._decoy

    @_truth.setter
    def _truth(self, truth: TableArena) -> None:
        self._hidden = truth

    def at(self, t: int, rounds: int = 1) -> Self:
        """The arena in round t, recorded as a view."""
        view = super().at(t, rounds)
        self.notes.views.append(view)
        return view

    # -- verbs that ask no judge ------------------------------------------------------------------------

    def policy(self, probabilities: ArrayLike) -> Policy:
        with self._verb():
            return super().policy(probabilities)

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        with self._verb():
            return super().geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        with self._verb():
            return super().mixture(*terms)

    def tilt(self, prior: Policy, score: Table, step: Weight) -> Policy:
        with self._verb():
            return super().tilt(prior, score, step)

    @property
    def stream(self) -> tuple[int, int]:
        with self._verb():
            return super().stream

    def fit_pairs(
        self,
        prior: Policy,
        pairs: Evidence,
        loss: PairLoss,
        beta: Weight,
        samples: Samples | None = None,
        weight: Weight = 0.0,
        bound: float = 3.0,
    ) -> Policy:
        with self._verb():
            return super().fit_pairs(prior, pairs, loss, beta, samples, weight, bound)

    def collect(self, buffer: Buffer, first: Policy, second: Policy, pairs: int) -> Buffer:
        self.notes.policies += [first, second]
        with self._verb():
            return super().collect(buffer, first, second, pairs)

    def believe(
        self, evidence: Evidence, optimism: float = 0.0, width: Width = "hoeffding"
    ) -> Belief | LinearBelief:
        belief = super().believe(evidence, optimism, width)
        return _WatchedBelief(belief, self.notes) if isinstance(belief, Belief) else belief

    # -- verbs that ask the judge -----------------------------------------------------------------------

    def duel(self, first: Policy, second: Policy) -> Evidence:
        self.notes.policies += [first, second]
        with self._verb():
            return super().duel(first, second)

    def compare(self, first: NDArray[np.int64], second: NDArray[np.int64]) -> Table:
        self.notes.met += [np.asarray(first), np.asarray(second)]
        with self._verb():
            return super().compare(first, second)

    def label(self, buffer: Buffer, opponent: Policy, pairs: int, comparators: int = 1) -> Labels:
        self.notes.policies.append(opponent)
        with self._verb():
            return super().label(buffer, opponent, pairs, comparators)

    def self_duels(self, policy: Policy, pairs: int) -> Labels:
        self.notes.policies.append(policy)
        with self._verb():
            return super().self_duels(policy, pairs)


class _WatchedBelief(Belief):
    """A Belief that records its rates, including later changes, whenever they are used."""

    def __init__(self, belief: Belief, notes: Notes):
        self.__dict__ |= vars(belief)
        self.notes = notes

    def win_rates(self, opponent: Policy) -> Table:
        self.notes.beliefs.append(self.rates)
        return super().win_rates(opponent)

    def nash(self, tau: float, start: Policy) -> Policy:
        self.notes.beliefs.append(self.rates)
        return super().nash(tau, start)
