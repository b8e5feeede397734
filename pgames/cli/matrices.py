"""Matrices of numbers in files, with or without names of rows and columns."""

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
from pgames.rows.frames import COLUMNS, DATA, INDEX, holds_frame, json_object
from pgames.rows.table import AS_UTF_8, OBJECTS, Damaged, check_text, open_bytes, reading, suffix_of
from pgames.votes.recognise import recognise

Array = NDArray[np.float64]

TEXT = (".csv", ".tsv", ".txt")
START = 2**16  # bytes that show whether a file is a matrix
EMPTY = ("", "nan", "na", "n/a", "null", "none", "-")  # cells without a number, in any case
JSON_FRAME = re.compile(rb'(\xef\xbb\xbf)?\s*\{\s*"(columns|index|data)"\s*:')
DECIMAL_COMMA = re.compile(r"\s*[+-]?\d*,\d+(e[+-]?\d+)?\s*", re.IGNORECASE)
REAL = "and real numbers are needed: save float64."


class Matrix(NamedTuple):
    """Numbers float[m, n] in the precision of the file, NaN for an empty cell, and names if there are any."""

    values: NDArray[np.floating]
    rows: tuple[str, ...] | None = None
    columns: tuple[str, ...] | None = None


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
    except ValueError as error:
        if "object" in str(error).lower():
            raise ValueError(f"it holds Python objects, {REAL}") from None
        raise Damaged(f"{error!s:.200}") from None
    if not isinstance(stored, np.ndarray):
        stored.close()
        raise ValueError("it is an .npz file: let its name end in .npz.")
    if stored.dtype.kind not in "biuf":
        raise ValueError(f"it holds {stored.dtype!s:.60}, {REAL}")
    small = stored.dtype.kind == "f" and stored.dtype.itemsize < 8  # in either order of bytes
    return np.array(stored, dtype=f"f{stored.dtype.itemsize}" if small else np.float64)


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
