"""Ratings: one score per item, and the tables that ratings are computed from."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.games.preference import PreferenceGame
from pgames.votes.comparisons import Comparisons


@dataclass(frozen=True, eq=False, repr=False)
class Ratings:
    """One score per item, float64[Y], higher is better; intervals float64[Y, 2] where the method has them."""

    items: tuple[str, ...]
    scores: NDArray[np.float64]
    intervals: NDArray[np.float64] | None = None

    @property
    def order(self) -> NDArray[np.intp]:
        """The numbers of the items, best first; equals keep their order."""
        return np.argsort(-self.scores, kind="stable")

    @property
    def ranking(self) -> tuple[str, ...]:
        """The items, best first."""
        return tuple(self.items[i] for i in self.order)

    def __getitem__(self, item: str) -> float:
        """The score of an item, by name."""
        if item not in self.items:
            raise KeyError(f"no item is named {item!r}; the best is {self.ranking[0]!r}")
        return float(self.scores[self.items.index(item)])

    def __repr__(self) -> str:
        width = max(len(name) for name in self.items)
        lines = [f"{type(self).__name__} of {len(self.items)} items"]
        for rank, i in enumerate(self.order, start=1):
            line = f"{rank:>4}  {self.items[i]:<{width}}  {self.scores[i]:>10.4f}"
            if self.intervals is not None:
                low, high = self.intervals[i]
                line += f"  [{low:.4f}, {high:.4f}]"
            lines.append(line)
        return "\n".join(lines)


class PairVotes(NamedTuple):
    """What pairs of items say, averaged over prompts; a game counts as one vote per pair."""

    items: tuple[str, ...]
    wins: NDArray[np.float64]  # [Y, Y], votes for y against z without ties
    ties: NDArray[np.float64]  # [Y, Y], symmetric


def pair_votes(source: Comparisons | PreferenceGame) -> PairVotes:
    """Votes by pair; those of a game are its preferences, weighted over the prompts where both take part."""
    if isinstance(source, Comparisons):
        return PairVotes(source.items, *source.pooled_counts)
    if not isinstance(source, PreferenceGame):
        raise TypeError(f"need Comparisons or a PreferenceGame, got {type(source).__name__}.")
    wins = np.zeros((source.responses, source.responses))
    for weight, P, support in zip(source.prompt_weights, source.P, source.support, strict=True):
        wins += weight * P * np.outer(support, support)
    np.fill_diagonal(wins, 0.0)
    return PairVotes(source.labels, wins, np.zeros_like(wins))


def need_votes(source: object, method: str, instead: str) -> None:
    """Raise TypeError unless source holds votes."""
    if not isinstance(source, Comparisons):
        raise TypeError(f"{method} needs Comparisons, got {type(source).__name__}: use {instead} for a game.")
