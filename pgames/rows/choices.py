"""Choices as the library choix writes them: a JSON object whose `data` holds who was preferred to whom."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

from pgames.numerics import whole
from pgames.rows.coded import Coded, coded, text_of
from pgames.rows.table import RAGGED

WINNER, LOSER = "winner", "loser"


class ChoiceTable:
    """Pairs (winner, loser) from entries [i, j], choices [i, [j, k]] of i among all, and rankings [i, j, k].

    A ranking gives every pair of its items. Raises ValueError naming an entry that is none of these.
    """

    kind = "choices of choix"
    columns: Sequence[str] = (WINNER, LOSER)
    rows = None
    fault = RAGGED

    def __init__(self, data: Sequence[Any]):
        self._pairs = [pair for n, entry in enumerate(data, 1) for pair in _pairs(entry, n)]

    def pieces(self, names: Sequence[str], ragged: list[int] | None = None) -> Iterator[list[Coded]]:
        """See `Table.pieces`; there is one piece."""
        sides = {WINNER: 0, LOSER: 1}
        yield [coded([pair[sides[name]] for pair in self._pairs], text_of) for name in names]


def choice_table(found: dict[str, Any]) -> ChoiceTable | None:
    """The table of a JSON object with a list `data` of lists and no names of columns; None for any other.

    Raises ValueError when an entry of the list is not a choice.
    """
    if not isinstance(found.get("data"), list) or "columns" in found:
        return None
    return ChoiceTable(found["data"])


def _pairs(entry: Any, number: int) -> list[tuple[int, int]]:
    if isinstance(entry, list) and len(entry) == 2 and isinstance(entry[1], list):
        chosen, others = entry
        items, pairs = [chosen, *others], [(chosen, other) for other in others]
    elif isinstance(entry, list):
        items, pairs = entry, list(combinations(entry, 2))
    else:
        items, pairs = [], []
    if not pairs or not all(map(whole, items)):
        raise ValueError(f"entry {number} of data is {entry!r:.60}: need [i, j], [i, [j, k]] or a ranking.")
    return pairs
