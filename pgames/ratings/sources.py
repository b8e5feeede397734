"""The counts behind ratings: those of votes, or of a game."""

from __future__ import annotations

import numpy as np

from pgames.counts import PairCounts
from pgames.games.preference import PreferenceGame
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


def items_of(source: Source) -> tuple[str, ...]:
    """The names of the Y items of votes or of a game."""
    return source.items if isinstance(source, Comparisons) else source.labels


def need_votes(source: object, method: str, instead: str) -> None:
    """Raises TypeError, naming the function to use `instead`, unless `source` holds votes."""
    if not isinstance(source, Comparisons):
        raise TypeError(f"{method} needs Comparisons, got {type(source).__name__}: use {instead} for a game.")
