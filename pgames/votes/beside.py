"""Columns beside the votes of a file: who cast them, when, and with what weight."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.rows.coded import Text
from pgames.rows.opening import open_table
from pgames.rows.table import reading
from pgames.votes.comparisons import Comparisons

ANNOTATORS = ("annotator", "judge", "voter", "rater", "user")  # used without being named
TIMES = ("time", "timestamp", "tstamp", "created_at")


class Beside(NamedTuple):
    """Columns of N votes; None where the file has none.

    annotator : [N] names. time : float64[N], seconds. weight : float64[N]. notes : which columns were used,
    and which were not.
    """

    annotator: NDArray[np.str_] | None
    time: NDArray[np.float64] | None
    weight: NDArray[np.float64] | None
    notes: tuple[str, ...]


def read_beside(
    path: Path, votes: Comparisons, annotator: str | None, time: str | None, weight: str | None
) -> Beside:
    """The columns of the file from which the votes were read, by name.

    Without a name, a column annotator, judge, voter, rater or user is used, and time, timestamp, tstamp or
    created_at, where there is one and it is whole. Times are numbers or ISO 8601.

    Raises ValueError when a named column is not there, or has a cell that cannot be read, naming the row.
    """
    with reading(path):
        found = list(open_table(path, votes.left_out is not None).columns)
        named = {"annotator": annotator, "time": time, "weight": weight}
        chosen = {
            "annotator": annotator or next((name for name in ANNOTATORS if found.count(name) == 1), None),
            "time": time or next((name for name in TIMES if found.count(name) == 1), None),
            "weight": weight,
        }
        for option, column in chosen.items():
            if column is not None and found.count(column) != 1:
                raise ValueError(
                    f"--{option} names the column {column!r}, of which there must be one; the file has "
                    f"{', '.join(map(repr, found))}."
                )
        texts = cells_of_votes(path, votes, [column for column in chosen.values() if column is not None])
        notes, out = [], {}
        for option, column in chosen.items():
            out[option] = None
            if column is None:
                continue
            try:
                out[option] = _column(option, column, texts[column], votes)
                notes.append(f"{option}: column {column!r}.")
            except ValueError as error:
                if named[option] is not None:
                    raise
                notes.append(f"column {column!r} is not used as {option}: {error}")
    return Beside(out["annotator"], out["time"], out["weight"], tuple(notes))


def cells_of_votes(path: Path, votes: Comparisons, columns: Sequence[str]) -> dict[str, list[Text]]:
    """The cells of columns of the file from which the N votes were read, one list of N per column.

    Raises ValueError when the row of a vote has a column twice.
    """
    if not columns:
        return {}
    wanted = list(dict.fromkeys(columns))
    cells: dict[str, list[Text]] = {name: [] for name in wanted}
    ragged: list[int] = []
    drop = votes.left_out is not None
    for piece in open_table(path, drop).pieces(wanted, ragged if drop else None):
        for name, column in zip(wanted, piece, strict=True):
            cells[name] += [column.texts[code] for code in column.codes.tolist()]
    if votes.left_out is None:
        return cells
    gone, kept = np.array(sorted(ragged), dtype=np.int64) - 1, votes.left_out.kept
    if (odd := kept[np.isin(kept, gone)]).size:
        names = " or ".join(map(repr, wanted))
        raise ValueError(f"row {odd[0] + 1} has {names} twice: keep one of them.")
    kept = (kept - np.searchsorted(gone, kept)).tolist()
    return {name: [column[row] for row in kept] for name, column in cells.items()}


def _column(option: str, name: str, texts: list, votes: Comparisons) -> NDArray:
    """The column as names, or as numbers. Raises ValueError, naming the first row that cannot be read."""
    if len(texts) != len(votes):
        raise ValueError(f"column {name!r} has {len(texts)} cells for {len(votes)} votes.")
    gap = next((row for row, text in enumerate(texts) if not isinstance(text, str)), None)
    if gap is not None:
        raise ValueError(
            f"column {name!r} is empty, or holds a list, in row {row_number(votes, gap)}: fill it."
        )
    if option == "annotator":
        return np.array(texts)
    read = _seconds if option == "time" else float
    values = np.empty(len(texts))
    for row, text in enumerate(texts):
        try:
            values[row] = read(text)
        except ValueError:
            values[row] = np.nan
        if not np.isfinite(values[row]):
            need = "a number or a time as 2024-05-13T12:00:00" if option == "time" else "a number"
            raise ValueError(
                f"column {name!r} in row {row_number(votes, row)}: got {text!r:.60}, need {need}."
            )
    return values


def _seconds(text: str) -> float:
    from datetime import UTC, datetime

    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        return (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).timestamp()


def row_number(votes: Comparisons, row: int) -> int:
    """The number of a vote's row in the file, counted from 1."""
    return row + 1 if votes.left_out is None else int(votes.left_out.kept[row]) + 1
