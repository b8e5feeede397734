"""The file of results that `pgames league` rates: votes, each match of which stands once."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from pgames.rows import READERS
from pgames.votes.comparisons import Comparisons

MATCH = "match"  # the column that numbers the matches, where there is one


def read_results(path: Path) -> Comparisons:
    """The results of a file, in the order of its rows.

    Raises ValueError as `Comparisons.read`, and, where the file has a column `match`, naming the match and
    its rows when one stands twice, or the row that names none.
    """
    votes = Comparisons.read(path)
    first, row = dict[str, int](), 0

    def column_of(found: Sequence[str]) -> list[str]:
        if list(found).count(MATCH) > 1:
            raise ValueError(f"{path}: column {MATCH!r} is there twice: keep one of them.")
        return [MATCH] if MATCH in found else [found[0]]

    for names, (column,) in READERS[path.suffix.lower()](path, column_of):
        if names != [MATCH]:
            row += len(column)
            continue
        for match in column.to_pylist():
            if match in (None, ""):
                raise ValueError(f"{path}: column {MATCH!r} is empty in row {row + 1}.")
            if (before := first.setdefault(str(match), row)) < row:
                how = "again" if _result(votes, before) == _result(votes, row) else "with another result"
                raise ValueError(
                    f"{path}: match {str(match)!r} of row {before + 1} stands {how} in row {row + 1}: keep "
                    "one of them."
                )
            row += 1
    return votes


def _result(votes: Comparisons, row: int) -> tuple[int, int, int]:
    """The two items in the order of their names, and the winner, whichever stood left."""
    left, right, won = (int(column[row]) for column in (votes.left, votes.right, votes.winner))
    return (left, right, won) if left < right else (right, left, -won)
