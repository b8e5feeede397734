"""Shared arithmetic on NumPy arrays; `pgames.kernels.rows` has the compiled forms."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

SUM_TOLERANCE = 1e-6  # the largest |sum - 1| of a distribution that counts as rounding
NUMBERS = re.compile(r"[A-Za-z_][\w.]*")
SERIES = 1e-3  # |log p / q| below which `kl_to_logs` expands the exponential


def called(value: object) -> str:
    """What to call a function, a class or a value in a message."""
    return getattr(value, "__name__", f"{value!r:.60}")


def sealed(value: Any) -> Any:
    """The value with its arrays, also those in tuples, as views that cannot be written."""
    if isinstance(value, np.ndarray):
        view = value.view()
        view.setflags(write=False)
        return view
    if isinstance(value, tuple):
        parts = map(sealed, value)
        return type(value)(*parts) if hasattr(value, "_fields") else tuple(parts)
    return value


@contextmanager
def reading(who: str, what: str) -> Iterator[None]:
    """Inside, `who` reads `what`, arrays that are `sealed`. Raises ValueError when it writes into them."""
    try:
        yield
    except ValueError as error:
        if not str(error).endswith("read-only"):  # as NumPy says it
            raise
        raise ValueError(f"{who} writes into {what}: let it work on a copy, array.copy().") from error


def whole(value: object) -> bool:
    """Whether the value is a whole number, of Python or of NumPy; True and False are none."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def number(value: object) -> float:
    """A real number of Python or NumPy as a float; NaN for text, None, a list and all else that is none.

    A check of a range, such as `low <= number(value) < high`, refuses what is not a number.
    """
    try:
        if isinstance(value, str | bytes) or np.ndim(value) or np.iscomplexobj(value):  # type: ignore[arg-type]
            return math.nan
        return float(value)  # type: ignore[arg-type]
    except OverflowError:  # an int above every float
        return math.inf if value > 0 else -math.inf  # type: ignore[operator]
    except (TypeError, ValueError):
        return math.nan


def check_whole(name: str, value: object, least: int) -> None:
    """Raise ValueError, whose message calls it `name`, unless the value is a whole number >= `least`."""
    if not whole(value) or value < least:  # type: ignore[operator]
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r:.60}.")


def check_seed(name: str, value: object) -> None:
    """Raise ValueError, whose message calls it `name`, unless the value is a whole number in [0, 2^63)."""
    check_whole(name, value, 0)
    if value >= 2**63:  # type: ignore[operator]
        raise ValueError(f"{name} must be below 2^63, got {value!r:.60}.")


def count(name: str, value: object, least: int) -> int:
    """The value as an int: a whole number of at least `least`, 1e6 included.

    Raises ValueError, whose message calls it `name`, for anything else.
    """
    given = math.nan if isinstance(value, bool | np.bool_) else number(value)
    if not (math.isfinite(given) and given.is_integer()):
        raise ValueError(f"{name} must be a whole number of at least {least}, got {value!r:.60}.")
    if given < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")
    return int(value)  # type: ignore[call-overload]


def check_numbers(settings: Any) -> None:
    """Check the fields of a dataclass that are annotated as numbers: int, float or Weight, maybe with None.

    Raises ValueError naming the field that holds text, a complex number, an int above every float, or
    anything else that is not a number; a field of whole numbers takes no fraction and no bool.
    """
    for one in dataclasses.fields(settings):
        value: Any = getattr(settings, one.name)
        words = set(NUMBERS.findall(str(one.type)))
        kinds = words & {"int", "float", "Weight"}
        if not kinds or words - {"int", "float", "Weight", "None"} or (value is None and "None" in words):
            continue
        if _is_text(value):
            why = f"a number, got the text {value!r:.60}: pass it without quotes"
        elif kinds == {"int"}:
            why = "" if whole(value) else f"a whole number, got {value!r:.60}"
        elif "Weight" in words and value is not None and np.ndim(value):
            why = "" if np.asarray(value).dtype.kind in "iuf" else f"numbers, got {value!r:.60}"
        else:
            why = "" if _is_number(value) else f"a number, got {value!r:.60}"
        if why:
            raise ValueError(f"{type(settings).__name__}: {one.name} must be {why}.")


def _is_text(value: object) -> bool:
    return isinstance(value, str | bytes) or (
        isinstance(value, np.ndarray | list) and np.asarray(value).dtype.kind in "SU"
    )


def _is_number(value: object) -> bool:
    if isinstance(value, float | np.floating):  # NaN and infinity are left to the check of the range
        return True
    return math.isfinite(number(value)) or isinstance(value, np.ndarray)


def check_bool(name: str, value: object) -> None:
    """Raises ValueError, whose message calls the value `name`, when it is neither True nor False."""
    if not isinstance(value, bool | np.bool_):
        raise ValueError(f"{name} must be True or False, got {value!r:.60}.")


def real(name: str, values: ArrayLike) -> Array:
    """The values as float64[...].

    Raises ValueError, whose message calls them `name`, when they are complex, masked, dates or no table of
    numbers.
    """
    try:
        if np.ma.is_masked(values):
            raise ValueError("some of its entries are masked: pass values.filled(number)")
        for way in ("collect", "toarray"):  # a lazy frame, a sparse matrix
            if hasattr(values, way) and not hasattr(values, "__array__"):
                raise ValueError(f"its numbers are not laid out: pass values.{way}()")
        table = np.asarray(values)
        if np.iscomplexobj(table):
            raise ValueError("it holds complex numbers: pass the real part, np.real(values)")
        if table.dtype.kind in "mM":
            raise ValueError("it holds dates or times: pass numbers")
        return table.astype(np.float64, copy=False)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(
            f"{name} must be a table of real numbers, {type(values).__name__}: {error}."
        ) from None


def normalise(logits: Array) -> Array:
    """The log-probabilities logits - log sum exp(logits) of float64[..., Y]; every row needs a finite entry.

    The largest entry is subtracted first, so logits of any size lose no digits.
    """
    logits = logits - logits.max(axis=-1, keepdims=True)
    logits -= np.log(np.exp(logits).sum(axis=-1, keepdims=True))
    return logits


def softmax(logits: Array) -> Array:
    """The probabilities exp(logits) / sum exp(logits) of float64[..., Y]; every row needs a finite entry."""
    weights = np.exp(logits - logits.max(axis=-1, keepdims=True))
    return weights / weights.sum(axis=-1, keepdims=True)


def sigmoid(values: Array) -> Array:
    """1 / (1 + exp(-values)) of any shape; sigmoid(v) + sigmoid(-v) is exactly 1."""
    return 0.5 + 0.5 * np.tanh(0.5 * values)


def kl(p: Array, q: Array) -> Array:
    """KL(p || q) = sum_y p_y log(p_y / q_y) in nats, float64[...] for probabilities float64[..., Y].

    At least 0; infinite where q is 0 and p is not.
    """
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = np.where(p > 0, p * (np.log(p) - np.log(q)), 0.0) + (q - p)
    return np.maximum(terms, 0.0).sum(axis=-1)  # a negative term is rounding


def kl_to_logs(p: Array, log_q: Array) -> Array:
    """KL(p || q) in nats, float64[...], for probabilities p and log-probabilities log_q, float64[..., Y].

    Summed as p log(p / q) - p + q, whose terms are never negative; where p and q nearly agree the terms are
    expanded in r = log(p / q), so that a distance of 1e-20 keeps its digits.
    """
    inside = p > 0
    ratio = np.log(p, out=np.zeros_like(p), where=inside)
    np.subtract(ratio, log_q, out=ratio, where=inside)
    near = np.abs(ratio) < SERIES
    small = np.where(near, ratio, 0.0)
    series = small * small * (0.5 - small / 6 + small * small / 24)  # exp(-r) - 1 + r
    terms = np.where(near, p * series, p * (ratio - 1) + np.exp(log_q))
    return np.where(inside, np.maximum(terms, 0.0), np.exp(log_q)).sum(axis=-1)


def check_distribution(name: str, values: Array) -> Array:
    """The sums of the rows of float64[..., Y], as float64[..., 1], each 1 up to rounding.

    Raises ValueError, whose message calls the rows `name`, when an entry is negative or NaN, or a sum differs
    from 1 by more than 1e-6.
    """
    if not (values >= 0).all():
        worst = np.unravel_index(np.argmin(values), values.shape)  # argmin finds NaN first
        raise ValueError(
            f"{name} must hold probabilities, got {values[worst]} at {indices(worst)}: "
            "for log-probabilities pass np.exp(values)."
        )
    total = values.sum(axis=-1, keepdims=True)
    if not (np.abs(total - 1) <= SUM_TOLERANCE).all():
        worst = np.unravel_index(np.argmax(np.abs(total - 1)), total.shape)
        remedy = "divide it by its sum" if total[worst] > 0 else "leave at least one entry above 0"
        raise ValueError(f"{name} must sum to 1, got {total[worst]:.9g} at {indices(worst[:-1])}: {remedy}.")
    return total


def indices(position: tuple[np.intp, ...]) -> str:
    """A position in an array, as an error message writes it: [0, 2]."""
    return str([int(i) for i in position])
