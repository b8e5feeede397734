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
from pgames.rows.table import AS_UTF_8, Damaged, beginning, check_text, open_bytes

PIECE = 8 * 2**20  # bytes read at once
ESCAPED_KEY = re.compile(rb'[{,]\s*("[^"\\]*\\u[^"]*")\s*:')
BLANK = 2**20  # bytes without content at the beginning of a file
ABSENT = b""  # the raw value of a key that a row lacks
REMEDY = "repair it, or pass drop=True (--drop) to leave it out."


class ObjectTable:
    """A .jsonl, .ndjson or .json file. `columns` are the keys of all rows, in order of appearance.

    With `drop` the columns are those of the rows that are objects. Raises ValueError naming the row that is
    not an object in JSON, and, with `drop`, when an array is damaged or no row is an object.
    """

    rows = None
    fault = "not readable as a JSON object"

    def __init__(self, path: Path, drop: bool = False):
        self.path, self._drop = path, drop
        with open_bytes(path) as file:
            self.array = _content(file)[:1] == b"["
        self.kind = "JSON array" if self.array else "JSON lines"
        self.columns = list(self._keys())

    def pieces(self, names: Sequence[str], ragged: list[int] | None = None) -> Iterator[list[Coded]]:
        """See `Table.pieces`; a row without a key has no value there."""
        fast = _fast(names)
        before = 0
        for text in self._texts():
            read = None if fast is None else _read(text, fast, names, self.array)
            if read is None:
                found = self._slow(text, before, names, ragged is not None)
                if ragged is not None:
                    ragged += [before + n for n, row in enumerate(found, 1) if row is None]
                before += len(found)
                rows = [dict(row) for row in found if row is not None]
                raw = [[raw_json(row[name]) if name in row else ABSENT for row in rows] for name in names]
                read = [coded(column, json_text) for column in raw]
            else:
                before += len(read[0].codes) if read else 0
            yield read

    def _keys(self) -> dict[str, None]:
        msgspec = need("msgspec", "votes")
        row = dict[str, msgspec.Raw]
        decoder = msgspec.json.Decoder(list[row] if self.array else row)
        read = decoder.decode if self.array else decoder.decode_lines
        keys: dict[str, None] = {}
        before = whole = 0  # rows, and those that are objects
        for text in self._texts():
            try:
                rows = read(text)
                found = set().union(*rows)
            except (msgspec.MsgspecError, RecursionError, UnicodeDecodeError):
                slow = self._slow(text, before, (), self._drop)
                before += slow.count(None)
                rows = [dict(row) for row in slow if row is not None]
                found = set().union(*rows)
            whole += len(rows)
            if more := found - keys.keys():
                keys |= dict.fromkeys(key for one in rows for key in one if key in more)
            before += len(rows)
        if before > whole == 0:
            raise Damaged("none of its rows is an object in JSON.")
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

    def _slow(self, text: bytes, before: int, names: Sequence[str], drop: bool) -> list[Pairs | None]:
        """The keys and values of each row, by Python's json; None for a bad row where they are left out.

        Raises ValueError naming a row that is bad, where none is left out, and for a damaged array.
        """
        rows: list[Any] = []
        for line in [text] if self.array else text.split(b"\n"):
            if not line.strip():
                continue
            try:
                value = _parsed(line)
            except ValueError as error:
                if self.array:
                    raise Damaged(f"the array {error}.") from None
                if not drop:
                    raise Damaged(f"row {before + len(rows) + 1} {error}: {REMEDY}") from None
                value = None
            rows += value if self.array and value is not None else [value]
        for n, row in enumerate(rows):
            if fault := _fault(row, names):
                if not drop:
                    raise ValueError(f"row {before + n + 1} {fault}: {REMEDY}")
                rows[n] = None
        return rows


def _parsed(line: bytes) -> Any:
    """The JSON value of a line, or of a whole array. Raises ValueError that says what is wrong with it."""
    try:
        return json.loads(line.decode(), parse_int=Number, parse_float=Number, object_pairs_hook=Pairs)
    except RecursionError:
        raise ValueError("is nested too deep") from None
    except UnicodeDecodeError as error:
        raise ValueError(f"is not text in UTF-8: {AS_UTF_8} ({error})") from None
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from None


def _fault(row: object, names: Sequence[str]) -> str | None:
    """What is wrong with a row that should be an object with each of these keys at most once."""
    if not isinstance(row, Pairs):
        return f"is not an object but {_said(row)}"
    keys = [key for key, _ in row]
    twice = next((name for name in names if keys.count(name) > 1), None)
    return None if twice is None else f"has {twice!r} twice"


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


def _read(text: bytes, fast: Any, names: Sequence[str], array: bool) -> list[Coded] | None:
    """The columns of these names, or None where msgspec refuses the text or a value is not UTF-8."""
    raw = _decoded(text, fast, names, array)
    try:
        return None if raw is None else [coded(column, json_text) for column in raw]
    except UnicodeDecodeError:
        return None


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
