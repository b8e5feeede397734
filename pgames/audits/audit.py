"""The audit: every probe on one board of votes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from types import NoneType

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.audits.annotators import ties_by_annotator
from pgames.audits.board import Board
from pgames.audits.clusters import RESAMPLES, clustered_votes, prompt_disagreement
from pgames.audits.connectivity import connectivity
from pgames.audits.drift import drift
from pgames.audits.duplicates import duplicates
from pgames.audits.finding import Finding
from pgames.audits.neighbours import neighbours
from pgames.audits.sides import position, self_votes
from pgames.audits.triads import cyclic_triads
from pgames.numerics import check_whole, number
from pgames.ratings.estimate import Estimated, estimated
from pgames.ratings.sources import need_votes
from pgames.votes.comparisons import Comparisons

GAPS = ("nan", "NaT", "<NA>", "None")  # what is no text and written like this is missing


@dataclass(frozen=True, repr=False)
class Audit:
    """The findings of all probes, in a fixed order."""

    findings: tuple[Finding, ...]

    @property
    def fired(self) -> tuple[Finding, ...]:
        """The findings that say that something is wrong."""
        return tuple(one for one in self.findings if one.fires)

    def __getitem__(self, probe: str) -> Finding:
        """The finding of a probe, by name. Raises KeyError when no probe has that name."""
        for one in self.findings:
            if one.probe == probe:
                return one
        raise KeyError(
            f"no probe is named {probe!r}: there are {', '.join(one.probe for one in self.findings)}"
        )

    def __repr__(self) -> str:
        mark = {True: "!", False: " ", None: "-"}
        width = max(len(one.probe) for one in self.findings)
        lines = [f"Audit: {len(self.fired)} of {len(self.findings)} probes fire"]
        return "\n".join(
            lines + [f"{mark[one.fires]} {one.probe:<{width}}  {one.line}" for one in self.findings]
        )


def audit(
    votes: Comparisons,
    annotator: ArrayLike | None = None,
    time: ArrayLike | None = None,
    dropped_self_votes: int = 0,
    seed: int = 0,
    resamples: int = RESAMPLES,
    found: Estimated | None = None,
) -> Audit:
    """Look for faults in votes before their ratings are believed: ten probes, each answered in one line.

    connectivity, position, self-votes, ties by annotator, annotators (whose votes depend on each other),
    prompts (that disagree), neighbours (of the ranking, separated jointly), cyclic triads, duplicates, drift.
    A probe with a p-value fires on a clean board with a probability of about .01.

    Parameters
    ----------
    annotator : [N] names or numbers, who cast each vote; without it three probes are not asked.
    time : float64[N] or datetime64[N], when each vote was cast; the order of the rows by default.
    dropped_self_votes : rows that compared an item with itself and were left out when the file was read.
    resamples : of the clustered bootstrap, where votes depend on each other.
    found : the estimate of these votes, without weights, if there is one already.

    Raises ValueError when a column has not one entry per vote or has a gap, or a number is out of range, and
    TypeError when `votes` are none.
    """
    need_votes(votes, "audit", "the votes behind it")
    check_whole("seed", seed, 0)
    check_whole("resamples", resamples, 2)
    check_whole("dropped_self_votes", dropped_self_votes, 0)
    if found is not None and not isinstance(found, Estimated):
        raise TypeError(
            f"found must be an estimate of these votes, got {type(found).__name__}: leave it out."
        )
    people, names = _annotators(annotator, len(votes))
    if found is None:
        found = estimated(votes)
    board = Board(votes, people, names, _times(time, len(votes)), seed, found)
    return Audit(
        (
            connectivity(board),
            position(board),
            self_votes(board, dropped_self_votes),
            ties_by_annotator(board),
            clustered_votes(board, resamples),
            prompt_disagreement(board, resamples),
            neighbours(board),
            cyclic_triads(board),
            duplicates(board),
            drift(board),
        )
    )


def _annotators(annotator: ArrayLike | None, votes: int) -> tuple[NDArray[np.int64] | None, tuple[str, ...]]:
    if annotator is None:
        return None, ()
    column = np.asarray(annotator)
    if column.shape != (votes,):
        raise ValueError(f"annotator must have one entry per vote, {votes}, got shape {column.shape}.")
    if column.dtype == object:
        missing = [not isinstance(one, str) and str(one) in GAPS for one in column]
        column = np.where(missing, "", column)
    names, place = np.unique(column.astype(str), return_inverse=True)
    empty = [not name.strip() or (column.dtype.kind in "fmM" and name in GAPS) for name in names.tolist()]
    if any(empty):
        row = int(np.argmax(np.array(empty)[place]))
        raise ValueError(f"annotator is empty in row {row + 1}: name every annotator.")
    return place.astype(np.int64), tuple(str(name) for name in names)


def _seconds(one: float | datetime | None) -> float:
    """A number, or the time in seconds; NaN for None."""
    if isinstance(one, datetime):
        return (one if one.tzinfo else one.replace(tzinfo=UTC)).timestamp()
    return number(one)


def _times(time: ArrayLike | None, votes: int) -> NDArray[np.float64] | None:
    if time is None:
        return None
    column = np.asarray(time)
    if column.shape != (votes,):
        raise ValueError(f"time must have one entry per vote, {votes}, got shape {column.shape}.")
    if column.dtype.kind == "M":
        column = np.where(np.isnat(column), np.nan, column.astype("datetime64[us]").astype(np.int64))
    if column.dtype == object and all(isinstance(one, NoneType | int | float | datetime) for one in column):
        column = np.array([_seconds(one) for one in column])
    if column.dtype.kind not in "iuf":
        raise ValueError(f"time must be numbers or datetime64, got {column.dtype}: parse it first.")
    column = column.astype(np.float64)
    if not np.isfinite(column).all():
        row = int(np.argmax(~np.isfinite(column)))
        raise ValueError(f"time is empty or infinite in row {row + 1}: give every vote a time.")
    return column
