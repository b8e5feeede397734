"""What a curve must be, whether it was computed, made by hand or read from a file."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgames.numerics import check_bool, number, real

UNWRITABLE = re.compile("[\0\ud800-\udfff]")  # a name with these comes back from a file as another one


def check_facts(solver: Any, values: Any, tau: Any, cpu_seconds: Any, stopped: Any) -> None:
    """Check what a curve holds beside its arrays.

    Raises ValueError when a field, or the name of a quantity, could not be written to a file and read again.
    """
    if not isinstance(solver, str) or UNWRITABLE.search(solver):
        raise ValueError(f"solver must be a text, got {solver!r:.60}: pass repr(solver).")
    if not isinstance(values, dict):
        raise ValueError(f"values must be a dict of arrays by name, got {type(values).__name__}.")
    for name in values:
        if not isinstance(name, str) or not name or UNWRITABLE.search(name):
            raise ValueError(f"a quantity needs a name that can be written to a file, got {name!r:.60}.")
    for field, value in {"tau": tau, "cpu_seconds": cpu_seconds}.items():
        if value is not None and not 0 <= number(value) < np.inf:
            raise ValueError(f"{field} must be finite and at least 0, or None, got {value!r:.60}.")
    check_bool("stopped", stopped)


def array_of(name: str, values: Any) -> NDArray[Any]:
    """The values as an array float64[...]. Raises ValueError, which calls them `name`, when they are none."""
    try:
        return np.asarray(values)
    except ValueError:  # lists of different lengths
        raise ValueError(f"{name} must be a table of numbers, got rows of different lengths.") from None


def whole_numbers(name: str, values: Any) -> NDArray[np.int64]:
    """The values as int64[N]. Raises ValueError, whose message calls them `name`, when they are none."""
    found = np.atleast_1d(real(name, values))
    if found.ndim != 1 or not found.size or not (np.isfinite(found) & (found == np.round(found))).all():
        raise ValueError(f"{name} must be whole numbers, one or a list of them, got {values!r:.60}.")
    if np.abs(found).max() >= 2.0**63:
        raise ValueError(f"{name} must be below 2^63, got {values!r:.60}.")
    return found.astype(np.int64)


def check_rounds(rounds: NDArray[Any]) -> None:
    """Raises ValueError unless the rounds are int64[R], R >= 1, increasing from 0 or more."""
    if rounds.ndim != 1 or rounds.size == 0 or rounds.dtype.kind not in "iu":
        raise ValueError(f"rounds must be int64[R] with R >= 1, got {rounds.dtype} of shape {rounds.shape}.")
    if rounds[0] < 0 or (rounds[1:] <= rounds[:-1]).any():
        raise ValueError("rounds must increase from 0 or more: sort them and drop duplicates.")


def check_values(values: dict[str, NDArray[Any]], R: int) -> None:
    """Raises ValueError unless every quantity is float64[S, R, ...] with the same S >= 1."""
    runs = set()
    for name, value in values.items():
        if value.ndim < 2 or value.shape[1] != R or value.dtype.kind not in "biuf":
            raise ValueError(
                f"{name!r} must be float64[S, R, ...] with R = {R}, got {value.dtype} of shape {value.shape}."
            )
        runs.add(value.shape[0])
    if len(runs) > 1 or 0 in runs:
        raise ValueError(f"all quantities need the same number of runs, at least 1, got {sorted(runs)}.")


def check_bits(bits: NDArray[Any], R: int) -> None:
    """Raises ValueError unless the counts of verdicts are int64[R], from 0 or more and never falling."""
    if bits.shape != (R,) or bits.dtype.kind not in "iu" or bits[0] < 0 or (bits[1:] < bits[:-1]).any():
        raise ValueError(
            f"bits must be int64[R] with R = {R}, from 0 or more and never falling, got {bits.dtype} of "
            f"shape {bits.shape}."
        )
