"""Rows of files and data sets: JSON, CSV and Parquet files, folders saved by `datasets`, the hub."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any

from pgames.rows.plain import Choose, Pieces, csv_pieces, json_array, json_rows, parquet_pieces, rows_of
from pgames.rows.table import suffix_of

COLUMNS: dict[str, Callable[[Path, Choose], Pieces]] = {
    ".csv": csv_pieces,
    ".tsv": csv_pieces,
    ".parquet": parquet_pieces,
}
LINES = (".jsonl", ".ndjson", ".json")
NAMES = ".jsonl, .json, .csv, .tsv (each may end in .gz) or .parquet"


def read_rows(
    source: str | Path, columns: list[str], split: str, limit: int | None, optional: Sequence[str] = ()
) -> list[dict[str, Any]]:
    """The first `limit` rows of a source, each with these columns, and the `optional` ones where they exist.

    Raises ValueError naming the problem of the source, FileNotFoundError when a file does not exist.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be at least 1, or None for all rows, got {limit}.")
    if not str(source).strip():
        raise ValueError("the source is empty: pass the path of a file, or the name of a data set.")
    path = Path(source)
    suffix = suffix_of(path)
    if suffix in (*LINES, *COLUMNS) and not path.is_file():
        raise FileNotFoundError(
            f"{source} is {'a folder' if path.is_dir() else 'not there'}: pass the path of a {suffix} "
            f"file, seen from {Path.cwd()}."
        )
    if suffix in LINES:
        rows = _read_objects(path, limit)
    elif suffix in COLUMNS:
        rows = _read_columns(COLUMNS[suffix], path, columns, limit, optional)
    elif suffix == ".txt" or path.is_file():
        raise ValueError(
            f"{source}: cannot read {suffix or 'a file without a suffix'}; write one JSON object per line to "
            f"a .jsonl file. Read are {NAMES}."
        )
    else:
        rows = _read_dataset(source, columns, split, limit, optional)
    if not rows:
        raise ValueError(f"{source} has no rows: need at least one prompt.")
    for i, row in enumerate(rows):
        for column in columns:
            if column not in row:
                raise no_column(source, column, row, f"row {i} ")
    return rows


def no_column(source: object, column: str, columns: Iterable[str], where: str = "") -> ValueError:
    """The error for a column that is not there, with the columns that are."""
    return ValueError(
        f"{source}: {where}has no column {column!r}, it has {', '.join(columns)}: pass one of these."
    )


def _read_objects(path: Path, limit: int | None) -> list[dict[str, Any]]:
    """Rows of a file of JSON objects. Raises ValueError when it is damaged or of another format."""
    try:
        found = json_array(path, limit) if suffix_of(path) == ".json" else None
        return json_rows(path, limit) if found is None else found
    except (OSError, EOFError) as error:  # of a damaged .gz
        raise ValueError(f"{path} is not a complete file ({_line(error)}): copy or write it again.") from None


def _read_columns(
    pieces: Callable[[Path, Choose], Pieces],
    path: Path,
    columns: list[str],
    limit: int | None,
    optional: Sequence[str],
) -> list[dict[str, Any]]:
    """Rows of a file of columns. Raises ValueError when it is damaged, or a column is missing."""
    import pyarrow as pa

    kind = suffix_of(path)[1:]
    if not path.stat().st_size and kind != "parquet":
        raise ValueError(f"{path} is empty: it needs a header and at least one row.")
    if kind == "parquet" and path.suffix.lower() == ".gz":
        raise ValueError(f"{path}: a Parquet file is compressed already: unpack it.")
    try:
        return rows_of(pieces(path, lambda names: _chosen(path, columns, optional, names)), limit)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8 ({error}): save it as UTF-8.") from None
    except (pa.ArrowException, csv.Error, OSError, EOFError) as error:
        if "UTF8" in str(error):
            raise ValueError(f"{path} is not UTF-8 ({_line(error)}): save it as UTF-8.") from None
        raise ValueError(
            f"{path} is not a complete {kind} file ({_line(error)}): copy or write it again."
        ) from None
    except ValueError as error:
        if str(error).startswith(str(path)):
            raise
        raise ValueError(f"{path}: {error}") from None


def _chosen(source: object, columns: list[str], optional: Sequence[str], names: Sequence[str]) -> list[str]:
    """The columns to read. Raises ValueError when one is missing or stands twice, or there is none."""
    for column in columns:
        if column not in names:
            raise no_column(source, column, names)
    chosen = list(dict.fromkeys([*columns, *(column for column in optional if column in names)]))
    if not chosen:
        raise no_column(source, optional[0], names)
    for column in chosen:
        if list(names).count(column) > 1:
            raise ValueError(f"{source}: the column {column!r} stands twice: rename or remove one of them.")
    return chosen


def _read_dataset(
    source: str | Path, columns: list[str], split: str, limit: int | None, optional: Sequence[str]
) -> list[dict[str, Any]]:
    import datasets

    path = Path(source)
    saved = (path / "state.json").exists() or (path / "dataset_dict.json").exists()
    try:
        data = (
            datasets.load_from_disk(str(path)) if saved else datasets.load_dataset(str(source), split=split)
        )
    except Exception as error:  # files, network, splits and formats raise errors of many types
        here = "cannot be read" if path.exists() else "is not a file or folder here, and not on the hub"
        raise ValueError(
            f"{source} {here} ({_line(error)}): pass a .jsonl or .parquet file, a folder saved by datasets, "
            "or the name and split of a data set of the hub."
        ) from None
    if isinstance(data, datasets.DatasetDict):
        if split not in data:
            raise ValueError(
                f"{source} has no split {split!r}, it has {', '.join(map(str, data))}: pass one."
            )
        data = data[split]
    data = data.select_columns(_chosen(source, columns, optional, data.column_names))
    if limit is not None:
        data = data.select(range(min(limit, len(data))))
    return list(data)  # pyright: ignore[reportReturnType]


def _line(error: Exception) -> str:
    return " ".join(f"{type(error).__name__}: {error}".split())[:300]
