"""Votes that depend on each other: of one annotator, or on one prompt."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.audits.board import Board, sums
from pgames.audits.finding import LEVEL, Finding, not_asked
from pgames.ratings.bootstrap import bootstrap
from pgames.ratings.bradley_terry import bradley_terry

RESAMPLES = 100
NAMED = 8
MEASURED = 5  # votes on a pair from which its own mean is taken
LEAST = 1e-9  # a sum of squares below this is rounding


def clustered_votes(board: Board, resamples: int = RESAMPLES) -> Finding:
    """Whether votes of one annotator agree more than those of several, and what that does to intervals."""
    probe = "annotators"
    if board.annotator is None:
        return not_asked(probe, "the votes have no column of annotators.")
    return _dependence(board, board.annotator, board.annotators, probe, 11, resamples)


def prompt_disagreement(board: Board, resamples: int = RESAMPLES) -> Finding:
    """Whether preferences differ from prompt to prompt, and what that does to intervals."""
    probe = "prompts"
    if len(board.votes.prompts) < 2:
        return not_asked(probe, "the votes are on one prompt.")
    cluster = board.votes.prompt.astype(np.int64)
    return _dependence(board, cluster, board.votes.prompts, probe, 12, resamples)


def _dependence(
    board: Board, cluster: NDArray[np.int64], names: tuple[str, ...], probe: str, stream: int, resamples: int
) -> Finding:
    """The products of residuals within clusters, summed, against those of random signs.

    Twice: by item, which sees a liking for an item, and by pair, which sees cycles that differ. Residuals of
    a pair with MEASURED votes or more are taken from its own mean: otherwise the votes of a pair on which
    all agree would seem to depend on each other.
    """
    votes = board.votes
    if np.bincount(cluster).max() < 2:
        return not_asked(probe, f"each of the {len(names)} {probe} has one vote.")
    items = len(votes.items)
    first, second = np.minimum(votes.left, votes.right), np.maximum(votes.left, votes.right)
    pair = np.unique(first.astype(np.int64) * items + second, return_inverse=True)[1]
    side = np.where(votes.left == first, 1.0, -1.0)
    asked = np.bincount(pair)
    mean = np.where(asked >= MEASURED, np.bincount(pair, side * board.residual) / asked, 0.0)
    oriented = side * board.residual - mean[pair]
    e = side * oriented
    square = e**2
    keys = np.concatenate([cluster * items + votes.left, cluster * items + votes.right])
    used, place = np.unique(keys, return_inverse=True)
    left, right = np.split(place, 2)
    total = np.bincount(votes.left, square, items) + np.bincount(votes.right, square, items)
    scale = 1 / np.maximum(total, LEAST)
    weight, alone = scale[used % items], scale[votes.left] + scale[votes.right]
    spread = np.bincount(pair, square)
    by_pair = np.where(asked >= MEASURED, 1 / np.maximum(spread, LEAST), 0.0)
    met, both = np.unique(cluster * len(spread) + pair, return_inverse=True)
    pair_weight, pair_alone = by_pair[met % len(spread)], by_pair[pair]

    def products(signs: NDArray[np.float64]) -> NDArray[np.float64]:
        """float64[F, 2]: by item and by pair, under signs float64[F, N]."""
        signed = e * signs
        tastes = sums(signed, left, len(used)) - sums(signed, right, len(used))
        cycles = sums(oriented * signs, both, len(met))
        by_item = (tastes**2 * weight).sum(axis=1) - alone @ square
        return np.stack([by_item, (cycles**2 * pair_weight).sum(axis=1) - pair_alone @ square], axis=1)

    seen = products(np.ones((1, len(votes))))[0]
    chance = np.concatenate([products(signs) for signs in board.signs(stream)])
    each = [(1 + int((chance[:, i] >= seen[i] - 1e-12).sum())) / (1 + board.flips) for i in range(2)]
    p = min(1.0, 2 * min(each))
    fires = p < LEVEL
    if not fires:
        return Finding(
            probe, False, p, f"votes within one of the {len(names)} {probe} agree no more than by chance."
        )
    ratio = _widening(board, cluster, resamples)
    tastes = np.bincount(left, e, len(used)) - np.bincount(right, e, len(used))
    own = np.bincount(left, square, len(used)) + np.bincount(right, square, len(used))
    excess = np.bincount(used // items, (tastes**2 - own) * weight, len(names))
    order = np.argsort(-excess, kind="stable")[:NAMED]
    what = "annotators have tastes of their own" if probe == "annotators" else "preferences differ by prompt"
    line = (
        f"{what}: intervals that resample whole {probe} are {ratio:.2f} times as wide (median of the items); "
        f"use pgames.ratings.bootstrap(..., clusters=)"
        + (", and read the mixture of each prompt." if probe == "prompts" else ".")
    )
    return Finding(
        probe, True, p, line, tuple((names[g], float(excess[g])) for g in order), "agreement beyond chance"
    )


def _widening(board: Board, cluster: NDArray[np.int64], resamples: int) -> float:
    """The median ratio of the widths of clustered to independent bootstrap intervals."""

    def scores(votes):
        return bradley_terry(votes, prior=0.5, level=None)

    clustered = bootstrap(scores, board.votes, resamples, board.seed, clusters=cluster)
    plain = bootstrap(scores, board.votes, resamples, board.seed)
    assert clustered.intervals is not None and plain.intervals is not None
    widths = np.diff(clustered.intervals)[:, 0], np.diff(plain.intervals)[:, 0]
    return float(np.median(widths[0] / np.maximum(widths[1], 1e-12)))
