"""Preferences that change over time."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.audits.board import Board, sums
from pgames.audits.finding import LEVEL, Finding, not_asked

NAMED = 8
FEWEST = 30


def drift(board: Board) -> Finding:
    """Whether items win more at one time than at another, by a line and a bow over the ranks of time.

    Time is the column of times, or the order of the rows.
    """
    probe, votes = "drift", board.votes
    if len(votes) < FEWEST:
        return not_asked(probe, f"{len(votes)} votes are too few to detect drift.")
    if board.time is None:
        rank = np.arange(len(votes), dtype=float)
        clock = "the order of the rows"
    else:
        values, place = np.unique(board.time, return_inverse=True)
        if len(values) < 2:
            return not_asked(probe, "every vote has the same time.")
        rank = np.cumsum(np.bincount(place))[place] - np.bincount(place)[place] / 2
        clock = "time"
    x = 2 * (rank - rank.mean()) / max(float(np.ptp(rank)), 1.0)
    waves = [x, 1.5 * x**2 - 0.5]
    waves = [wave - wave.mean() for wave in waves]
    items, e = len(votes.items), board.residual

    def by_item(values: NDArray[np.float64], sign: float) -> NDArray[np.float64]:
        return sums(values, votes.left, items) + sign * sums(values, votes.right, items)

    scale = [1 / np.maximum(by_item((e * wave)[None] ** 2, 1.0)[0], 1e-12) for wave in waves]

    def size(signed: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[F], of residuals under signs, float64[F, N]."""
        pairs = zip(waves, scale, strict=True)
        return np.sum([(by_item(signed * wave, -1.0) ** 2 * one).sum(axis=1) for wave, one in pairs], axis=0)

    seen = size(e[None])[0]
    above = sum(int((size(e * signs) >= seen - 1e-12).sum()) for signs in board.signs(13))
    p = (1 + above) / (1 + board.flips)
    fires = p < LEVEL
    z = by_item((e * waves[0])[None], -1.0)[0] * np.sqrt(scale[0])
    order = np.argsort(-np.abs(z), kind="stable")[:NAMED]
    first = int(order[0])
    line = (
        f"preferences change with {clock}: {votes.items[first]} {'rises' if z[first] > 0 else 'falls'} most "
        f"(z = {z[first]:+.1f}); rate recent votes alone, or weight them (weights=)."
        if fires
        else f"no change of preferences with {clock} beyond chance."
    )
    return Finding(probe, fires, p, line, tuple((votes.items[y], float(z[y])) for y in order), "trend, in z")
