"""Plain data between two processes that do not trust each other: frames of JSON with a size limit.

Numbers, texts, bytes, None and the containers of Python travel as copies. Any other object stays where it is
and travels as a number, its handle; an instance of a subclass, such as a named tuple, as both.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from fractions import Fraction
from typing import Any

LONGEST = 1 << 24  # most bytes of one frame
SMALL = 1 << 53  # larger integers travel in hexadecimal, which has no limit on digits
LISTS: dict[str, type] = {
    "list": list,
    "tuple": tuple,
    "set": set,
    "frozenset": frozenset,
}
TEXTS: dict[str, tuple[type, Callable[[Any], str], Callable[[str], Any]]] = {
    "int": (int, hex, lambda text: int(text, 16)),
    "bytes": (bytes, bytes.hex, bytes.fromhex),
    "bytearray": (bytearray, bytearray.hex, bytearray.fromhex),
    "complex": (complex, repr, complex),
    "Fraction": (Fraction, str, Fraction),
    "Decimal": (Decimal, str, Decimal),
    "datetime": (datetime, datetime.isoformat, datetime.fromisoformat),
    "date": (date, date.isoformat, date.fromisoformat),
    "time": (time, time.isoformat, time.fromisoformat),
    "timedelta": (timedelta, lambda d: f"{d.days} {d.seconds} {d.microseconds}", lambda s: _delta(s)),
}


BASES: dict[type, Callable[[Any], Any]] = {  # the plain value of an instance of a subclass
    int: int.__index__,
    float: float.__float__,
    str: str.__str__,
    bytes: bytes.__bytes__,
    tuple: lambda value: tuple(tuple.__iter__(value)),
}


class Broken(Exception):
    """The other process is gone, or what it sent is not of this format."""


def encoded(value: Any, handle: Callable[[Any], Any], both: bool) -> Any:
    """The JSON form of a value; `handle(object)` is the form of anything that is not plain data.

    both : whether an instance of a subclass of a plain type keeps its handle beside its plain value.
    """
    if value is None or value is True or value is False or type(value) is float or type(value) is str:
        return value
    if type(value) is int:
        return value if -SMALL < value < SMALL else ["int", hex(value)]
    if isinstance(value, dict):
        return ["dict", [[encoded(k, handle, both), encoded(v, handle, both)] for k, v in dict.items(value)]]
    for name, kind in LISTS.items():
        if type(value) is kind or (isinstance(value, kind) and kind is not tuple):
            return [name, [encoded(item, handle, both) for item in kind.__iter__(value)]]
    if isinstance(value, range):
        return ["range", [encoded(k, handle, both) for k in (value.start, value.stop, value.step)]]
    if _is_deque(value):
        return ["deque", [encoded(item, handle, both) for item in value]]
    for name, (kind, write, _) in TEXTS.items():
        if type(value) is kind:
            return [name, write(value)]
    for kind, plain in BASES.items():
        if isinstance(value, kind):
            form = encoded(plain(value), handle, both)
            return ["both", [handle(value), form]] if both else form
    return ["handle", handle(value)]


def decoded(form: Any, handle: Callable[..., Any]) -> Any:
    """The value of a JSON form; `handle(form of a handle, its plain value if any)` is an object.

    Raises Broken for what is not such a form.
    """
    if form is None or isinstance(form, bool | int | float | str):
        return form
    try:
        name, content = form
        if name in LISTS:
            return LISTS[name](decoded(item, handle) for item in content)
        if name == "dict":
            return {decoded(k, handle): decoded(v, handle) for k, v in content}
        if name == "range":
            return range(*(decoded(k, handle) for k in content))
        if name == "deque":
            from collections import deque

            return deque(decoded(item, handle) for item in content)
        if name in TEXTS:
            return TEXTS[name][2](content)
        if name == "handle":
            return handle(content)
        if name == "both":
            return handle(content[0], decoded(content[1], handle))
    except (TypeError, ValueError, ArithmeticError):
        pass
    raise Broken("not plain data")


def _is_deque(value: Any) -> bool:
    return type(value).__name__ == "deque" and type(value).__module__ == "collections"


def _delta(text: str) -> timedelta:
    days, seconds, microseconds = map(int, text.split())
    return timedelta(days, seconds, microseconds)


class Channel:
    """Frames over a pair of file descriptors: eight bytes of length, then JSON in ASCII."""

    def __init__(self, read: int, write: int):
        self._read, self._write = read, write

    def send(self, message: Any) -> None:
        """Raises ValueError for a message that is too long, Broken when nobody reads."""
        data = json.dumps(message).encode()
        if len(data) > LONGEST:
            raise ValueError(f"a value of {len(data)} bytes crosses between the processes: at most {LONGEST}")
        block = memoryview(len(data).to_bytes(8, "big") + data)
        try:
            while block:
                block = block[os.write(self._write, block) :]
        except OSError:
            raise Broken("nobody reads") from None

    def receive(self) -> Any:
        """The next message. Raises Broken at the end, and for anything that is not a frame."""
        size = int.from_bytes(self._exactly(8), "big")
        if size > LONGEST:
            raise Broken("a frame that is too long")
        try:
            return json.loads(self._exactly(size))
        except (ValueError, RecursionError):
            raise Broken("not JSON") from None

    def _exactly(self, size: int) -> bytes:
        data = bytearray()
        while len(data) < size:
            try:
                block = os.read(self._read, min(size - len(data), 1 << 16))
            except OSError:
                block = b""
            if not block:
                raise Broken("the end")
            data += block
        return bytes(data)
