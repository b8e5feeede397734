"""Square matrices in files: win rates, margins or support, with or without names of rows and columns."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.files import parse_json
from pgames.games.preference import SKEW_TOLERANCE, PreferenceGame
from pgames.rows.frames import COLUMNS, DATA, INDEX, holds_frame, json_object
from pgames.rows.table import AS_UTF_8, OBJECTS, check_text, open_bytes, reading, suffix_of
from pgames.votes.recognise import recognise

Array = NDArray[np.float64]

TEXT = (".csv", ".tsv", ".txt")
START = 2**16  # bytes that show whether a file is a matrix
EMPTY = ("", "nan", "na", "n/a", "null", "none", "-")  # cells without a number, in any case
JSON_FRAME = re.compile(rb'(\xef\xbb\xbf)?\s*\{\s*"(columns|index|data)"\s*:')
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+(e[+-]?\d+)?\s*", re.IGNORECASE)


class Matrix(NamedTuple):
    """Numbers float[m, n] in the precision of the file, NaN for an empty cell, and names if there are any."""

    values: NDArray[np.floating]
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
        check_text(start, suffix_of(path) in TEXT)
        if suffix_of(path) in OBJECTS:
            if JSON_FRAME.match(start):
                return _is_frame_of_numbers(path)
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
    numbers = not any(map(_is_name, second[1:])) and any(map(_is_number, second))
    named = len(second) > 1 and second[0] in rows[0][1:]  # whatever the other cells hold
    return (numbers or named) and not _holds_votes(rows[0])


def read_matrix(path: Path) -> Matrix:
    """The matrix float64[m, n] of a text, a JSON file or a .npy file.

    Numbers of a text are separated by commas, semicolons, tabs or blanks.

    Raises ValueError naming the file, the line where there is one, and the remedy.
    """
    with reading(path):
        if suffix_of(path) == ".npy":
            return Matrix(_read_npy(path))
        with open_bytes(path) as file:
            data = file.read()
        check_text(data[:START], suffix_of(path) in TEXT)
        text = _decoded(data)
        return _json_matrix(text) if suffix_of(path) in OBJECTS else _labelled(_cells(text))


def understand(matrix: Matrix, symmetrise: bool) -> Understood:
    """The game of a matrix float64[Y, Y].

    A matrix A with A + A' = 0 holds P - 1/2 where no entry exceeds 1/2, payoffs (P = (1 + A) / 2) where none
    exceeds 1, and margins else (P = 1/2 + A / (2 max A)). A matrix in which the two entries of every pair add
    up to the same number c holds the support by c voters (P = A / c). In a matrix of 0 alone every pair is
    tied. Any other must be win rates P. What stands on the diagonal does not matter if it is empty or 0.

    Raises ValueError when the matrix is not square, its names differ, or it is not a preference game.
    """
    values, names = _square(matrix)
    if values.ndim == 3:
        return Understood(
            PreferenceGame(values, symmetrise=symmetrise), f"win rates on {len(values)} prompts"
        )
    if np.isinf(values).any():
        y, z = np.argwhere(np.isinf(values))[0] + 1
        raise ValueError(f"row {y} has {values[y - 1, z - 1]} in column {z}: every number must be finite.")
    Y = len(values)
    diagonal = np.eye(Y, dtype=bool)
    if names and (gaps := np.argwhere(np.isnan(values) & ~diagonal)).size:
        y, z = (names[i] for i in gaps[0])
        raise ValueError(f"row {y!r} has no number in column {z!r}: every pair needs one.")
    P, kind = _win_rates(values, diagonal)
    return Understood(PreferenceGame(P, labels=names, symmetrise=symmetrise), f"{Y} x {Y} {kind}")


def _win_rates(stored: NDArray[np.floating], diagonal: NDArray[np.bool_]) -> tuple[NDArray[np.floating], str]:
    """P float[Y, Y] of a matrix of finite numbers and NaN, and what it was."""
    values = stored.astype(np.float64)
    allowed = max(SKEW_TOLERANCE, 4 * float(np.finfo(stored.dtype).eps))
    apart, there = values[~diagonal], values[diagonal & ~np.isnan(values)]
    if not apart.any() and not there.any():
        return np.full_like(values, 0.5), "matrix of 0, read as ties"
    unread = np.where(diagonal & np.isnan(stored), stored.dtype.type(0.5), stored), "win rates"
    if not apart.size or np.isnan(apart).any():
        return unread
    with np.errstate(over="ignore"):
        total = (values + values.T)[~diagonal]
        even = np.isfinite(total[0]) and total.max() - total.min() <= allowed * total[0]
    largest = float(np.abs(apart).max())
    if not there.any() and np.abs(total).max() <= allowed * largest:
        values = values / 2 - values.T / 2
        if largest <= 0.5:
            P, kind = 0.5 + values, "matrix A of P - 1/2"
        elif largest <= 1:
            P, kind = (1 + values) / 2, "payoffs A, read as P = (1 + A) / 2"
        else:
            P, kind = (1 + values / largest) / 2, f"margins A, read as P = (1 + A / {largest:g}) / 2"
    elif apart.min() >= 0 and total[0] > 0 and even and _halves(there, float(total[0]), allowed):
        if total[0] == 1 and there.any():
            return unread
        with np.errstate(invalid="ignore"):
            P, kind = values / (values + values.T), "win rates"
        if total[0] != 1:
            kind = f"support A of {total[0]:g} votes a pair, read as P = A / {total[0]:g}"
    elif apart.min() >= 0 and largest > 1:
        raise ValueError(
            f"it holds {largest:g}, and a win rate is at most 1: for counts of wins W save W / (W + W')."
        )
    else:
        return unread
    return np.where(diagonal, 0.5, P), kind


def _halves(there: Array, total: float, allowed: float) -> bool:
    """Whether the diagonal is 0, or holds half of what both orders of a pair add up to."""
    return not there.any() or bool((np.abs(2 * there - total) <= allowed * total).all())


def _square(matrix: Matrix) -> tuple[NDArray[np.floating], tuple[str, ...] | None]:
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
    """The matrix of rows of cells, with a row and a column of names where they are not numbers."""
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
    if first[0].lower() in EMPTY and all(map(_is_number, first[1:])):  # or the empty diagonal of a matrix
        tie = len(rest) == 1 and not _is_number(rest[0][-1])
        return first[1:] == [row[0] for row in rest] and len(set(first)) == len(first) and not tie
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
        raise ValueError(f"it is not text in UTF-8: {AS_UTF_8}.") from None


def _cells(text: str, limit: int | None = None) -> list[list[str]]:
    """The cells of each line that is not blank."""
    lines = [line for line in text.splitlines() if line.strip()]
    marked = next((n for n, line in enumerate(lines) if not line.startswith("# ")), len(lines))
    separator = next((sep for sep in ";\t," if lines[marked:] and sep in lines[marked]), None)
    rows = list(_split(lines[marked:][:limit], separator))
    if marked and rows and lines[marked - 1].count("#") == 1:  # names, or a remark, as numpy.savetxt writes
        names = next(iter(_split([lines[marked - 1][2:]], separator)))
        if len(names) == len(rows[0]) - _is_name(rows[0][0]):
            rows.insert(0, names)
    elif marked and rows:
        rows = list(_split(lines[marked - 1 :], separator))
    return rows[:limit]


def _split(lines: list[str], separator: str | None) -> Iterator[list[str]]:
    if separator is None:
        yield from (line.split() for line in lines)
        return
    for row in csv.reader(io.StringIO("\n".join(lines)), delimiter=separator, skipinitialspace=True):
        yield [_point(cell.strip()) if separator != "," else cell.strip() for cell in row]


def _point(cell: str) -> str:
    """The cell, with a point where it is a number with a decimal comma."""
    return cell.replace(",", ".") if DECIMAL_COMMA.fullmatch(cell) else cell


def _is_frame_of_numbers(path: Path) -> bool:
    """Whether a file holds one JSON object with columns that hold no votes, and rows of numbers."""
    found = (json_object(path) or ("", None))[1]
    if found is None or not holds_frame(found) or not found[DATA] or not isinstance(found[DATA][0], list):
        return False
    return not _holds_votes([str(name) for name in found[COLUMNS]]) and not any(
        isinstance(cell, str | list | dict) for cell in found[DATA][0]
    )


def _json_matrix(text: str) -> Matrix:
    found = parse_json(text)
    if not holds_frame(found):
        return Matrix(_json_values(found))
    columns = tuple(str(name) for name in found[COLUMNS])
    index = found.get(INDEX)
    numbered = not isinstance(index, list) or index == list(range(len(index)))
    rows = tuple(map(str, range(len(found[DATA])) if numbered else index))
    values = _json_values(found[DATA])
    if values.shape != (len(rows), len(columns)):
        raise ValueError(f"there are {len(rows)} rows and {len(columns)} columns for {values.shape} numbers.")
    return Matrix(values, None if numbered and set(rows) != set(columns) else rows, columns)


def _json_values(rows: Any) -> Array:
    if not isinstance(rows, list) or not rows or not all(isinstance(row, list) for row in rows):
        raise ValueError("it is not a list of lists of numbers.")
    for n, row in enumerate(rows, 1):
        for cell in row:
            if isinstance(cell, bool) or not isinstance(cell, int | float | None):
                raise ValueError(f"row {n} holds {cell!r:.40}: every cell must be a number.")
        if not row:
            raise ValueError(f"row {n} is empty: every row must have as many numbers as the first.")
        if len(row) != len(rows[0]):
            raise ValueError(
                f"row {n} has {len(row)} numbers and the first has {len(rows[0])}: the file looks cut."
            )
    return np.array([[np.nan if cell is None else _large(cell) for cell in row] for row in rows])


def _large(cell: float) -> float:
    try:
        return float(cell)
    except OverflowError:  # a whole number above 1.8e308
        return np.inf if cell > 0 else -np.inf


def _read_npy(path: Path) -> NDArray[np.floating]:
    try:
        if path.suffix.lower() == ".gz":
            with open_bytes(path) as file:
                stored = np.load(io.BytesIO(file.read()), allow_pickle=False)
        else:
            stored = np.load(path, mmap_mode="r", allow_pickle=False)
    except Exception as error:  # numpy raises many kinds on a damaged file
        raise ValueError(f"it is not a readable .npy file, cut or damaged? {error!s:.200}") from None
    if not isinstance(stored, np.ndarray):
        stored.close()
        raise ValueError("it is an .npz file: let its name end in .npz.")
    if stored.dtype.kind not in "biuf":
        raise ValueError(f"it holds {stored.dtype}, and real numbers are needed: save float64.")
    return np.array(stored, dtype=stored.dtype if stored.dtype in (np.float16, np.float32) else np.float64)


def _is_number(cell: str) -> bool:
    try:
        _read_number(cell)
    except ValueError:
        return False
    return cell.lower() not in EMPTY


def _is_name(cell: str) -> bool:
    return not _is_number(cell) and cell.lower() not in EMPTY


def _read_number(cell: str) -> float:
    if "_" in cell:  # which Python takes between digits
        raise ValueError
    return float(cell)


def _number(cell: str, line: int) -> float:
    if cell.lower() in EMPTY:
        return np.nan
    try:
        return _read_number(cell)
    except ValueError:
        raise ValueError(f"line {line} has {cell!r:.60}: every cell must be a number.") from None
