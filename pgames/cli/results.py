"""The file of results that `pgames league` rates: votes, each match of which stands once."""

from __future__ import annotations

from pathlib import Path

from pgames.rows.coded import GAP
from pgames.rows.opening import open_table
from pgames.votes.comparisons import Comparisons

MATCH = "match"  # the column that numbers the matches, where there is one


def read_results(path: Path) -> Comparisons:
    """The results of a file, in the order of its rows.

    Raises ValueError as `Comparisons.read`, and, where the file has a column `match`, naming the match and
    its rows when one stands twice, or the row that names none.
    """
    votes = Comparisons.read(path)
    table = open_table(path)
    if MATCH not in table.columns:
        return votes
    if list(table.columns).count(MATCH) > 1:
        raise ValueError(f"{path}: column {MATCH!r} is there twice: keep one of them.")
    first, row = dict[object, int](), 0
    for (column,) in table.pieces([MATCH]):
        for code in column.codes:
            match = column.texts[code]
            if match is GAP:
                raise ValueError(f"{path}: column {MATCH!r} is empty in row {row + 1}.")
            if (before := first.setdefault(match, row)) < row:
                how = "again" if _result(votes, before) == _result(votes, row) else "with another result"
                raise ValueError(
                    f"{path}: match {match!r} of row {before + 1} stands {how} in row {row + 1}: keep "
                    "one of them."
                )
            row += 1
    return votes


def _result(votes: Comparisons, row: int) -> tuple[int, int, int]:
    """The two items in the order of their names, and the winner, whichever stood left."""
    left, right, won = (int(column[row]) for column in (votes.left, votes.right, votes.winner))
    return (left, right, won) if left < right else (right, left, -won)
