"""Duels that are disturbed: verdicts that are flipped, come late, or come from a game that drifts.

Each is a maker of arenas for `pgames.simulate(arena=...)`. The regret stays that of the true game.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol, Self, runtime_checkable

import numpy as np
from numpy.typing import ArrayLike

from pgames.arena import Evidence
from pgames.games.preference import PreferenceGame, as_game
from pgames.numerics import number, whole
from pgames.table.arena import Policy
from pgames.table.duels import Buffer, DuelArena, Labels

InRound = Callable[[PreferenceGame, int], PreferenceGame]  # the game of round t


class DuelMaker(Protocol):
    """Makes the arena of a simulation; the class `DuelArena` is one."""

    def __call__(
        self,
        game: PreferenceGame,
        *,
        runs: int = 1,
        seed: int = 0,
        features: ArrayLike | None = None,
        first_run: int = 0,
    ) -> DuelArena:
        """The arena of S = `runs` runs; features float64[X, Y, D] of a log-linear class, or None."""
        ...


@runtime_checkable
class Drift(Protocol):
    """A maker of arenas whose true game changes: regret is charged in the game of the round."""

    def game_in(self, game: PreferenceGame, t: int) -> PreferenceGame:
        """The true game of round t, with the responses, prompts and reference of `game`."""
        ...


class _Disturbed(ABC):
    """A maker of arenas: it is called as `DuelArena` is, and hands its options on."""

    def __call__(
        self,
        game: PreferenceGame,
        *,
        runs: int = 1,
        seed: int = 0,
        features: ArrayLike | None = None,
        first_run: int = 0,
    ) -> DuelArena:
        """The disturbed arena of `runs` runs; features float64[X, Y, D] of a log-linear class, or None."""
        return self._made(game, runs, seed, features, first_run)

    @abstractmethod
    def _made(self, game: PreferenceGame, *options: Any) -> DuelArena:
        """The disturbed arena, with the options of `DuelArena` in their order."""


@dataclass(frozen=True)
class Corrupted(_Disturbed):
    """An adversary flips every verdict of the first `rounds` rounds, and each later one with chance `share`.

    Raises ValueError when `rounds` is not a whole number of at least 0, or `share` is outside [0, 1/2].
    """

    rounds: int = 0
    share: float = 0.0

    def __post_init__(self) -> None:
        if not whole(self.rounds) or self.rounds < 0:
            raise ValueError(f"Corrupted: rounds must be a whole number of at least 0, got {self.rounds!r}.")
        if not 0 <= number(self.share) <= 0.5:
            raise ValueError(f"Corrupted: share must be in [0, 1/2], got {self.share!r:.60}.")

    def _made(self, game: PreferenceGame, *options: Any) -> DuelArena:
        flipped = _blend(game, 1 - game.P, 1.0)
        noisy = _blend(game, 1 - game.P, self.share) if self.share else game

        def told(game: PreferenceGame, t: int) -> PreferenceGame:
            return flipped if t < self.rounds else noisy

        return _ChangingArena(told, game, *options)


@dataclass(frozen=True)
class Drifting(_Disturbed):
    """The game becomes `to`: it is the first one until round `start` and `to` from round `end` on.

    Between them win rates change linearly; start = end is a sudden change. Regret is charged in the game of
    the round, and there is no external regret, because no game is that of all rounds.

    Raises ValueError unless 0 <= start <= end, and TypeError when `to` is no game and no table of one.
    """

    to: PreferenceGame
    start: int
    end: int

    def __post_init__(self) -> None:
        object.__setattr__(self, "to", as_game(self.to))
        if not (whole(self.start) and whole(self.end) and 0 <= self.start <= self.end):
            raise ValueError(
                f"Drifting: start and end must be rounds, 0 <= start <= end, got {self.start!r} "
                f"and {self.end!r}."
            )

    def game_in(self, game: PreferenceGame, t: int) -> PreferenceGame:
        """The true game of round t. Raises ValueError when the two games differ in more than win rates."""
        if self.to.P.shape != game.P.shape or not np.array_equal(self.to.support, game.support):
            raise ValueError(
                f"a game of shape {list(game.P.shape)} cannot drift to one of {list(self.to.P.shape)}: both "
                "need the same prompts and responses."
            )
        if t < self.start:
            return game
        done = 1.0 if t >= self.end else (t - self.start) / (self.end - self.start)
        return _blend(game, self.to.P, done)

    def _made(self, game: PreferenceGame, *options: Any) -> DuelArena:
        self.game_in(game, 0)
        return _ChangingArena(self.game_in, game, *options)


@dataclass(frozen=True)
class Delayed(_Disturbed):
    """The verdicts of a duel arrive `by` rounds later; in the first `by` rounds there is no evidence.

    Raises ValueError when `by` is not a whole number of at least 1. A learner that asks for verdicts with
    `compare`, `label` or `self_duels` is refused with a TypeError: it needs each verdict at once.
    """

    by: int

    def __post_init__(self) -> None:
        if not whole(self.by) or self.by < 1:
            raise ValueError(f"Delayed: by must be a whole number of rounds, at least 1, got {self.by!r}.")

    def _made(self, game: PreferenceGame, *options: Any) -> DuelArena:
        return _DelayedArena(self.by, game, *options)


def _blend(game: PreferenceGame, P: ArrayLike, share: float) -> PreferenceGame:
    """The game with win rates (1 - share) of its own + share of P float64[X, Y, Y]."""
    mixed = (1 - share) * game.P + share * np.asarray(P)
    return PreferenceGame(mixed, game.reference, game.prompt_weights, game.labels)


class _ChangingArena(DuelArena):
    """Duels judged in another game every round."""

    def __init__(self, told: InRound, game: PreferenceGame, *options: Any):
        super().__init__(game, *options)
        self._first, self._told = game, told
        self._judged_in(told(game, 0))

    def _judged_in(self, game: PreferenceGame) -> None:
        self._truth = copy.copy(self._truth)
        self._truth.game = game

    def at(self, t: int, rounds: int = 1) -> Self:
        """The arena in round t. Raises ValueError when the verdicts change within a lazy step."""
        view = super().at(t, rounds)
        game = self._told(self._first, t)
        if rounds > 1:
            last = self._told(self._first, t + rounds - 1)
            if not np.array_equal(game.skew, last.skew):
                raise ValueError(
                    f"the verdicts change between rounds {t} and {t + rounds - 1}, which are one lazy step: "
                    "leave out refresh=."
                )
        view._judged_in(game)
        return view


class _DelayedArena(DuelArena):
    """Duels whose evidence is handed out `by` rounds later."""

    def __init__(self, by: int, game: PreferenceGame, *options: Any):
        super().__init__(game, *options)
        self._by, self._calls = by, 0
        self._waiting: dict[int, list[Evidence]] = {}  # by round, shared by all views

    def at(self, t: int, rounds: int = 1) -> Self:
        """The arena in round t. Raises ValueError for a step of several rounds."""
        if rounds > 1:
            raise ValueError("delayed verdicts arrive round by round: leave out refresh=.")
        view = super().at(t, rounds)
        view._calls = 0
        self._waiting[t] = []
        for late in [old for old in self._waiting if old < t - self._by]:
            del self._waiting[late]
        return view

    def duel(self, first: Policy, second: Policy) -> Evidence:
        """The evidence of the same call `by` rounds ago; asks for the verdicts of now."""
        self._waiting.setdefault(self.round, []).append(super().duel(first, second))
        then = self._waiting.get(self.round - self._by, [])
        self._calls += 1
        return then[self._calls - 1] if len(then) >= self._calls else self.no_duels()

    def compare(self, first: np.ndarray, second: np.ndarray) -> np.ndarray:
        """Raises TypeError: the verdict of a pair int64[S, X] is needed at once."""
        raise TypeError(_AT_ONCE.format("compare"))

    def label(self, buffer: Buffer, opponent: Policy, pairs: int, comparators: int = 1) -> Labels:
        """Raises TypeError: labels against float64[S, X, Y] are needed at once."""
        raise TypeError(_AT_ONCE.format("label"))

    def self_duels(self, policy: Policy, pairs: int) -> Labels:
        """Raises TypeError: labels of float64[S, X, Y] are needed at once."""
        raise TypeError(_AT_ONCE.format("self_duels"))


_AT_ONCE = "the verdicts of {} are needed at once and cannot be delayed: simulate a learner from `duel`."
