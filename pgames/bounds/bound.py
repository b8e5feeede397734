"""Bound: a bound on a quantity after a number of rounds, with its source and status."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.numerics import number, reading, real, sealed

Status = Literal["proved", "sketch", "observed", "order"]
Quantity = Literal["kl", "exploitability", "log_ratio", "regret"]
Side = Literal["upper", "lower"]


@dataclass(frozen=True)
class Bound:
    """A bound on `quantity` after a number of rounds.

    `quantity` is "kl" (KL(nash || pi_t), in nats), "exploitability", "log_ratio" (the largest error of a
    log-ratio) or "regret". `status` is "proved" (in the source, or in a docstring here), "sketch" (a
    derivation with assumptions not checked), "observed" (never violated in the tests, no proof known to us)
    or "order" (the published order of growth with its unknown constant set to 1: a slope to compare with, not
    a limit). `side` is "lower" for a bound from below. `value` takes float64[R], rounds of at least 1, and
    returns float64[R]. `tau` is that of the quantity; None where the bound holds at any, or names none.
    `regulariser` is the name of that of the game; None where the bound holds for any. `exact` says that the
    bound assumes exact win rates and a game regularised to its own reference.

    Raises ValueError for another quantity, status or side, a tau that is negative or not finite, and a
    regulariser that is not a name.
    """

    name: str
    value: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    quantity: Quantity
    status: Status
    source: str
    side: Side = "upper"
    tau: float | None = None
    regulariser: str | None = "KL"
    exact: bool = False

    def __post_init__(self) -> None:
        for name, kind in {"quantity": Quantity, "status": Status, "side": Side}.items():
            if not isinstance(value := getattr(self, name), str) or value not in get_args(kind):
                raise ValueError(
                    f"{name} of a bound must be one of {', '.join(get_args(kind))}, got {value!r}."
                )
        if not isinstance(self.name, str):
            raise ValueError(f"name of a bound must be a text, got {self.name!r:.60}.")
        if not callable(self.value):
            raise ValueError(f"value of a bound must be a function of float64[R] rounds, got {self.value!r}.")
        if self.tau is not None and not 0 <= number(self.tau) < math.inf:
            raise ValueError(f"tau of a bound must be finite and at least 0, or None, got {self.tau!r:.60}.")
        if not isinstance(self.regulariser, str | None):
            raise ValueError(
                f"regulariser of a bound must be its name, such as 'L2', or None, got "
                f"{self.regulariser!r:.60}."
            )

    def __call__(self, rounds: ArrayLike) -> NDArray[np.float64]:
        """float64[R] after int[R] rounds.

        Raises ValueError when a number of rounds is below 1, and when `value` returns NaN or another shape.
        """
        counts = real("rounds", rounds)
        if not (counts >= 1).all():
            raise ValueError(f"rounds must be at least 1, got {counts.min():g}.")
        with np.errstate(under="ignore", over="ignore"), reading(f"the bound {self.name!r}", "the rounds"):
            found = real(f"the bound {self.name!r}", self.value(sealed(counts)))
        if found.shape not in ((), counts.shape) or np.isnan(found).any():
            what = f"shape {list(found.shape)}" if found.shape not in ((), counts.shape) else "NaN"
            raise ValueError(
                f"the bound {self.name!r} needs a number for each round, {list(counts.shape)}, got {what}."
            )
        return np.broadcast_to(found, counts.shape).copy()


def positive(**values: float) -> None:
    """Check numbers by name. Raises ValueError when one is not finite or not above 0."""
    for name, value in values.items():
        if isinstance(value, str) or np.ndim(value):
            raise ValueError(f"{name} must be one number, got {value!r:.60}.")
        if not 0 < number(value) < math.inf:
            raise ValueError(f"{name} must be finite and above 0, got {value!r:.60}.")


def not_negative(**values: float) -> None:
    """Check numbers by name. Raises ValueError when one is not finite or below 0."""
    for name, value in values.items():
        if isinstance(value, str) or np.ndim(value):
            raise ValueError(f"{name} must be one number, got {value!r:.60}.")
        if not 0 <= number(value) < math.inf:
            raise ValueError(f"{name} must be finite and at least 0, got {value!r:.60}.")
