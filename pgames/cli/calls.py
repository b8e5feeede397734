"""The syntax of a call on the command line. Nothing is evaluated.

cyclic:5,p=0.9     COMAL:every=50     Average(MMD(tau=0.1, eta=0.5))     mine.solvers:Mine(0.1)
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterator
from typing import NamedTuple

PATH = re.compile(r":([A-Za-z_]\w*)\s*(?=$|[:(])")  # the name after package.module


class Call(NamedTuple):
    """A name with arguments, which are numbers and calls."""

    text: str
    name: str
    values: list[Value]
    named: dict[str, Value]


Value = int | float | Call


def parse(text: str, known: Container[str] = ()) -> Call:
    """The call in `name`, `name:1,b=2`, `name(1, b=2)` or `package.module:name(1, b=2)`.

    `known` are names that a colon separates from their arguments; after any other name, a colon and a word
    continue the name. Raises ValueError when the text has another form.
    """
    text = text.strip()
    name = re.match(r"[^:(,=)]*", text)[0]  # type: ignore[index]
    rest = text[len(name) :]
    if name.strip() not in known and (path := PATH.match(rest)):
        name, rest = f"{name.strip()}:{path[1]}", rest[path.end() :]
    if rest.startswith(":"):
        inside = rest[1:]
    elif rest.startswith("(") and rest.endswith(")"):
        inside = rest[1:-1]
    elif not rest:
        inside = ""
    else:
        raise ValueError(f"{text!r} is not a call: write name:5,p=0.9 or name(5, p=0.9).")
    values: list[Value] = []
    named: dict[str, Value] = {}
    for part in _parts(inside, text):
        key, equals, value = part.partition("=")
        if equals and key.strip() in named:
            raise ValueError(f"{text!r} gives {key.strip()} twice: give it once.")
        if equals and key.strip().isidentifier():
            named[key.strip()] = _value(value, part, known)
        elif named:
            raise ValueError(f"{text!r} has {part!r} after a named argument: write it as name=number.")
        else:
            values.append(_value(part, part, known))
    return Call(text, name.strip(), values, named)


def _parts(inside: str, text: str) -> Iterator[str]:
    """The arguments, split at the commas outside parentheses; empty ones are dropped."""
    depth, start = 0, 0
    for i, character in enumerate(f"{inside},"):
        depth += (character == "(") - (character == ")")
        if depth < 0 or (i == len(inside) and depth > 0):
            raise ValueError(f"{text!r} has parentheses that do not match.")
        if character == "," and depth == 0:
            if part := inside[start:i].strip():
                yield part
            start = i + 1


def _value(text: str, part: str, known: Container[str]) -> Value:
    for kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            continue
    text = text.strip().strip("'\"")
    if not text[:1].isidentifier():
        raise ValueError(f"{part!r} is not a number: write arguments as name:5,p=0.9.")
    return parse(text, known)
