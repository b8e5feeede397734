"""Checks and tables that the games of two roles share.

A pair of policies is float64[S, C, N]: context 0 is the attacker's row, the others are the defender's. A row
with fewer than N strategies is padded; `support` bool[C, N] tells which entries are in the game. A role's
rate is its own success: that of the attack, or that of the defence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.numerics import check_distribution, real

Array = NDArray[np.float64]


class RoleGame(Protocol):
    """What `RoleArena` asks of a game; log-probabilities are float64[S, C, N]."""

    @property
    def reference(self) -> Array:
        """float64[C, N], probabilities."""
        ...

    @property
    def support(self) -> NDArray[np.bool_]:
        """bool[C, N]: the strategies that are in the game."""
        ...

    def table(self, attacker: ArrayLike, defender: ArrayLike) -> Array:
        """float64[..., C, N], probabilities, from those of both roles in their own shapes."""
        ...

    def halves(self, table: Array) -> tuple[Array, Array]:
        """The parts of the attacker and of the defender, in their own shapes, of float64[..., C, N]."""
        ...

    def rates(self, opponent: Array) -> Array:
        """float64[S, C, N]: the success of each strategy against the other role of the opponent."""
        ...

    def sampled_rates(self, opponent: Array, samples: int, seed: int, first_run: int, t: int) -> Array:
        """float64[S, C, N]: the rates, as means of `samples` verdicts."""
        ...

    def sampled_wins(
        self, first: Array, second: Array, samples: int, seed: int, first_run: int, t: int
    ) -> Array:
        """float64[S, 2]: shares of `samples` meetings that each role of `first` wins against `second`."""
        ...

    def visits(self, policy: Array) -> Array:
        """float64[S, C]: how often each context is met when the policy attacks."""
        ...


def success_table(name: str, values: ArrayLike, shape: str) -> Array:
    """The table float64[m, n] of success rates.

    Raises ValueError, whose message calls it `name`, unless it is a matrix of probabilities.
    """
    table = real(name, values)
    if table.ndim != 2 or 0 in table.shape:
        raise ValueError(f"{name} must have shape {shape}, got {list(table.shape)}.")
    wrong = ~((table >= 0) & (table <= 1))
    if wrong.any():
        i, j = np.argwhere(wrong)[0]
        raise ValueError(
            f"{name} must hold success rates in [0, 1], got {name}[{i}, {j}] = {table[i, j]:.6g}: for other "
            "payoffs pass (payoff - lowest) / (highest - lowest)."
        )
    return table.copy()


def distributions(name: str, values: ArrayLike | None, shape: tuple[int, ...]) -> Array:
    """float64[shape], each row a distribution: uniform when None; one row is repeated.

    Raises ValueError, whose message calls it `name`, when the shape or a row is wrong.
    """
    if values is None:
        return np.full(shape, 1 / shape[-1])
    table = real(name, values)
    if table.shape not in (shape, shape[-1:]):
        raise ValueError(f"{name} must have shape {list(shape)}, got {list(table.shape)}.")
    return np.broadcast_to(table / check_distribution(name, table), shape)


def labels(name: str, given: Sequence[str] | None, word: str, count: int) -> tuple[str, ...]:
    """The names of `count` strategies; "word 0", "word 1", ... when None.

    Raises ValueError when their number is another, or two are equal.
    """
    if given is None:
        return tuple(f"{word} {i}" for i in range(count))
    try:
        right = not isinstance(given, str) and len(given) == count
    except TypeError:  # no list at all
        right = False
    if not right:
        raise ValueError(f"{name} must be a list of {count} names, got {given!r:.60}.")
    names = tuple(str(one) for one in given)
    if twice := [one for one in names if names.count(one) > 1]:
        raise ValueError(f"{name} must be different names, got {twice[0]!r:.60} twice.")
    return names


def check_halves(
    shape: tuple[int, int], attacker: ArrayLike, defender: ArrayLike, *, axes: int
) -> tuple[Array, Array]:
    """Both parts of a pair, float64[..., m] and one whose last `axes` axes are those of `shape`.

    Raises ValueError when the shape of either part is another.
    """
    p, q = real("attacker", attacker), real("defender", defender)
    wanted = ((shape[0],), shape[-axes:])
    for name, part, want in zip(("attacker", "defender"), (p, q), wanted, strict=True):
        if part.shape[part.ndim - len(want) :] != want or part.ndim < len(want):
            raise ValueError(
                f"{name} must have shape {list(want)} or one more axis of runs, got {list(part.shape)}."
            )
    return p, q


def set_fields(game: object, fields: dict[str, object]) -> None:
    """Set the fields of a frozen dataclass while it is made."""
    for name, value in fields.items():
        object.__setattr__(game, name, value)


def frozen(values: Array) -> Array:
    """The array float64[...], contiguous and read-only."""
    values = np.ascontiguousarray(values)
    values.setflags(write=False)
    return values
