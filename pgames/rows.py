"""Rows of files: CSV and Parquet in pieces of columns, JSON lines in pieces or row by row."""

from __future__ import annotations

import csv as plain_csv
import io
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

from pgames.files import check_growth, parse_json

PIECE = 8 * 2**20  # bytes of CSV or JSON lines read at once
PIECE_ROWS = 2**18  # rows of Parquet read at once

Choose = Callable[[Sequence[str]], list[str]]  # names of all columns -> those to read, or an error
Pieces = Iterator[tuple[list[str], list[Any]]]  # names of the columns, and the columns of one piece


def csv_pieces(path: Path, choose: Choose) -> Pieces:
    """The chosen columns of a CSV file with a header, as text; an empty field is an empty text."""
    from pyarrow import csv, string

    parse = csv.ParseOptions(newlines_in_values=True)
    read = csv.ReadOptions(block_size=PIECE)
    with open(path, encoding="utf-8-sig", newline="") as file:
        header = next(plain_csv.reader(file), [])
    columns = choose(header)
    convert = csv.ConvertOptions(
        column_types=dict.fromkeys(header, string()), include_columns=columns, strings_can_be_null=False
    )
    for batch in csv.open_csv(path, read, parse, convert):
        yield columns, batch.columns


def json_pieces(path: Path, choose: Choose) -> Pieces:
    """The chosen columns of JSON lines, each column of one type; every piece must have them."""
    from pyarrow import json as arrow_json

    with open(path, "rb") as file:
        while piece := file.read(PIECE):
            piece += file.readline()  # up to the end of the line
            if not piece.strip():
                continue
            options = arrow_json.ReadOptions(block_size=len(piece) + 1)
            table = arrow_json.read_json(io.BytesIO(piece), options)
            columns = choose(table.column_names)
            yield columns, [table.column(name).combine_chunks() for name in columns]


def parquet_pieces(path: Path, choose: Choose) -> Pieces:
    """The chosen columns of a Parquet file.

    Raises ValueError when a small file would take very much memory.
    """
    from pyarrow import parquet

    with parquet.ParquetFile(path) as file:
        stored, about = path.stat().st_size, file.metadata
        groups = [about.row_group(i) for i in range(about.num_row_groups)]
        check_growth(max(4 * about.num_rows, sum(group.total_byte_size for group in groups)), stored)
        columns = choose(file.schema_arrow.names)
        for batch in file.iter_batches(batch_size=PIECE_ROWS, columns=columns):
            yield columns, [batch.column(name) for name in columns]


# Readers of pieces by the end of the file's name.
READERS = {".csv": csv_pieces, ".jsonl": json_pieces, ".ndjson": json_pieces, ".parquet": parquet_pieces}


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
