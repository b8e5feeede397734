"""Rows with values of any type, for readers of texts: CSV and Parquet in pieces, JSON lines row by row."""

from __future__ import annotations

import codecs
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import IO, Any

from pgames.files import parse_json
from pgames.rows.delimited import DelimitedTable
from pgames.rows.parquet import check_content
from pgames.rows.table import beginning, check_text, open_bytes

PIECE_ROWS = 2**18  # rows of Parquet read at once

Choose = Callable[[Sequence[str]], list[str]]  # names of all columns -> those to read, or an error
Pieces = Iterator[tuple[list[str], list[Any]]]  # names of the columns, and the columns of one piece


def csv_pieces(path: Path, choose: Choose) -> Pieces:
    """The chosen columns of a CSV file with a header, as text; an empty field is an empty text."""
    table = DelimitedTable(path)
    columns = choose(table.columns)
    for arrays in table.arrays(columns):
        yield columns, arrays


def parquet_pieces(path: Path, choose: Choose) -> Pieces:
    """The chosen columns of a Parquet file.

    Raises ValueError when a small file would take very much memory.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        check_content(file, path)
        columns = choose(file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=PIECE_ROWS, columns=columns):
            yield columns, [batch.column(name) for name in columns]


def json_rows(path: Path, limit: int | None) -> list[dict[str, Any]]:
    """The first `limit` objects of JSON lines, whose values may be of any type.

    Raises ValueError naming the line that is not an object in JSON and UTF-8.
    """
    rows: list[dict[str, Any]] = []
    with open_bytes(path) as file:
        _check_start(file, path)
        for number, line in enumerate(file, 1):
            if limit is not None and len(rows) >= limit:
                break
            if line.strip():
                rows.append(_object(_value(line, path, f", line {number}"), f"{path}, line {number}"))
    return rows


def json_array(path: Path, limit: int | None) -> list[dict[str, Any]] | None:
    """The first `limit` objects of a JSON array, or one object; None where objects stand line by line.

    Raises ValueError naming the row that is not an object, and for a file that is not JSON in UTF-8.
    """
    with open_bytes(path) as file:
        _check_start(file, path)
        text = file.read()
    start = text.lstrip(codecs.BOM_UTF8).lstrip()[:1]
    if start == b"{":
        try:
            return [_value(text, path, "")]
        except ValueError:
            return None  # objects line by line, or damaged
    found = _value(text, path, "") if start else []
    if not isinstance(found, list):
        raise ValueError(f"{path} holds {json.dumps(found)[:40]}, not objects: write [{{...}}, ...].")
    return [_object(row, f"{path}, row {i}") for i, row in enumerate(found[:limit])]


def _check_start(file: IO[bytes], path: Path) -> None:
    try:
        check_text(beginning(file))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


def _value(text: bytes, path: Path, place: str) -> Any:
    """The value of a JSON text of a file. Raises ValueError naming the place of one that is none."""
    try:
        return parse_json(text.decode("utf-8-sig"), once=True)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path}{place} is not UTF-8 ({error}): save it as UTF-8.") from None
    except ValueError as error:
        raise ValueError(f"{path}{place} is not JSON ({error}): repair or remove it.") from None


def _object(value: Any, place: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError(f"{place} is {type(value).__name__}, not an object: write {{...}}.")
    return value


def rows_of(pieces: Pieces, limit: int | None) -> list[dict[str, Any]]:
    """The first `limit` rows of pieces, as dictionaries."""
    rows: list[dict[str, Any]] = []
    for names, columns in pieces:
        values = [column.to_pylist() for column in columns]
        rows += [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
        if limit is not None and len(rows) >= limit:
            break
    return rows[:limit]
