"""The cells of a grid, and the configuration that their results depend on, as JSON."""

from __future__ import annotations

import importlib.metadata
import inspect
import itertools
import json
import platform
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np

from pgames.sweeps.fingerprint import code_digest, constants, described, named
from pgames.version import __version__

VERSIONED = ("numpy", "numba", "llvmlite")


def cells(grid: Mapping[str, Sequence[Any]]) -> list[dict[str, Any]]:
    """The values of every cell by name, the last field varying fastest.

    Raises ValueError when the grid is no dict or empty, or a field has no value, a value twice (1 and 1.0 are
    one), or an indescribable one.
    """
    if not isinstance(grid, Mapping):
        raise ValueError(f"grid must be a dict such as {{'tau': [0.1, 0.05]}}, got {grid!r:.60}.")
    for name, values in grid.items():
        if isinstance(values, str) or not isinstance(values, Sequence) or len(values) == 0:
            raise ValueError(f"grid: {name} must be a list of at least one value, got {values!r}.")
        numbers = [value for value in values if isinstance(value, bool | int | float | np.generic)]
        described_once = len({json.dumps(described(value)) for value in values}) == len(values)
        if not described_once or len(set(numbers)) < len(numbers):
            raise ValueError(f"grid: {name} has a value twice, in {values!r}.")
    if not grid:
        raise ValueError("grid has no field: pass {'tau': [0.1, 0.05]}, by the parameters of simulate.")
    return [dict(zip(grid, combination, strict=True)) for combination in itertools.product(*grid.values())]


def configuration(grid: Mapping[str, Sequence[Any]], simulate: Callable[..., Any]) -> dict[str, Any]:
    """The defaults, the code and the versions that the results depend on, whatever the values of the grid.

    Raises ValueError when `simulate` lacks a parameter of the grid, or needs one outside it.
    """
    name, parameters = named(simulate), inspect.signature(simulate).parameters
    if unknown := [field for field in grid if field not in parameters]:
        raise ValueError(f"{name} has no parameter {unknown[0]}, it has {', '.join(parameters)}.")
    others = {p.name: p for p in parameters.values() if p.name not in grid}
    if bare := [p.name for p in others.values() if p.default is p.empty]:
        raise ValueError(f"{name} needs {bare[0]}: put it in the grid, or give it a default.")
    return {
        "defaults": {p.name: described(p.default) for p in others.values()},
        "simulate": {"name": name, "code": code_digest(simulate), "constants": constants(simulate)},
        "versions": {
            "python": platform.python_version(),
            "pgames": __version__,
            **{package: importlib.metadata.version(package) for package in VERSIONED},
        },
    }
