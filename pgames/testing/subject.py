"""The arena under test: handles stay opaque, and `arena.probs` reads them.

When feedback is sampled, a measurement is pooled over runs and rounds, and the allowed value is the tolerance
plus SIGMAS standard errors.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Generic

import numpy as np
from numpy.typing import NDArray

from pgames.games.preference import PreferenceGame
from pgames.regularisers import KL, Regulariser
from pgames.solver import Pi, Weight
from pgames.testing.looking import Tried
from pgames.testing.report import Measured

Array = NDArray[np.float64]

SIGMAS = 6.0
ROUNDS = 16  # over which sampled feedback is pooled


@dataclass(frozen=True)
class Subject(Generic[Pi]):
    """An arena, three policies to check it with, and its accuracy."""

    arena: Tried[Pi]
    policies: tuple[Pi, Pi, Pi]
    tolerance: float  # of probabilities and of win rates
    noise: float  # standard error of one win rate; 0 for exact feedback
    narrow: Subject[Pi] | None  # the same arena with fewer runs

    @property
    def game(self) -> PreferenceGame | None:
        """The game of the arena; None when the arena has no such field."""
        return getattr(self.arena, "game", None)

    @property
    def regulariser(self) -> Regulariser:
        """The regulariser of the arena; KL when the arena names none."""
        return getattr(self.arena, "regulariser", KL())

    @property
    def base(self) -> Array:
        """The base of the regulariser, float64[X, Y]: the reference of the game, 1 outside it."""
        game = self.game
        reference = self.probs(self.arena.reference) if game is None else game.reference
        return np.where(reference > 0, reference, 1.0)

    def dual(self, policy: Pi) -> Array:
        """phi'(pi), float64[..., X, Y]: log-probabilities, up to constants, when the regulariser is KL."""
        with np.errstate(divide="ignore"):
            return self.regulariser.gradient(self.probs(policy), self.base)

    def with_dual(self, dual: Array, like: Pi) -> Array:
        """inverse(dual + c), float64[..., X, Y], with the c that fits the likeliest responses of `like`."""
        top = self.probs(like).argmax(axis=-1)[..., None]
        c = np.take_along_axis(self.dual(like), top, -1) - np.take_along_axis(dual, top, -1)
        return np.where(
            self.probs(self.arena.reference) > 0, self.regulariser.inverse(dual + c, self.base), 0.0
        )

    def probs(self, policy: Pi) -> Array:
        """Probabilities float64[..., X, Y]."""
        return np.asarray(self.arena.probs(policy), dtype=np.float64)

    def logs(self, policy: Pi) -> Array:
        """Log-probabilities float64[..., X, Y]; -inf outside the game."""
        with np.errstate(divide="ignore"):
            return np.log(self.probs(policy))

    def rounds(self) -> list[Tried[Pi]]:
        """The arena in ROUNDS rounds when feedback is sampled, else in one."""
        return [self.arena.at(t) for t in range(ROUNDS if self.noise else 1)]

    def average(
        self, value: Callable[[Tried[Pi]], Weight], factor: float = 1.0, *, one_sided: bool = False
    ) -> tuple[float, float]:
        """(size of the value, allowed size): the worst value, or the worst mean when feedback is sampled.

        `value(arena)` should be 0 (or less, if `one_sided`); it has the runs, if any, on its first axis and
        the noise of `factor` win rates: float64[S, ...] or a number.
        """
        values = np.array([np.atleast_1d(value(arena)) for arena in self.rounds()])
        allowed = self.tolerance
        if self.noise:
            allowed += SIGMAS * factor * self.noise / np.sqrt(values.shape[0] * values.shape[1])
            values = values.mean(axis=(0, 1))
        return float(np.max(values if one_sided else np.abs(values))), allowed

    def over_prompts(self, values: Array) -> Array:
        """The average that win_rate takes over prompts: float64[..., X] -> float64[...]."""
        game = self.game
        return values.mean(axis=-1) if game is None else values @ game.prompt_weights


def apart(p: Array, q: Array) -> float:
    """Total variation between float64[..., X, Y], in the worst prompt and run; NaN if an entry is NaN."""
    return float(0.5 * np.abs(p - q).sum(axis=-1).max())


def worst_identity(s: Subject[Pi], pairs: dict[str, tuple[Pi, Pi]]) -> Measured:
    """The largest distance among pairs of policies that should be equal."""
    gaps = {name: apart(s.probs(left), s.probs(right)) for name, (left, right) in pairs.items()}
    name = max(gaps, key=lambda key: np.inf if np.isnan(gaps[key]) else gaps[key])
    return Measured(f"the distance between what should be one policy ({name})", gaps[name], s.tolerance)


def inner_step(s: Subject[Pi], start: Pi, step: Callable[[float], Pi]) -> float:
    """The largest of 1, 1/4, 1/16, ... at which a step either way leaves out no response of `start`.

    Steps add up only as long as none is left out, which KL never does: there it is 1.
    """
    size, played = 1.0, s.probs(start) > 0
    if s.regulariser == KL():
        return size
    while size > 1e-9 and any(((s.probs(step(way * size)) == 0) & played).any() for way in (1, -1)):
        size /= 4
    return size
