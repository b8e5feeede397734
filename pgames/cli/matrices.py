"""Square matrices in files: win rates, margins or support, with or without names of rows and columns."""

from __future__ import annotations

import csv
import io
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.files import parse_json
from pgames.games.preference import SKEW_TOLERANCE, PreferenceGame
from pgames.rows.table import OBJECTS, open_bytes, reading, suffix_of
from pgames.votes.recognise import recognise

Array = NDArray[np.float64]

TEXT = (".csv", ".tsv", ".txt")
START = 2**16  # bytes that show whether a file is a matrix
EMPTY = ("", "nan", "na", "n/a", "null", "none", "-")  # cells without a number, in any case


class Matrix(NamedTuple):
    """Numbers float64[m, n], NaN for an empty cell, with the names of rows and columns if there are any."""

    values: Array
    rows: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None


class Understood(NamedTuple):
    """A game, and a line on how the matrix was understood."""

    game: PreferenceGame
    kind: str


def looks_like_a_matrix(path: Path) -> bool:
    """Whether a text begins with a row of numbers, or with names and a row of one name and numbers.

    Raises ValueError when the file is empty or no text.
    """
    with reading(path), open_bytes(path) as file:
        start = file.read(START)
        if suffix_of(path) in OBJECTS:
            return re.match(rb"(\xef\xbb\xbf)?\s*\[\s*\[", start) is not None
        if not start.strip():
            raise ValueError("the file is empty: a matrix of win rates or a table of votes is expected.")
        whole = start if len(start) < START else start[: start.rfind(b"\n") + 1] or start
        rows = _cells(_decoded(whole), limit=2)
    if not rows:
        return False
    if _is_number(rows[0][0]):
        return True
    second = rows[1] if len(rows) > 1 else []
    names = [cell for cell in second[1:] if not _is_number(cell) and cell.lower() not in EMPTY]
    return not names and any(map(_is_number, second)) and not _holds_votes(rows[0])


def read_matrix(path: Path) -> Matrix:
    """The matrix float64[m, n] of a text, a JSON file or a .npy file.

    Numbers of a text are separated by commas, semicolons, tabs or blanks.

    Raises ValueError naming the file, the line where there is one, and the remedy.
    """
    with reading(path):
        if path.suffix.lower() == ".npy":
            return Matrix(_read_npy(path))
        with open_bytes(path) as file:
            data = file.read()
        text = _decoded(data)
        rows = _json_rows(text) if suffix_of(path) in OBJECTS else _cells(text)
        return _labelled(rows)


def understand(matrix: Matrix, symmetrise: bool) -> Understood:
    """The game of a matrix float64[Y, Y].

    A matrix A with A + A' = 0 holds P - 1/2 where no entry exceeds 1/2, payoffs (P = (1 + A) / 2) where none
    exceeds 1, and margins else (P = 1/2 + A / (2 max A)). A matrix in which the two entries of every pair add
    up to the same number c holds the support by c voters (P = A / c). Any other must be win rates P. What
    stands on the diagonal of a named matrix does not matter if it is empty or 0.

    Raises ValueError when the matrix is not square, its names differ, or it is no preference game.
    """
    values, names = _square(matrix)
    if values.ndim == 3:
        return Understood(
            PreferenceGame(values, symmetrise=symmetrise), f"win rates on {len(values)} prompts"
        )
    Y = len(values)
    diagonal = np.eye(Y, dtype=bool)
    if names and (gaps := np.argwhere(np.isnan(values) & ~diagonal)).size:
        y, z = (names[i] for i in gaps[0])
        raise ValueError(f"row {y!r} has no number in column {z!r}: every pair needs one.")
    P, kind = _win_rates(values, diagonal)
    return Understood(PreferenceGame(P, labels=names, symmetrise=symmetrise), f"{Y} x {Y} {kind}")


def _win_rates(values: Array, diagonal: NDArray[np.bool_]) -> tuple[Array, str]:
    """P float64[Y, Y] of a matrix, and what it was."""
    apart = values[~diagonal]
    total = (values + values.T)[~diagonal]
    there = values[diagonal & ~np.isnan(values)]
    if not apart.size or not np.isfinite(apart).all() or there.any():
        return np.where(diagonal & np.isnan(values), 0.5, values), "win rates"
    largest = float(np.abs(apart).max())
    if largest > 0 and np.abs(total).max() <= SKEW_TOLERANCE * largest:
        if largest <= 0.5:
            P, kind = 0.5 + values, "matrix A of P - 1/2"
        elif largest <= 1:
            P, kind = (1 + values) / 2, "payoffs A, read as P = (1 + A) / 2"
        else:
            P, kind = 0.5 + values / largest / 2, f"margins A, read as P = 1/2 + A / {2 * largest:g}"
    elif apart.min() >= 0 and total[0] > 0 and np.ptp(total) <= SKEW_TOLERANCE * total[0]:
        P, kind = values / total[0], "win rates"
        if total[0] != 1:
            kind = f"support A of {total[0]:g} votes a pair, read as P = A / {total[0]:g}"
    else:
        return values, "win rates"
    return np.where(diagonal, 0.5, P), kind


def _square(matrix: Matrix) -> tuple[Array, tuple[str, ...] | None]:
    """The matrix with rows in the order of the columns, and its names."""
    values, rows, columns = matrix
    if values.ndim not in (2, 3) or values.shape[-1] != values.shape[-2]:
        shape = " x ".join(map(str, values.shape))
        raise ValueError(f"it has {shape} numbers, and P must be square: is the file cut?")
    names = columns or rows
    for named in (rows, columns):
        if named and len(set(named)) < len(named):
            twice = next(name for name in named if named.count(name) > 1)
            raise ValueError(f"the name {twice!r} stands twice: name each row and column once.")
    if rows and columns and rows != columns:
        if set(rows) != set(columns):
            odd = next(name for name in (*rows, *columns) if (name in rows) != (name in columns))
            raise ValueError(f"rows and columns must have the same names: {odd!r} is only in one of them.")
        values = values[[rows.index(name) for name in columns]]
    return values, names


def _labelled(rows: list[list[str]]) -> Matrix:
    """The matrix of rows of cells, with a row and a column of names where they are no numbers."""
    if not rows:
        raise ValueError("the file is empty: a matrix of win rates or a table of votes is expected.")
    if len(rows) > 1 and all(row and row[-1] == "" for row in rows):
        rows = [row[:-1] for row in rows]  # every line ends in a separator
    header, first = None, 1
    if _has_header(rows):
        header, rows, first = rows[0], rows[1:], 2
    if not rows:
        raise ValueError("it has a line of names and no numbers: is the file cut?")
    width = len(rows[0])
    names: list[str] | None = None
    if header is not None and (len(header) == len(rows) + 1 or not _is_number(rows[0][0])):
        names = [row[0] for row in rows]
        rows = [row[1:] for row in rows]
        header = header[1:] if len(header) == width else header
        width -= 1
    values = np.empty((len(rows), width))
    for n, row in enumerate(rows):
        if len(row) != width:
            raise ValueError(
                f"line {n + first} has {len(row)} numbers and the first has {width}: the file looks cut."
            )
        for k, cell in enumerate(row):
            values[n, k] = _number(cell, n + first)
    if header is not None and len(header) != width:
        raise ValueError(f"there are {len(header)} names for {width} columns: is the file cut?")
    return Matrix(values, tuple(names) if names else None, tuple(header) if header else None)


def _has_header(rows: list[list[str]]) -> bool:
    """Whether the first row names the columns."""
    first, rest = rows[0], rows[1:]
    if first[0] == "" and all(_is_number(cell) for cell in first[1:]):  # or the empty diagonal of a matrix
        return first[1:] == [row[0] for row in rest] and len(set(first)) == len(first)
    numbered = len(rest) == len(first) and first == [str(i) for i in range(len(first))]  # as pandas does
    return numbered or not _is_number(first[0])


def _holds_votes(columns: list[str]) -> bool:
    try:
        recognise(columns, None, None, None, None)
    except ValueError:
        return False
    return True


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError("it is not a text file: a matrix or votes are expected.") from None


def _cells(text: str, limit: int | None = None) -> list[list[str]]:
    """The cells of each line that is not blank."""
    lines = [line for line in text.splitlines() if line.strip()][:limit]
    separator = next((sep for sep in ";\t," if lines and sep in lines[0]), None)
    if separator is None:
        return [line.split() for line in lines]
    rows = csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, skipinitialspace=True)
    cells = [[cell.strip() for cell in row] for row in rows]
    return [[cell.replace(",", ".") for cell in row] for row in cells] if separator == ";" else cells


def _json_rows(text: str) -> list[list[str]]:
    value = parse_json(text)
    if not isinstance(value, list) or not all(isinstance(row, list) for row in value):
        raise ValueError("it is no list of lists of numbers.")
    for n, row in enumerate(value, 1):
        for cell in row:
            if isinstance(cell, bool) or not isinstance(cell, int | float | None):
                raise ValueError(f"row {n} holds {cell!r:.40}: every cell must be a number.")
    return [["" if cell is None else repr(cell) for cell in row] for row in value]


def _read_npy(path: Path) -> Array:
    try:
        stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy raises many kinds on a damaged file
        raise ValueError(f"it is not a readable .npy file, cut or damaged? {error!s:.200}") from None
    if stored.dtype.kind not in "biuf":
        raise ValueError(f"it holds {stored.dtype}, and real numbers are needed: save float64.")
    return np.array(stored, dtype=np.float64)


def _is_number(cell: str) -> bool:
    try:
        float(cell)
    except ValueError:
        return False
    return cell.lower() not in EMPTY


def _number(cell: str, line: int) -> float:
    if cell.lower() in EMPTY:
        return np.nan
    try:
        return float(cell)
    except ValueError:
        raise ValueError(f"line {line} has {cell!r:.60}: every cell must be a number.") from None
