"""Rows with values of any type, for readers of texts: CSV and Parquet in pieces, JSON lines row by row."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pgames.files import parse_json
from pgames.rows.delimited import DelimitedTable
from pgames.rows.parquet import check_content

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
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            if limit is not None and len(rows) >= limit:
                break
            if not line.strip():
                continue
            try:
                row = parse_json(line.decode("utf-8-sig"))
            except UnicodeDecodeError as error:
                raise ValueError(f"{path}, line {number} is not UTF-8 ({error}): save it as UTF-8.") from None
            except ValueError as error:
                raise ValueError(
                    f"{path}, line {number} is not JSON ({error}): repair or remove it."
                ) from None
            if not isinstance(row, dict):
                raise ValueError(
                    f"{path}, line {number} is {type(row).__name__}, not an object: write {{...}}."
                )
            rows.append(row)
    return rows


def rows_of(pieces: Pieces, limit: int | None) -> list[dict[str, Any]]:
    """The first `limit` rows of pieces, as dictionaries."""
    rows: list[dict[str, Any]] = []
    for names, columns in pieces:
        values = [column.to_pylist() for column in columns]
        rows += [dict(zip(names, row, strict=True)) for row in zip(*values, strict=True)]
        if limit is not None and len(rows) >= limit:
            break
    return rows[:limit]
