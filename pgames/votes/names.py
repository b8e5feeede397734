"""Names of items and prompts: their order, and those that look alike."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable, Mapping

import numpy as np
from numpy.typing import NDArray

SHOWN = 3  # groups of names in a note


def sorted_names(vocabulary: Mapping[str, int]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The names in order (decimal names by value), and int32[N], the place of each number among them.

    Raises ValueError when a name is not Unicode text.
    """
    numeric = all(name.isascii() and name.isdecimal() for name in vocabulary)
    names = sorted(vocabulary, key=_by_value if numeric else None)
    try:
        "".join(names).encode()
    except UnicodeEncodeError:
        bad = next(name for name in names if not _encodable(name))
        raise ValueError(f"the name {bad!a:.60} is not Unicode text: write it again as UTF-8.") from None
    place = np.empty(len(names), dtype=np.int32)
    place[[vocabulary[name] for name in names]] = np.arange(len(names))
    return tuple(names), place


def alike(names: Iterable[str]) -> tuple[str, ...]:
    """A line on names that differ only in blanks or in their Unicode form, which are different items."""
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(" ".join(unicodedata.normalize("NFKC", name).split()), []).append(name)
    same = [" and ".join(map(ascii, group)) for group in groups.values() if len(group) > 1]
    if not same:
        return ()
    more = f", and {len(same) - SHOWN} more" if len(same) > SHOWN else ""
    return (
        f"different items whose names look alike: {'; '.join(same[:SHOWN])}{more}. "
        "Rename one if they are the same.",
    )


def _by_value(name: str) -> tuple[int, str, str]:
    digits = name.lstrip("0")
    return len(digits), digits, name


def _encodable(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
