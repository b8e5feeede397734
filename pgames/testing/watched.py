"""An arena of duels that records the calls of a learner, for check_learner."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

import pgames
from pgames.arena import Width
from pgames.games.preference import PreferenceGame
from pgames.table.arena import TableArena
from pgames.table.beliefs import Belief
from pgames.table.duels import DuelArena

PACKAGE = Path(pgames.__file__).parent


@dataclass
class Notes:
    """The record of a learner in a watched arena."""

    reads: list[str] = field(default_factory=list)  # where it read the true game
    policies: list[Any] = field(default_factory=list)  # policies that it passed to verbs
    met: list[Any] = field(default_factory=list)  # responses int[S, X] that it compared
    beliefs: list[Any] = field(default_factory=list)  # rates that it used
    views: list[Any] = field(default_factory=list)  # arenas made by at(), including by the learner


class WatchedArena(DuelArena):
    """A DuelArena that records policies played, beliefs used, and reads of the true game outside a duel.

    Such a read returns a decoy, the game with every preference reversed.
    """

    def __init__(self, game: PreferenceGame, runs: int = 1, seed: int = 0, first_run: int = 0):
        super().__init__(game, runs, seed, first_run=first_run)
        self.notes = Notes()
        reversed_game = PreferenceGame(np.swapaxes(game.P, -1, -2), game.reference, game.prompt_weights)
        self._decoy = TableArena(reversed_game, runs, seed, samples=1)

    @property
    def _truth(self) -> TableArena:
        caller = sys._getframe(1)
        file = Path(caller.f_code.co_filename)
        if PACKAGE in file.parents and PACKAGE / "solvers" not in file.parents:
            return self._hidden
        self.notes.reads.append(f"{file.name}, line {caller.f_lineno}")
        return self._decoy

    @_truth.setter
    def _truth(self, truth: TableArena) -> None:
        self._hidden = truth

    def at(self, t: int, rounds: int = 1) -> DuelArena:
        view = super().at(t, rounds)
        self.notes.views.append(view)
        return view

    def duel(self, first: Any, second: Any) -> Any:
        self.notes.policies += [first, second]
        return super().duel(first, second)

    def compare(self, first: Any, second: Any) -> Any:
        self.notes.met += [np.asarray(first), np.asarray(second)]
        return super().compare(first, second)

    def collect(self, buffer: Any, first: Any, second: Any, pairs: int) -> Any:
        self.notes.policies += [first, second]
        return super().collect(buffer, first, second, pairs)

    def label(self, buffer: Any, opponent: Any, pairs: int, comparators: int = 1) -> Any:
        self.notes.policies.append(opponent)
        return super().label(buffer, opponent, pairs, comparators)

    def self_duels(self, policy: Any, pairs: int) -> Any:
        self.notes.policies.append(policy)
        return super().self_duels(policy, pairs)

    def believe(self, evidence: Any, optimism: float = 0.0, width: Width = "hoeffding") -> Any:
        belief = super().believe(evidence, optimism, width)
        return _WatchedBelief(belief, self.notes) if isinstance(belief, Belief) else belief


class _WatchedBelief(Belief):
    """A Belief that records its rates, including later changes, whenever they are used."""

    def __init__(self, belief: Belief, notes: Notes):
        self.__dict__ |= vars(belief)
        self.notes = notes

    def win_rates(self, opponent: Any) -> Any:
        self.notes.beliefs.append(self.rates)
        return super().win_rates(opponent)

    def nash(self, tau: float, start: Any) -> Any:
        self.notes.beliefs.append(self.rates)
        return super().nash(tau, start)
