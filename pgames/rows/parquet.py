"""Tables in Parquet files. Columns of texts are read as dictionaries, without a text for each row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pgames.extras import need
from pgames.files import check_growth
from pgames.rows.coded import GAP, MIDNIGHT, ODD, Coded, Text, text_of
from pgames.rows.table import RAGGED

PIECE_ROWS = 2**18  # rows read at once: with more, memory is not reused between pieces
JOINED = b"PAR1PAR1"  # the end of one Parquet file and the beginning of another


class ParquetTable:
    """A .parquet file.

    Raises ValueError when a small file would take very much memory, or is several files joined into one.
    """

    kind = "Parquet"
    fault = RAGGED

    def __init__(self, path: Path):
        self.path = path
        parquet = need("pyarrow.parquet", "votes")
        with parquet.ParquetFile(path) as file:
            check_content(file, path)
            self.rows = file.metadata.num_rows
            self.columns: list[str] = file.schema_arrow.names
            self._texts = [field.name for field in file.schema_arrow if _is_text(field.type)]

    def pieces(self, names: Sequence[str], ragged: list[int] | None = None) -> Iterator[list[Coded]]:
        """See `Table.pieces`; no row is ragged."""
        parquet = need("pyarrow.parquet", "votes")
        texts = [name for name in names if name in self._texts]
        known: dict[str, tuple[Any, list[Text]]] = {}
        with parquet.ParquetFile(self.path, read_dictionary=texts) as file:
            for batch in file.iter_batches(batch_size=PIECE_ROWS, columns=list(names)):
                yield [_coded(batch.column(name), name, known) for name in names]


def check_content(file: Any, path: Path) -> None:
    """Raises ValueError when the file would take very much memory, or is several files joined into one."""
    about, stored = file.metadata, path.stat().st_size
    groups = [about.row_group(i) for i in range(about.num_row_groups)]
    check_growth(max(4 * about.num_rows, sum(group.total_byte_size for group in groups)), stored)
    rows = sum(group.num_rows for group in groups)
    if rows != about.num_rows:
        raise ValueError(f"it says {about.num_rows} rows and holds {rows}: write it again.")
    if _joined(path):
        raise ValueError("it is several Parquet files joined into one: read them one by one, or merge them.")


def _joined(path: Path) -> bool:
    """Whether a whole Parquet file stands before the last one.

    Where the pages of the last one end is not asked of pyarrow: on damaged statistics of a column, that call
    ends the process (pyarrow 26).
    """
    parquet, pa = need("pyarrow.parquet", "votes"), need("pyarrow", "votes")
    with open(path, "rb") as file:
        at, before = 0, b""
        while piece := file.read(2**24):
            found = piece.find(JOINED)
            if found < 0 and (seam := (before + piece[: len(JOINED)]).find(JOINED)) >= 0:
                found = seam - len(before)
            if found >= 0:
                file.seek(0)
                try:
                    parquet.ParquetFile(pa.BufferReader(file.read(at + found + 4)))
                except (pa.ArrowException, OSError, ValueError):
                    return False  # the bytes of a value
                return True
            at, before = at + len(piece), piece[-len(JOINED) :]
    return False


def _is_text(kind: Any) -> bool:
    pa = need("pyarrow", "votes")
    return pa.types.is_string(kind) or pa.types.is_large_string(kind)


def _coded(column: Any, name: str, known: dict[str, tuple[Any, list[Text]]]) -> Coded:
    """The coded column; `known` holds the last dictionary of each name with its texts."""
    pa = need("pyarrow", "votes")
    kind = column.type
    if pa.types.is_nested(kind):
        odd = np.asarray(column.is_valid()).astype(np.int32)
        return Coded(odd, [GAP, ODD])
    if not pa.types.is_dictionary(kind):
        column = column.dictionary_encode()
    dictionary = column.dictionary
    if name not in known or not known[name][0].equals(dictionary):
        try:
            known[name] = dictionary, [*_texts(dictionary), GAP]
        except pa.ArrowException as error:
            raise ValueError(f"column {name!r} holds {kind} and is not readable: {error!s:.200}") from None
    texts = known[name][1]
    codes = column.indices
    if codes.null_count:
        codes = codes.fill_null(len(texts) - 1)
    places = codes.to_numpy(zero_copy_only=False)
    if places.size and not 0 <= places.min() <= places.max() < len(texts):
        raise ValueError(f"column {name!r} is damaged: it refers to values that are not there.")
    return Coded(places.astype(np.int32, copy=False), texts)


def _texts(dictionary: Any) -> list[Text]:
    pa = need("pyarrow", "votes")
    dictionary.validate(full=True)
    if pa.types.is_temporal(dictionary.type):
        said = dictionary.cast(pa.string()).to_pylist()
        return [GAP if text is None else MIDNIGHT.sub("", text) for text in said]
    if pa.types.is_float32(dictionary.type) or pa.types.is_float16(dictionary.type):
        return [text_of(value) for value in dictionary.to_numpy(zero_copy_only=False)]
    texts: list[Text] = []
    for value in dictionary.to_pylist():
        texts.append(text_of(value))
    return texts
