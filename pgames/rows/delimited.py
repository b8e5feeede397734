"""Tables of text whose cells are separated by commas, semicolons or tabs, with a header."""

from __future__ import annotations

import codecs
import csv as plain_csv
import io
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np

from pgames.extras import need
from pgames.rows.coded import GAP, Coded
from pgames.rows.table import RAGGED, beginning, check_text, open_bytes

PIECE = 8 * 2**20  # bytes read at once
LONGEST = 2**20  # characters of a line of the header
SEPARATORS = {",": "CSV", ";": "CSV with ';'", "\t": "TSV"}


class DelimitedTable:
    """A .csv, .tsv or .txt file. Without `separator`, it is the one that makes most cells of the header.

    Raises ValueError when the header is not text in UTF-8.
    """

    rows = None
    fault = RAGGED

    def __init__(self, path: Path, separator: str | None = None):
        self.path = path
        with open_bytes(path) as file:
            check_text(beginning(file), separated=True)
            start = _Start(file)
            start.read(separator or ",")
            self.separator = separator or max(SEPARATORS, key=lambda sep: len(start.cells(sep)))
            header = start.cells(self.separator)
            self._header = start.size  # bytes
            start.read(self.separator)
            first = start.cells(self.separator)
        if first and first[-1] == "" and len(first) == len(header) + 1:
            header = [*header, ""]  # every row ends in a separator
        elif header and header[-1] == "" and len(first) == len(header) - 1:
            header = header[:-1]
        self.columns = header
        self.kind = SEPARATORS[self.separator]

    def arrays(self, names: Sequence[str], ragged: list[int] | None = None) -> Iterator[list[Any]]:
        """The pyarrow columns of these names, piece by piece, as text; an empty cell is an empty text."""
        pa, csv = need("pyarrow", "votes"), need("pyarrow.csv", "votes")

        def leave_out(row: Any) -> str:
            assert ragged is not None
            ragged.append(row.number)
            return "skip"

        parse = csv.ParseOptions(
            delimiter=self.separator,
            newlines_in_values=True,
            invalid_row_handler=None if ragged is None else leave_out,
        )
        places = [str(i) for i in range(len(self.columns))]  # names of columns may be equal
        # rows are numbered only on one thread
        read = csv.ReadOptions(block_size=PIECE, column_names=places, use_threads=ragged is None)
        convert = csv.ConvertOptions(
            column_types=dict.fromkeys(places, pa.string()),
            include_columns=[places[self.columns.index(name)] for name in names],
            strings_can_be_null=False,
        )
        with open_bytes(self.path) as file:
            file.read(self._header)
            if file.peek(1):  # pyright: ignore[reportAttributeAccessIssue]
                for batch in csv.open_csv(file, read, parse, convert):
                    yield batch.columns

    def pieces(self, names: Sequence[str], ragged: list[int] | None = None) -> Iterator[list[Coded]]:
        """See `Table.pieces`."""
        for columns in self.arrays(names, ragged):
            yield [_coded(column) for column in columns]


def _coded(column: Any) -> Coded:
    encoded = column.dictionary_encode()
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int32, copy=False)
    return Coded(codes, [text or GAP for text in encoded.dictionary.to_pylist()])


class _Start:
    """The first records of a file of text, and the number of bytes read so far."""

    def __init__(self, file: IO[bytes]):
        self.size = 3 if file.peek(3)[:3] == codecs.BOM_UTF8 else 0  # pyright: ignore[reportAttributeAccessIssue]
        self._file = io.TextIOWrapper(file, encoding="utf-8-sig", newline="")
        self._lines: list[str] = []

    def read(self, separator: str) -> None:
        """Read the next record that is not blank. Raises ValueError when a line is too long."""
        self._lines = []
        for record in plain_csv.reader(self._more(), delimiter=separator):
            if record:
                break

    def cells(self, separator: str) -> list[str]:
        """The cells of the record that was read last."""
        return next((r for r in plain_csv.reader(iter(self._lines), delimiter=separator) if r), [])

    def _more(self) -> Iterator[str]:
        length = 0
        while line := self._file.readline(LONGEST):
            length += len(line)
            if length >= LONGEST:
                raise ValueError(f"its first {LONGEST} characters are one line, or blank: it is not a table.")
            self._lines.append(line)
            self.size += len(line.encode())
            yield line
