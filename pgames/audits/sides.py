"""Votes that follow the place of an item on the page, or the judge's own answers."""

from __future__ import annotations

from math import erfc, sqrt

import numpy as np

from pgames.audits.board import Board
from pgames.audits.finding import LEVEL, Finding, not_asked

FEWEST = 10  # votes of items on themselves that a test needs


def position(board: Board) -> Finding:
    """Whether the left (or right) item gets more points than its rating and its rival's explain."""
    e = board.residual
    spread = board.spread(e, np.ones(len(e), dtype=bool))
    excess, half = float(e.mean()), 1.96 * spread / len(e)
    p = erfc(abs(float(e.sum())) / spread / sqrt(2)) if spread > 0 else 1.0
    side = "left" if excess > 0 else "right"
    line = f"the {side} item gets {abs(excess):.3f} points a vote more than expected (+- {half:.3f})"
    fires = p < LEVEL
    line += ": show both orders of every pair, or balance the sides." if fires else "."
    return Finding("position", fires, p, line, (("left", excess),), "points a vote beyond those expected")


def self_votes(board: Board, dropped: int) -> Finding:
    """Rows that compare an item with itself, and judges that are items and prefer their own answers."""
    probe = "self-votes"
    if dropped:
        return Finding(
            probe,
            True,
            None,
            f"{dropped} rows compare an item with itself and are not counted: find out what wrote them.",
            (("rows", float(dropped)),),
            "rows",
        )
    place = {name: y for y, name in enumerate(board.votes.items)}
    item = np.array([place.get(name, -1) for name in board.annotators], dtype=np.int64)
    if board.annotator is None or not (item >= 0).any():
        return Finding(
            probe, False, None, "no row compares an item with itself, and no annotator is an item."
        )
    judge = item[board.annotator]
    own = np.where(judge == board.votes.left, 1.0, np.where(judge == board.votes.right, -1.0, 0.0))
    rows = np.flatnonzero((own != 0) & (judge >= 0))
    if len(rows) < FEWEST:
        return not_asked(probe, f"{len(rows)} votes of items on their own answers, too few to test.")
    e = own[rows] * board.residual[rows]
    spread = board.spread(e, rows)
    p = 0.5 * erfc(float(e.sum()) / spread / sqrt(2)) if spread > 0 else 1.0
    line = (
        f"judges give their own answers {e.mean():+.3f} points a vote more than expected ({len(rows)} votes)"
    )
    fires = p < LEVEL
    line += ": leave the votes of judges on themselves out." if fires else "."
    each = [(board.votes.items[y], float(e[judge[rows] == y].mean())) for y in np.unique(judge[rows])]
    each.sort(key=lambda one: -one[1])
    return Finding(probe, fires, p, line, tuple(each), "points a vote on oneself beyond those expected")
