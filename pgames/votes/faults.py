"""Rows that are not votes: the first is named, all are counted by reason, and they can be left out."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.votes.recognise import Layout
from pgames.votes.settling import FAULT, ITSELF, NEITHER, NO_LEFT, NO_PROMPT, NO_RIGHT, NO_WINNER

SHOWN = 5  # numbers of rows in a message


class LeftOut(NamedTuple):
    """Rows of a file that were left out: kept int64[N], the places of the others; how many met themselves."""

    kept: NDArray[np.int64]
    themselves: int


class Read(NamedTuple):
    """The arguments of Comparisons (left, right, prompt int32[N], winner int8[N]), and how they were read.

    recognised : a line on the format of the file. notes : rows that were left out, and names that look alike.
    dropped : the note on rows that were left out, or "". left_out : where the votes stood in the file; None
    where no row was left out.
    """

    left: NDArray[np.int32]
    right: NDArray[np.int32]
    winner: NDArray[np.int8]
    items: tuple[str, ...]
    prompt: NDArray[np.int32]
    prompts: tuple[str, ...] | None
    recognised: str = ""
    notes: tuple[str, ...] = ()
    dropped: str = ""
    left_out: LeftOut | None = None


class Faults:
    """The rows of `found` whose winner is a fault, and the numbers `ragged` of those left out before.

    The prompt of a row with an unknown winner is the code of that winner in `winners`.
    """

    def __init__(
        self,
        layout: Layout,
        found: Read,
        ragged: Sequence[int],
        fault: str,
        winners: Mapping[str, int],
    ):
        self.layout, self.found, self.winners, self.fault = layout, found, winners, fault
        self.rows = np.flatnonzero(found.winner >= FAULT)
        self.ragged = np.array(ragged, dtype=np.int64)
        self.count = self.rows.size + self.ragged.size
        self.total = found.winner.size + self.ragged.size

    def refusal(self) -> str:
        """The first fault, and how many there are."""
        first = self._first(int(self.rows[0]))
        if self.count == 1:
            return f"{first}, or pass drop=True (--drop) to leave it out."
        return f"{first}. {self._summary()}; repair them, or pass drop=True (--drop) to leave them out."

    def left_out(self) -> Read:
        """The other rows, with the items and prompts that occur in them.

        Raises ValueError when no row is left.
        """
        found, keep = self.found, self.found.winner < FAULT
        if not keep.any():
            raise ValueError(f"no vote is left: {self._summary()}.")
        items, (left, right) = _used(found.items, found.left[keep], found.right[keep])
        prompts, (prompt,) = found.prompts, (found.prompt[keep],)
        if prompts is not None:
            prompts, (prompt,) = _used(prompts, prompt)
        line = f"{self._summary()}; they are left out."
        left_out = LeftOut(self._numbers(np.flatnonzero(keep)) - 1, int((found.winner == ITSELF).sum()))
        won = found.winner[keep]
        return Read(left, right, won, items, prompt, prompts, "", (line,), line, left_out)

    def _first(self, row: int) -> str:
        found, place = self.found, int(self._numbers(np.array([row]))[0])
        fault = int(found.winner[row])
        if fault == ITSELF:
            return f"row {place} compares {found.items[found.left[row]]!r} with itself: drop that row"
        if fault == NEITHER:
            said = list(self.winners)[found.prompt[row]]
            pair = f"{found.items[found.left[row]]!r} or {found.items[found.right[row]]!r}"
            return f"winner in row {place} is unknown: got {said!r}, need left, right, tie, {pair}"
        line = f"column {self._column(fault)!r} is empty in row {place}: fill it"
        return f"{line}, pass prompt=False (--no-prompt)" if fault == NO_PROMPT else line

    def _column(self, fault: int) -> str:
        layout = self.layout
        names = {NO_LEFT: layout.left, NO_RIGHT: layout.right, NO_PROMPT: layout.prompt or ""}
        return names.get(fault) or ", ".join(layout.winner)

    def _summary(self) -> str:
        reasons = {
            ITSELF: "with an item against itself",
            NEITHER: "with an unknown winner",
            **{
                fault: f"without {self._column(fault)}" for fault in (NO_LEFT, NO_RIGHT, NO_WINNER, NO_PROMPT)
            },
        }
        faults = self.found.winner[self.rows]
        parts = [
            f"{rows.size} {why} ({listed(self._numbers(rows))})"
            for fault, why in reasons.items()
            if (rows := self.rows[faults == fault]).size
        ]
        if self.ragged.size:
            parts.append(f"{self.ragged.size} {self.fault} ({listed(self.ragged)})")
        verb = "is not a vote" if self.count == 1 else "are not votes"
        return f"{self.count} of {self.total} rows {verb}: {', '.join(parts)}"

    def _numbers(self, rows: NDArray) -> NDArray:
        """The numbers of rows in the file, counted from 1, with those that were ragged."""
        before = np.searchsorted(self.ragged - np.arange(self.ragged.size), rows + 1, side="right")
        return rows + 1 + before


def refuse_cut_end(
    path: Path, items: Mapping[str, int], left: NDArray[np.int32], right: NDArray[np.int32]
) -> None:
    """Raises ValueError when the last line of a text is cut.

    left, right : int32[N], numbers of `items`. Such a line has no newline, and it ends inside quotes or in a
    name that occurs once and is a prefix of another.
    """
    with open(path, "rb") as file:
        file.seek(max(path.stat().st_size - 2**16, 0))
        last_line = file.read().splitlines(keepends=True)[-1]
    if last_line.endswith((b"\n", b"\r")):
        return
    if last_line.count(b'"') % 2:
        raise ValueError("the last row ends within quotes: the file is cut.")
    for item in (int(left[-1]), int(right[-1])):
        if item < 0:
            continue
        seen = np.count_nonzero(left == item) + np.count_nonzero(right == item)
        name = list(items)[item]
        if seen == 1 and any(other != name and other.startswith(name) for other in items):
            raise ValueError(
                f"the last row has no end of line and names {name!r}, which occurs nowhere else and begins "
                "another name: the file looks cut. End it with a newline if it is whole."
            )


def _used(names: tuple[str, ...], *columns: NDArray) -> tuple[tuple[str, ...], list[NDArray]]:
    """The names that occur in the columns, and the columns as places among them."""
    there = np.zeros(len(names), dtype=bool)
    for column in columns:
        there[column] = True
    place = (np.cumsum(there) - 1).astype(np.int32)
    return tuple(name for name, used in zip(names, there, strict=True) if used), [place[c] for c in columns]


def listed(rows: NDArray) -> str:
    """The numbers of rows int64[K] in a message: the first of them, and how many more."""
    more = f" and {rows.size - SHOWN} more" if rows.size > SHOWN else ""
    return f"row{'s' if rows.size > 1 else ''} {', '.join(map(str, rows[:SHOWN]))}{more}"
