"""Bound: a bound on a quantity after a number of rounds, with its source and status."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

Status = Literal["proved", "sketch", "observed", "order"]


@dataclass(frozen=True)
class Bound:
    """A bound on `quantity` after a number of rounds.

    `quantity` is "kl" (KL(nash || pi_t), in nats), "exploitability", "log_ratio" (the largest error of a
    log-ratio) or "regret". `status` is "proved" (in the source, or in a docstring here), "sketch" (a
    derivation with assumptions not checked), "observed" (never violated in the tests, no proof known to us)
    or "order" (the published order of growth with its unknown constant set to 1: a slope to compare with, not
    a limit). `side` is "lower" for a bound from below. `value` takes float64[R], rounds of at least 1, and
    returns float64[R].
    """

    name: str
    value: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    quantity: Literal["kl", "exploitability", "log_ratio", "regret"]
    status: Status
    source: str
    side: Literal["upper", "lower"] = "upper"

    def __call__(self, rounds: ArrayLike) -> NDArray[np.float64]:
        """float64[R] after int[R] rounds. Raises ValueError when a number of rounds is below 1."""
        counts = np.asarray(rounds, dtype=np.float64)
        if (counts < 1).any():
            raise ValueError(f"rounds must be at least 1, got {counts.min():g}.")
        return self.value(counts)


def positive(**values: float) -> None:
    """Check numbers by name. Raises ValueError when one is not finite or not above 0."""
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be finite and above 0, got {value}.")
