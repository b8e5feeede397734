"""The counts behind ratings: those of votes, or of a game."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.counts import PairCounts
from pgames.games.preference import PreferenceGame
from pgames.numerics import real
from pgames.votes.comparisons import Comparisons

Source = Comparisons | PreferenceGame


def pair_counts(source: Source) -> PairCounts:
    """The votes on each pair, float64[Y, Y], over all prompts.

    A game counts as one vote on each pair, split by its preferences and averaged over the prompts where both
    items take part. Raises TypeError when the source is neither votes nor a game.
    """
    if isinstance(source, Comparisons):
        return source.pooled_counts
    if not isinstance(source, PreferenceGame):
        raise TypeError(f"need Comparisons or a PreferenceGame, got {type(source).__name__}.")
    wins = np.zeros((source.responses, source.responses))
    for weight, P, support in zip(source.prompt_weights, source.P, source.support, strict=True):
        wins += weight * P * np.outer(support, support)
    np.fill_diagonal(wins, 0.0)
    return PairCounts(wins)


class Tables(NamedTuple):
    """The weights of the votes on each pair, and their squares; both are the counts where votes weigh 1."""

    counts: PairCounts
    squares: PairCounts


def tables_of(source: Source, weights: ArrayLike | None = None) -> Tables:
    """The votes on each pair over all prompts, weighted.

    weights : float64[N], at least 0, one per vote; scaled to sum to (sum w)^2 / sum w^2, the effective number
        of votes, so that only their ratios count.

    Raises TypeError when the source is neither votes nor a game, and ValueError when weights are given for a
    game, are not one finite number of at least 0 for every vote, or are all 0.
    """
    if weights is None:
        counts = pair_counts(source)
        return Tables(counts, counts)
    if not isinstance(source, Comparisons):
        raise ValueError("weights belong to votes, and a game has none: leave them out.")
    w = effective_weights(source, weights)
    return Tables(weighted_counts(source, w), weighted_counts(source, w * w))


def effective_weights(votes: Comparisons, weights: ArrayLike) -> NDArray[np.float64]:
    """float64[N]: weights of votes, scaled to sum to their effective number (sum w)^2 / sum w^2.

    Raises ValueError when they are not one finite number of at least 0 for every vote, or are all 0.
    """
    w = real("weights", weights)
    if w.shape != (len(votes),) or not np.isfinite(w).all() or (w < 0).any() or not w.any():
        raise ValueError(
            f"weights must be {len(votes)} finite numbers of at least 0, one per vote and not all 0, "
            f"got shape {w.shape}."
        )
    w = w / w.max()
    return w * (w.sum() / (w @ w))


def weighted_counts(votes: Comparisons, weights: NDArray[np.float64], by_prompt: bool = False) -> PairCounts:
    """Wins and ties float64[Y, Y], or float64[X, Y, Y] by prompt: the sums of weights float64[N]."""
    Y = len(votes.items)
    shape = (len(votes.prompts), Y, Y) if by_prompt else (Y, Y)
    first = np.where(votes.winner < 0, votes.right, votes.left).astype(np.int64)
    place = first * Y + np.where(votes.winner < 0, votes.left, votes.right)
    if by_prompt:
        place += votes.prompt.astype(np.int64) * Y * Y
    tied = votes.winner == 0
    size = int(np.prod(shape))
    wins, ties = (
        np.bincount(place[rows], weights[rows], size).astype(np.float64).reshape(shape)
        for rows in (~tied, tied)
    )
    return PairCounts(wins, ties + np.swapaxes(ties, -1, -2))


def items_of(source: Source) -> tuple[str, ...]:
    """The names of the Y items of votes or of a game."""
    return source.items if isinstance(source, Comparisons) else source.labels


def need_votes(source: object, method: str, instead: str) -> None:
    """Raises TypeError, naming the function to use `instead`, unless `source` holds votes."""
    if not isinstance(source, Comparisons):
        raise TypeError(f"{method} needs Comparisons, got {type(source).__name__}: use {instead} for a game.")
