"""Games from payoffs, and the checks that the constructors of games share."""

from __future__ import annotations

from collections.abc import Sequence

from numpy.typing import ArrayLike

from pgames.games.preference import PreferenceGame
from pgames.numerics import number, real, whole


def from_payoffs(A: ArrayLike, labels: Sequence[str] | None = None) -> PreferenceGame:
    """The game P = (1 + A) / 2 of antisymmetric payoffs A float64[Y, Y] in [-1, 1].

    Raises ValueError, through `PreferenceGame`, when A is not antisymmetric or leaves [-1, 1].
    """
    return PreferenceGame((1 + real("A", A)) / 2, labels=labels)


def check_at_least(least: int, name: str, value: int) -> None:
    """Raises ValueError when `value`, called `name` in the message, is no whole number or below `least`."""
    if not whole(value):
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r:.60}.")
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")


def check_probability(name: str, value: float) -> None:
    """Raises ValueError when `value`, called `name` in the message, is not in [0, 1]."""
    if not 0 <= number(value) <= 1:
        raise ValueError(f"{name} must be a probability in [0, 1], got {value!r:.60}.")
