"""Tables in one JSON object, as frames write them: by columns, or as names of columns and rows of data."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pgames.files import SMALL, parse_json
from pgames.rows.coded import Coded, coded
from pgames.rows.objects import Number, Pairs, json_text, raw_json
from pgames.rows.table import RAGGED, open_bytes

COLUMNS, INDEX, DATA = "columns", "index", "data"


class FrameTable:
    """A table {column: [value, ...]}, {column: {row: value, ...}}, or {"columns": [...], "data": [[...]]}.

    Raises ValueError when the columns differ in their rows, or a row has too few or too many cells.
    """

    rows = None
    fault = RAGGED

    def __init__(self, text: str):
        pairs = json.loads(text, parse_int=Number, parse_float=Number, object_pairs_hook=Pairs)
        found = dict(pairs)
        self._split = holds_frame(found)
        self.kind = "JSON with columns and data" if self._split else "JSON of columns"
        self.columns = [str(name) for name in found[COLUMNS]] if self._split else [key for key, _ in pairs]
        self._values: list[Any] = found[DATA] if self._split else [value for _, value in pairs]

    def pieces(self, names: Sequence[str], ragged: list[int] | None = None) -> Iterator[list[Coded]]:
        """See `Table.pieces`; there is one piece."""
        places = [self.columns.index(name) for name in names]
        columns = self._of_rows(places, ragged) if self._split else self._of_columns(places)
        yield [coded(map(raw_json, column), json_text) for column in columns]

    def _of_rows(self, places: list[int], ragged: list[int] | None) -> list[list[Any]]:
        width = len(self.columns)
        rows = []
        for number, row in enumerate(self._values, 1):
            if isinstance(row, list) and len(row) == width:
                rows.append(row)
            elif ragged is None:
                raise ValueError(f"row {number} of data must have {width} cells, one per column.")
            else:
                ragged.append(number)
        return [[row[place] for row in rows] for place in places]

    def _of_columns(self, places: list[int]) -> list[list[Any]]:
        columns = [self._values[place] for place in places]
        keys = [[key for key, _ in c] if isinstance(c, Pairs) else list(range(len(c))) for c in columns]
        for place, there in zip(places, keys, strict=True):
            if there != keys[0]:
                name = self.columns[place]
                raise ValueError(
                    f"column {name!r} has other rows than {self.columns[places[0]]!r}: write rows."
                )
        return [[v for _, v in c] if isinstance(c, Pairs) else c for c in columns]


def holds_frame(found: Any) -> bool:
    """Whether a JSON value has the names of columns and a list of rows."""
    return isinstance(found, dict) and all(isinstance(found.get(key), list) for key in (COLUMNS, DATA))


def json_object(path: Path) -> tuple[str, dict[str, Any]] | None:
    """The text and the value of a file that holds one JSON object; None for any other or a large one."""
    if path.stat().st_size > SMALL:
        return None
    with open_bytes(path) as file:
        try:
            text = file.read().decode("utf-8-sig")
            found = parse_json(text)
        except ValueError:
            return None
    return (text, found) if isinstance(found, dict) else None


def frame_table(text: str, found: dict[str, Any]) -> FrameTable | None:
    """The table of a JSON object in which a frame wrote itself; None for any other."""
    values = list(found.values())
    by_columns = bool(values) and (
        all(isinstance(value, list) for value in values) or all(isinstance(value, dict) for value in values)
    )
    return FrameTable(text) if holds_frame(found) or by_columns else None
