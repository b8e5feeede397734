"""The table of a file, by the end of its name."""

from __future__ import annotations

from pathlib import Path

from pgames.rows.choices import choice_table
from pgames.rows.delimited import DelimitedTable
from pgames.rows.frames import frame_table, json_object
from pgames.rows.objects import ObjectTable
from pgames.rows.parquet import ParquetTable
from pgames.rows.table import OBJECTS, SUFFIXES, Table, reading, suffix_of


def open_table(path: Path, drop: bool = False) -> Table:
    """The table of a file .csv, .tsv, .txt, .jsonl, .ndjson, .json (each may end in .gz) or .parquet.

    With `drop`, `pieces` will leave out damaged rows, so those of JSON are not refused here. Raises
    ValueError, in one line that begins with the path, when there is no such file or it is not a table.
    """
    suffix = suffix_of(path)
    with reading(path):
        if path.is_dir():
            raise ValueError("it is a folder: name a file in it.")
        if not path.is_file():
            if path.exists() or str(path) == "-":
                raise ValueError("it is not a regular file: save it first.")
            raise ValueError("no such file.")
        if suffix not in SUFFIXES or (suffix == ".parquet" and path.suffix.lower() == ".gz"):
            raise ValueError(f"cannot tell the format from {path.suffix!r}: need {', '.join(SUFFIXES)}.")
        if path.stat().st_size == 0:
            raise ValueError("the file is empty: it needs a header and at least one vote.")
        return _table(path, suffix, drop)


def _table(path: Path, suffix: str, drop: bool) -> Table:
    if suffix == ".parquet":
        return ParquetTable(path)
    if suffix == ".json" and (one := json_object(path)) is not None:
        text, found = one
        if (table := choice_table(found) or frame_table(text, found)) is not None:
            return table
    if suffix in OBJECTS:
        return ObjectTable(path, drop)
    return DelimitedTable(path, "\t" if suffix == ".tsv" else None)
