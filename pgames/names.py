"""What the command line takes for a game or a solver: a name with numbers, or a file. Nothing is evaluated.

cyclic:5,p=0.9        matrix.csv        votes.parquet        COMAL:every=50
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pgames as pg
from pgames.games.preference import PreferenceGame

VOTES = (".csv", ".jsonl", ".ndjson", ".parquet")
FILES = (*VOTES, ".txt", ".npz")

SOLVERS = (
    "COMAL DPO EGPO FictitiousPlay INPO IPO IPOMD MMD MNPO MPO NashEMA NashMD ONPO OnlineDPO OnlineIPO "
    "RLHF SLiC SPPO"
).split()
FALLBACK = {"tau": 0.1, "eta": 0.5, "every": 100}  # for what a solver needs and the user does not say


def games() -> dict[str, Callable[..., PreferenceGame]]:
    """The constructors of `pgames.games` whose parameters are numbers, by name."""
    exported = {name: getattr(pg.games, name) for name in pg.games.__all__}
    return {name: make for name, make in exported.items() if _takes_numbers(make)}


def _takes_numbers(make: Callable[..., Any]) -> bool:
    return all(p.annotation in ("int", "float") for p in inspect.signature(make).parameters.values())


def parse_game(text: str, symmetrise: bool = False) -> PreferenceGame:
    """A game from `name:5,p=0.9`, a matrix P (.csv, .txt, .npz) or votes (.csv, .jsonl, .parquet).

    Raises ValueError naming what is wrong with the text or the file, and what would be right.
    """
    path = Path(text)
    if path.suffix.lower() in FILES or path.is_file():
        return _read_game(path, symmetrise)
    name, arguments = split(text)
    known = games()
    if name not in known:
        raise ValueError(
            f"no game or file is named {name!r}: pass a file, or one of {', '.join(sorted(known))}."
        )
    return call(name, known[name], *arguments)


def parse_solver(text: str, tau: float | None = None, eta: float | None = None) -> Any:
    """A solver from `EGPO` or `COMAL:every=50`; tau and eta override what the text says.

    A solver that needs tau or eta and is told neither gets tau = 0.1 and eta = 0.5.
    """
    name, (values, named) = split(text)
    matches = [known for known in SOLVERS if known.lower() == name.lower()]
    if not matches:
        raise ValueError(f"no solver is named {name!r}: use one of {', '.join(SOLVERS)}.")
    make = getattr(pg, matches[0])
    parameters = inspect.signature(make).parameters
    for option, value in {"tau": tau, "eta": eta}.items():
        if value is None:
            continue
        if option not in parameters:
            takes = ", ".join(p for p in parameters if p not in ("pairs", "loss"))
            raise ValueError(f"{matches[0]} has no {option}: leave out --{option} (it takes {takes}).")
        named[option] = value
    given = {*list(parameters)[: len(values)], *named}
    for option, parameter in parameters.items():
        if parameter.default is parameter.empty and option not in given and option in FALLBACK:
            named[option] = FALLBACK[option]
    return call(matches[0], make, values, named)


Arguments = tuple[list[float], dict[str, float]]


def split(text: str) -> tuple[str, Arguments]:
    """`name:1,b=2` as (name, ([1], {"b": 2}))."""
    name, _, tail = text.partition(":")
    values: list[float] = []
    named: dict[str, float] = {}
    for part in filter(None, (piece.strip() for piece in tail.split(","))):
        key, equals, value = part.partition("=")
        if equals:
            named[key.strip()] = _number(value, part)
        elif named:
            raise ValueError(f"{text!r} has {part!r} after a named argument: write it as name=number.")
        else:
            values.append(_number(part, part))
    return name.strip(), (values, named)


def _number(text: str, part: str) -> float:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    raise ValueError(f"{part!r} is not a number: write arguments as name:5,p=0.9.")


def call(name: str, make: Callable[..., Any], values: list[float], named: dict[str, float]) -> Any:
    """make(*values, **named); ValueError says what `name` takes when they do not fit."""
    signature = inspect.signature(make)
    try:
        bound = signature.bind(*values, **named)
    except TypeError as error:
        takes = ", ".join(
            p.name if p.default is p.empty else f"{p.name}={p.default}" for p in signature.parameters.values()
        )
        raise ValueError(f"{name}: {error}; it takes {takes or 'nothing'}.") from None
    for option, value in bound.arguments.items():
        if signature.parameters[option].annotation == "int" and not isinstance(value, int):
            raise ValueError(f"{name}: {option} must be a whole number, got {value}.")
    return make(*bound.args, **bound.kwargs)


def _read_game(path: Path, symmetrise: bool) -> PreferenceGame:
    if not path.is_file():
        raise ValueError(f"{path} is no file: check the path.")
    if path.suffix.lower() == ".npz":
        return _read_npz(path, symmetrise)
    if path.suffix.lower() not in (".jsonl", ".ndjson", ".parquet") and _is_matrix(path):
        return _located(path, PreferenceGame, _read_matrix(path), symmetrise=symmetrise)
    if path.suffix.lower() not in VOTES:
        raise ValueError(f"{path} is neither a matrix of numbers nor votes: its first line has no numbers.")
    return pg.Comparisons.read(path).to_game()


def _located(path: Path, make: Callable[..., PreferenceGame], *values: Any, **named: Any) -> PreferenceGame:
    try:
        return make(*values, **named)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in (line.split(",") if "," in line else line.split())]


def _is_matrix(path: Path) -> bool:
    """Whether the first cell that says something is a number."""
    try:
        with open(path, encoding="utf-8-sig") as file:
            first = next((line for line in file if line.strip()), "")
    except UnicodeDecodeError:
        raise ValueError(f"{path} is not a text file: a matrix or votes are expected.") from None
    if not first:
        raise ValueError(f"{path} is empty: a matrix of win rates or a table of votes is expected.")
    try:
        float(_cells(first)[0])
    except ValueError:
        return False
    return True


def _read_matrix(path: Path) -> NDArray[np.float64]:
    rows: list[list[float]] = []
    with open(path, encoding="utf-8-sig") as file:
        for number, line in enumerate(file, start=1):
            if not line.strip():
                continue
            try:
                rows.append([float(cell) for cell in _cells(line)])
            except ValueError as error:
                raise ValueError(f"{path}, line {number}: {error}: every cell must be a number.") from None
            if len(rows[-1]) != len(rows[0]):
                raise ValueError(
                    f"{path}, line {number} has {len(rows[-1])} numbers and the first has {len(rows[0])}: "
                    "the file looks cut."
                )
    if len(rows) != len(rows[0]):
        raise ValueError(f"{path} has {len(rows)} rows of {len(rows[0])} numbers, P must be square: cut?")
    return np.array(rows)


def _read_npz(path: Path, symmetrise: bool) -> PreferenceGame:
    try:
        with open(path, "rb") as raw, np.load(raw, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except Exception as error:  # whatever zip, zlib and numpy raise on a damaged file
        raise ValueError(f"{path} is not a readable .npz file, cut or damaged? {error}") from None
    known = ("P", "reference", "prompt_weights", "labels")
    if "P" not in arrays or not set(arrays) <= set(known):
        raise ValueError(
            f"{path} has the arrays {', '.join(arrays) or '(none)'}: save it as np.savez(path, P=P), with "
            "reference, prompt_weights and labels if wanted."
        )
    labels = arrays.get("labels")
    return _located(
        path,
        PreferenceGame,
        arrays["P"],
        arrays.get("reference"),
        arrays.get("prompt_weights"),
        None if labels is None else [str(name) for name in labels],
        symmetrise=symmetrise,
    )
