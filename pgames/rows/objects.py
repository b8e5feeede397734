"""Tables of JSON objects, one per line or in one array. Only wanted keys are decoded, as they are written.

A piece is decoded by msgspec. Where msgspec refuses it, the json module of Python decides: it also takes NaN,
finds a key that stands twice, and names the line.
"""

from __future__ import annotations

import codecs
import json
import re
from collections.abc import Iterator, Sequence
from operator import attrgetter
from pathlib import Path
from typing import IO, Any

from pgames.extras import need
from pgames.rows.coded import GAP, ODD, Coded, Text, coded
from pgames.rows.table import Damaged, beginning, check_text, open_bytes

PIECE = 8 * 2**20  # bytes read at once
ESCAPED_KEY = re.compile(rb'[{,]\s*("[^"\\]*\\u[^"]*")\s*:')
BLANK = 2**20  # bytes without content at the beginning of a file
ABSENT = b""  # the raw value of a key that a row lacks


class ObjectTable:
    """A .jsonl, .ndjson or .json file. `columns` are the keys of all rows, in order of appearance.

    Raises ValueError naming the row that is not an object in JSON.
    """

    rows = None

    def __init__(self, path: Path):
        self.path = path
        with open_bytes(path) as file:
            self.array = _content(file)[:1] == b"["
        self.kind = "JSON array" if self.array else "JSON lines"
        self.columns = list(self._keys())

    def pieces(self, names: Sequence[str], ragged: list[int] | None = None) -> Iterator[list[Coded]]:
        """See `Table.pieces`; no row is ragged, and a row without a key has no value there."""
        fast = _fast(names)
        before = 0
        for text in self._texts():
            columns = None if fast is None else _decoded(text, fast, names, self.array)
            if columns is None:
                rows = [dict(pairs) for pairs in self._slow(text, before, names)]
                columns = [[raw_json(row[name]) if name in row else ABSENT for row in rows] for name in names]
            before += len(columns[0]) if columns else 0
            yield [coded(column, json_text) for column in columns]

    def _keys(self) -> dict[str, None]:
        msgspec = need("msgspec", "votes")
        row = dict[str, msgspec.Raw]
        decoder = msgspec.json.Decoder(list[row] if self.array else row)
        read = decoder.decode if self.array else decoder.decode_lines
        keys: dict[str, None] = {}
        before = 0
        for text in self._texts():
            try:
                rows = read(text)
                found = set().union(*rows)
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                rows = self._slow(text, before, ())
                found = {key for pairs in rows for key, _ in pairs}
            if more := found - keys.keys():
                keys |= dict.fromkeys(key for one in rows for key in dict(one) if key in more)
            before += len(rows)
        return keys

    def _texts(self) -> Iterator[bytes]:
        """Pieces of whole lines; an array in one piece."""
        with open_bytes(self.path) as file:
            start = _content(file)
            if self.array:
                yield start + file.read()
                return
            piece = start + file.readline()
            while piece:
                if piece.strip():
                    yield piece
                piece = file.read(PIECE) + file.readline()

    def _slow(self, text: bytes, before: int, names: Sequence[str]) -> list[Pairs]:
        """The keys and values of each row, by Python's json. Raises ValueError naming a row that is bad."""
        rows: list[Pairs] = []
        for line in [text] if self.array else text.split(b"\n"):
            if not line.strip():
                continue
            place = "the array" if self.array else f"row {before + len(rows) + 1}"
            try:
                value = json.loads(
                    line.decode(), parse_int=Number, parse_float=Number, object_pairs_hook=Pairs
                )
            except RecursionError:
                raise Damaged(f"{place} is nested too deep.") from None
            except UnicodeDecodeError as error:
                raise Damaged(f"{place} is not UTF-8 ({error}): save it as UTF-8.") from None
            except ValueError as error:
                raise Damaged(f"{place} is not JSON ({error}).") from None
            rows += value if self.array else [value]
        for number, row in enumerate(rows, before + 1):
            if not isinstance(row, Pairs):
                raise ValueError(f"row {number} is not an object but {_said(row)}: write {{...}}.")
            keys = [key for key, _ in row]
            if twice := [name for name in names if keys.count(name) > 1]:
                raise ValueError(f"row {number} has {twice[0]!r} twice: keep one of them.")
        return rows


class Pairs(list[tuple[str, Any]]):
    """The keys and values of a JSON object, of which some keys may be equal."""


class Number(str):
    """A JSON number as it is written."""


def _content(file: IO[bytes]) -> bytes:
    """The first line that is not blank, without a byte order mark, or as much of it as shows what it is."""
    mark = file.peek(3)[:3]  # pyright: ignore[reportAttributeAccessIssue]
    if mark == codecs.BOM_UTF8:
        file.read(3)
    check_text(beginning(file))
    line = file.readline(64)
    blank = 0
    while line and not line.strip():
        if (blank := blank + len(line)) > BLANK:
            raise ValueError(f"its first {BLANK} bytes are blank: it is not a table.")
        line = file.readline(64)
    return line.lstrip()


def _fast(names: Sequence[str]) -> Any:
    """Decoders that keep the raw values of these keys, or None where msgspec cannot name them."""
    msgspec = need("msgspec", "votes")
    absent = msgspec.Raw(ABSENT)
    fields = [f"f{i}" for i in range(len(names))]
    try:
        row = msgspec.defstruct(
            "Row",
            [(field, msgspec.Raw, absent) for field in fields],
            rename=dict(zip(fields, names, strict=True)),
            gc=False,
        )
    except ValueError:
        return None
    return {True: msgspec.json.Decoder(list[row]).decode, False: msgspec.json.Decoder(row).decode_lines}


def _decoded(text: bytes, fast: Any, names: Sequence[str], array: bool) -> list[list[bytes]] | None:
    """The raw values of each name, or None where msgspec refuses the text, or a row may have a key twice."""
    msgspec = need("msgspec", "votes")
    try:
        rows = fast[array](text)
    except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
        return None
    columns = [list(map(bytes, map(attrgetter(f"f{i}"), rows))) for i in range(len(names))]
    for name, column in zip(names, columns, strict=True):
        key = re.escape(json.dumps(name, ensure_ascii=False).encode())
        there = len(column) - column.count(ABSENT)
        if sum(1 for _ in re.finditer(key + rb"\s*:", text)) != there:
            return None
    if b"\\u" in text and any(json_text(key) in names for key in set(ESCAPED_KEY.findall(text))):
        return None
    return columns


def raw_json(value: object) -> bytes:
    """The JSON of a value that Python read."""
    if isinstance(value, Number):
        return value.encode()
    if isinstance(value, float):  # NaN and Infinity, which are not JSON numbers
        return b"null" if value != value else str(value).encode()
    if isinstance(value, list):  # also an object, as pairs
        return b"[]"
    return json.dumps(value).encode()


def json_text(raw: bytes) -> Text:
    """The text of a raw JSON value. Raises ValueError when it is not UTF-8."""
    if raw[:1] == b'"':
        return json.loads(raw.decode(), strict=False) or GAP
    if raw in (ABSENT, b"null"):
        return GAP
    if raw[:1] in (b"[", b"{"):
        return ODD
    return {b"true": "True", b"false": "False"}.get(raw, raw.decode())


def _said(value: object) -> str:
    if value is None:
        return "null"
    return "a list" if isinstance(value, list) else f"{value!r:.40}"
