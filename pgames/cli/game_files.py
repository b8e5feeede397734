"""Games from files: a matrix of win rates, or votes."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.files import read_npz
from pgames.games.preference import PreferenceGame
from pgames.ratings.estimate import ranking_model, ranking_worth, shrunk
from pgames.votes.comparisons import Comparisons

VOTES = (".csv", ".jsonl", ".ndjson", ".parquet")
SUFFIXES = (*VOTES, ".txt", ".npz")


class Source(NamedTuple):
    """A game, and for a game from votes the weight, in votes, of the ranking's predictions."""

    game: PreferenceGame
    ranking_worth: float | None = None


def read_source(path: Path, symmetrise: bool) -> Source:
    """The game of a file: a matrix P (.csv, .txt, .npz), or votes (.csv, .jsonl, .ndjson, .parquet).

    Raises ValueError naming the file, the line where there is one, and the remedy.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not a file: check the path.")
    if path.suffix.lower() == ".npz":
        return Source(_read_npz(path, symmetrise))
    if path.suffix.lower() not in (".jsonl", ".ndjson", ".parquet") and _is_matrix(path):
        return Source(_located(path, PreferenceGame, _read_matrix(path), symmetrise=symmetrise))
    if path.suffix.lower() not in VOTES:
        raise ValueError(f"{path} is neither a matrix of numbers nor votes: its first line has no numbers.")
    votes = Comparisons.read(path)
    model = ranking_model(votes)
    worth = ranking_worth(votes, model)
    return Source(shrunk(votes, model, worth), worth)


def _located(path: Path, make: Callable[..., PreferenceGame], *values: Any, **named: Any) -> PreferenceGame:
    try:
        return make(*values, **named)
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _cells(line: str) -> list[str]:
    return [cell.strip() for cell in (line.split(",") if "," in line else line.split())]


def _is_matrix(path: Path) -> bool:
    """Whether the first cell of the first line that is not blank is a number."""
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


def read_success(path: Path) -> NDArray[np.float64]:
    """The success rates float64[m, n] of a file, attacks by defences: .csv, .txt, or A in an .npz.

    Raises ValueError naming the file, the line where there is one, and the remedy.
    """
    if not path.is_file():
        raise ValueError(f"{path} is not a file: check the path.")
    if path.suffix.lower() != ".npz":
        if not _is_matrix(path):
            raise ValueError(f"{path} is no matrix of success rates: its first line has no numbers.")
        return _read_rows(path)
    arrays = read_npz(path, "a readable .npz file (cut or damaged?)")
    if set(arrays) != {"A"}:
        raise ValueError(
            f"{path} has the arrays {', '.join(arrays) or '(none)'}: save it as np.savez(path, A=A)."
        )
    return arrays["A"]


def _read_matrix(path: Path) -> NDArray[np.float64]:
    table = _read_rows(path)
    if table.shape[0] != table.shape[1]:
        raise ValueError(
            f"{path} has {table.shape[0]} rows of {table.shape[1]} numbers, P must be square: cut?"
        )
    return table


def _read_rows(path: Path) -> NDArray[np.float64]:
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
    return np.array(rows)


def _read_npz(path: Path, symmetrise: bool) -> PreferenceGame:
    arrays = read_npz(path, "a readable .npz file (cut or damaged?)")
    known = ("P", "reference", "prompt_weights", "labels")
    if "P" not in arrays or not set(arrays) <= set(known):
        raise ValueError(
            f"{path} has the arrays {', '.join(arrays) or '(none)'}: save it as np.savez(path, P=P), with "
            "reference, prompt_weights and labels if wanted."
        )
    labels = arrays.get("labels")
    if labels is not None and labels.ndim != 1:
        raise ValueError(
            f"{path}: labels must be one name per response, got an array of shape {labels.shape}."
        )
    return _located(
        path,
        PreferenceGame,
        arrays["P"],
        arrays.get("reference"),
        arrays.get("prompt_weights"),
        None if labels is None else [str(name) for name in labels],
        symmetrise=symmetrise,
    )
