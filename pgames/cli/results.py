"""The file of results that `pgames league` rates: votes, each match of which stands once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.cli.notes import read_quietly
from pgames.rows.coded import Text
from pgames.rows.opening import open_table
from pgames.rows.table import reading
from pgames.votes.beside import cells_of_votes, row_number
from pgames.votes.comparisons import Comparisons
from pgames.votes.faults import listed

MATCH = "match"  # the column that numbers the matches, where there is one


class Results(NamedTuple):
    """The matches of a file in the order of its rows, and notes on its format and on rows left out."""

    votes: Comparisons
    notes: tuple[str, ...]


def read_results(path: Path, drop: bool = False, prompts: bool = True) -> Results:
    """The results of a file, with their prompts where it has them and `prompts` are wanted.

    `drop` leaves out rows that are no results, without a match or with one that stands before, and every row
    of a match that has two results.

    Raises ValueError as `Comparisons.read`, and, where the file has a column `match` and `drop` is false,
    naming the match and its rows when one stands twice, or the row that names none.
    """
    votes = read_quietly(path, prompt=None if prompts else False, drop=drop)
    notes = (votes.recognised, *votes.notes)
    with reading(path):
        columns = list(open_table(path, drop).columns)
        if MATCH not in columns:
            return Results(votes, notes)
        if columns.count(MATCH) > 1:
            raise ValueError(f"column {MATCH!r} is there twice: keep one of them.")
        faults = _faults(votes, cells_of_votes(path, votes, [MATCH])[MATCH])
        if not faults:
            return Results(votes, notes)
        if not drop:
            raise ValueError(faults[0].refusal)
        keep = np.ones(len(votes), dtype=bool)
        keep[[row for fault in faults for row in fault.rows]] = False
        if not keep.any():
            raise ValueError(f"no match is left: {_summary(votes, faults)}.")
        return Results(_kept(votes, keep), (*notes, f"{_summary(votes, faults)}; they are left out."))


class _Fault(NamedTuple):
    """Rows to leave out, why, and the message where none is left out."""

    rows: list[int]
    why: str
    refusal: str


def _faults(votes: Comparisons, matches: Sequence[Text]) -> list[_Fault]:
    """The rows without a match, and those whose match stands before or has two results, in order."""
    standing: dict[str, list[int]] = {}
    faults = []
    for row, match in enumerate(matches):
        here = row_number(votes, row)
        if not isinstance(match, str):
            refusal = f"column {MATCH!r} is empty in row {here}: number the match"
            faults.append(_Fault([row], "without a match", f"{refusal}, {_OR_DROP}"))
            continue
        rows = standing.setdefault(match, [])
        if not rows:
            rows.append(row)
            continue
        same = _result(votes, rows[0]) == _result(votes, row)
        how, why = (
            ("again", "repeating a match") if same else ("with another result", "of a match with two results")
        )
        before = row_number(votes, rows[0])
        refusal = f"match {match!r} of row {before} stands {how} in row {here}: keep one of them"
        faults.append(_Fault([row] if same else [rows[0], row], why, f"{refusal}, {_OR_DROP}"))
    return faults


_OR_DROP = "or pass --drop to leave such rows out."


def _summary(votes: Comparisons, faults: Sequence[_Fault]) -> str:
    by_reason: dict[str, set[int]] = {}
    for fault in faults:
        by_reason.setdefault(fault.why, set()).update(fault.rows)
    parts = []
    for why, rows in by_reason.items():
        numbers = np.array([row_number(votes, row) for row in sorted(rows)])
        parts.append(f"{len(rows)} {why} ({listed(numbers)})")
    count = len(set().union(*by_reason.values()))
    verb = "does not count" if count == 1 else "do not count"
    return f"{count} of {len(votes)} matches {verb}: {', '.join(parts)}"


def _kept(votes: Comparisons, keep: NDArray[np.bool_]) -> Comparisons:
    """The votes where keep bool[N] is True, on the items that occur in them."""
    left, right = votes.left[keep], votes.right[keep]
    used, places = np.unique(np.concatenate([left, right]), return_inverse=True)
    names = [votes.items[i] for i in used]
    n = left.size
    return Comparisons(places[:n], places[n:], votes.winner[keep], names, votes.prompt[keep], votes.prompts)


def _result(votes: Comparisons, row: int) -> tuple[int, int, int]:
    """The two items in the order of their names, and the winner, whichever stood left."""
    left, right, won = (int(column[row]) for column in (votes.left, votes.right, votes.winner))
    return (left, right, won) if left < right else (right, left, -won)
