"""Which neighbours of the ranking the votes separate, all at once (max-t)."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.audits.board import Board
from pgames.audits.finding import Finding
from pgames.ratings.bradley_terry import BradleyTerry

JOINT = 0.05  # the probability that any neighbours are called separated wrongly
DRAWS = 4000
NAMED = 8


class Neighbours(NamedTuple):
    """The K - 1 pairs of neighbours in the ranking, best first.

    better, worse int64[K - 1] : their items. gap, t float64[K - 1] : the difference of their scores, and that
    in standard errors. p float64[K - 1] : adjusted for all pairs at once.
    """

    better: NDArray[np.int64]
    worse: NDArray[np.int64]
    gap: NDArray[np.float64]
    t: NDArray[np.float64]
    p: NDArray[np.float64]


def separated(fit: BradleyTerry, seed: int = 0) -> Neighbours:
    """Adjusted p-values of all neighbours at once: the largest of |t| under their joint normal distribution.

    The method is that of Hothorn, Bretz and Westfall (2008). Raises ValueError when the fit has no
    covariance.
    """
    if fit.covariance is None:
        raise ValueError("the fit has no covariance: fit votes, not a game.")
    order = fit.order.astype(np.int64)
    better, worse = order[:-1], order[1:]
    contrast = np.zeros((len(better), len(order)))
    contrast[np.arange(len(better)), better] = 1.0
    contrast[np.arange(len(better)), worse] = -1.0
    covariance = contrast @ fit.covariance @ contrast.T
    error = np.sqrt(np.maximum(np.diag(covariance), 1e-300))
    gap = contrast @ fit.scores
    t = gap / error
    values, vectors = np.linalg.eigh(covariance / np.outer(error, error))
    root = vectors * np.sqrt(np.maximum(values, 0.0))
    draws = np.random.default_rng([seed, 21]).standard_normal((DRAWS, len(values))) @ root.T
    largest = np.sort(np.abs(draws).max(axis=1))
    p = 1 - np.searchsorted(largest, np.abs(t)) / DRAWS
    return Neighbours(better, worse, gap, t, p)


def neighbours(board: Board) -> Finding:
    """Whether the votes separate every item from the next, with a joint error of 5 %."""
    found = separated(board.found.model, board.seed)
    items = board.votes.items
    open_ = np.flatnonzero(found.p > JOINT)
    details = tuple(
        (f"{items[found.better[k]]} > {items[found.worse[k]]}", float(found.p[k])) for k in open_[:NAMED]
    )
    total = len(found.p)
    if not len(open_):
        return Finding(
            "neighbours",
            False,
            None,
            f"all {total} neighbours of the ranking are separated, jointly at 95 %.",
        )
    first = open_[0]
    line = (
        f"{len(open_)} of {total} neighbours are not separated jointly at 95 %, the first "
        f"{items[found.better[first]]} and {items[found.worse[first]]}: report them as tied, or ask for more "
        "votes between them."
    )
    return Finding("neighbours", True, None, line, details, "adjusted p-value")
