"""Curves as .npz files: one format is written, and the two kinds of earlier versions are read too.

A file holds `meta`, JSON text with "format": 2 and the setting of the runs, which earlier files lack;
`rounds`; `bits` where verdicts are counted; and `value:NAME` float64[S, R, ...] for every quantity. Format 1
has no "format" in its `meta`, and two kinds: runs with `value:NAME` float64[R, S, ...], and regret curves
with one array per field.
"""

from __future__ import annotations

import json
import math
import os
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgames.curves import setting
from pgames.files import atomic, parse_json, read_npz
from pgames.numerics import whole

FORMAT = 2
NUMBERS = ("tau", "cpu_seconds")
ABOUT = ("solver", *NUMBERS, "stopped")  # the fields kept in `meta`
REGRET_FIELDS = ("regret", "gap", "external", "average_gap")  # of a regret curve in format 1
PREFIX = "value:"

Arrays = dict[str, NDArray[Any]]
Parts = tuple[dict[str, Any], NDArray[Any], Arrays, NDArray[Any] | None]


def write(
    path: str | os.PathLike[str],
    about: dict[str, Any],
    rounds: NDArray[np.int64],
    values: dict[str, NDArray[np.float64]],
    bits: NDArray[np.int64] | None,
) -> None:
    """Write rounds int64[R], values float64[S, R, ...] by name and bits int64[R], atomically."""
    arrays: Arrays = {PREFIX + name: value for name, value in values.items()}
    if bits is not None:
        arrays["bits"] = bits
    meta = np.array(json.dumps({"format": FORMAT, **about}))
    with atomic(path) as file:
        np.savez(file, allow_pickle=False, meta=meta, rounds=rounds, **arrays)


def read(path: str | os.PathLike[str]) -> Parts:
    """About (dict), rounds [R], values [S, R, ...] by name, and bits [R] or None, not yet checked.

    Raises ValueError when the file is cut short, is not a saved curve, or has a newer format.
    """
    arrays = read_npz(path, "a saved curve")
    try:
        meta = parse_json(str(arrays["meta"]))
        if not isinstance(meta, dict):
            raise ValueError("meta must be an object")
        written = meta.get("format", 1)
        if not whole(written) or written not in (1, FORMAT):
            newer = whole(written) and written > FORMAT
            raise ValueError(
                f"format {written!r:.60} is "
                + (f"newer than {FORMAT}; install a newer pgames" if newer else "no number of a format")
            )
        about = {name: meta.get(name) for name in ABOUT}
        if written == FORMAT or "learner" not in meta:
            values = _prefixed(arrays, turned=written == 1)
        else:
            about["solver"] = meta["learner"]
            values = {name: arrays[name] for name in REGRET_FIELDS}
        _check_about(about)
        about["setting"] = setting.read(meta.get("setting"))
        return about, arrays["rounds"], values, arrays.get("bits")
    except KeyError as error:
        raise ValueError(f"{path} is not a saved curve: it lacks {error}.") from None
    except ValueError as error:
        raise ValueError(f"{path} is not a saved curve: {error}.") from None


def _prefixed(arrays: Arrays, turned: bool) -> Arrays:
    """The quantities by name, float64[S, R, ...]; `turned` swaps the [R, S, ...] of format 1."""
    values = {key.removeprefix(PREFIX): array for key, array in arrays.items() if key.startswith(PREFIX)}
    if turned:
        return {name: np.ascontiguousarray(np.swapaxes(value, 0, 1)) for name, value in values.items()}
    return values


def _check_about(about: dict[str, Any]) -> None:
    for name, kind in {"solver": str, "stopped": bool}.items():
        if not isinstance(about[name], kind):
            raise ValueError(f"{name} must be {kind.__name__}, got {about[name]!r}")
    for name in NUMBERS:
        value = about[name]
        if value is None:
            continue
        if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value < math.inf:
            raise ValueError(f"{name} must be a number, finite and at least 0, or null, got {value!r:.60}")
