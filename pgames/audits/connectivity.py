"""Whether the votes connect the items."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.audits.board import Board
from pgames.audits.finding import Finding
from pgames.ratings.finite import infinite_scores

BRIDGE = 5  # the probe fires when two parts of a board meet in so many votes or fewer
PROBE = "connectivity"


def connectivity(board: Board) -> Finding:
    """Groups never compared, items that never lost or won, and groups linked by few votes."""
    counts = board.votes.pooled_counts
    votes, items = counts.votes, board.votes.items
    if why := infinite_scores(counts.points, items):
        return Finding(
            PROBE,
            True,
            None,
            f"{why}: ratings between these items rest on the prior; collect votes between them.",
        )
    side, crossing = _weakest_cut(votes)
    if side is not None and crossing <= BRIDGE:
        inside = [items[y] for y in np.flatnonzero(side)]
        shown = ", ".join(inside[:4]) + (", ..." if len(inside) > 4 else "")
        return Finding(
            PROBE,
            True,
            None,
            f"{len(inside)} items ({shown}) and "
            f"the other {len(items) - len(inside)} meet in only {int(crossing)} votes: collect more.",
            (("votes between the groups", float(crossing)),),
            "votes",
        )
    pairs = len(items) * (len(items) - 1) // 2
    unmet = int((np.triu(votes == 0, 1)).sum())
    return Finding(
        PROBE,
        False,
        None,
        f"every item is linked to every other by wins and losses; {unmet:,} of {pairs:,} pairs never met.",
    )


def _weakest_cut(votes: NDArray[np.float64]) -> tuple[NDArray[np.bool_] | None, float]:
    """The side of the cut with fewest votes across among those along the Fiedler vector, two items a side."""
    items = len(votes)
    if items < 4:
        return None, np.inf
    share = 1 / np.sqrt(votes.sum(axis=1))
    vector = np.linalg.eigh(np.eye(items) - share[:, None] * votes * share[None, :])[1][:, 1] * share
    order = np.argsort(vector, kind="stable")
    crossing = [float(votes[np.ix_(order[:k], order[k:])].sum()) for k in range(2, items - 1)]
    best = int(np.argmin(crossing))
    side = np.zeros(items, dtype=bool)
    side[order[: best + 2]] = True
    return side, crossing[best]
