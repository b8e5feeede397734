"""Which pair a voter sees next: the one whose vote tells most about which item to play."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llm_backend.people.pairs import Question
from llm_backend.people.votes import Vote
from pgames.meetings import Meetings
from pgames.population import next_matches

Array = NDArray[np.float64]


class Matches(Protocol):
    """A rule for the next match of K items, such as `telling`."""

    def __call__(self, points: Array, votes: Array, /) -> Array:
        """Weights float64[K, K], symmetric and at least 0, for points and votes float64[K, K]."""
        ...


def telling(points: Array, votes: Array) -> Array:
    """The shares of `next_matches`, float64[K, K], times how little is known of the average pair.

    (w_i + w_j + .1 / K) sd_ij / sqrt(n_ij) within a game, w the Nash of the estimated win rates; between
    games, those with few votes come first.

    points : float64[K, K], votes for the row against the column, a tie half a vote for each.
    votes : float64[K, K], symmetric.
    """
    K, own = len(votes), np.eye(len(votes), dtype=bool)
    rates = np.divide(points, votes, out=np.full((K, K), np.nan), where=votes > 0)
    met = Meetings(np.where(own, 0.5, rates)[None], np.where(own, np.inf, votes)[None])
    shares = next_matches(met)[0]
    level = K * (K - 1) / 2 * float(np.mean(1 / np.sqrt(votes[~own] + 2)))
    return level * (shares + shares.T)


class Chooser:
    """Chooses questions by a rule, from the votes so far.

    Every game has its own items. Its weights are computed once per vote on it, and the weight of two items is
    shared by the questions that compare them.
    """

    def __init__(self, questions: Sequence[Question], rule: Matches = telling):
        self._rule = rule
        self._items: dict[str, dict[str, int]] = {}
        for one in questions:
            items = self._items.setdefault(one.game, {})
            for name in one.names:
                items.setdefault(name, len(items))
        self._points = {game: np.zeros((len(items), len(items))) for game, items in self._items.items()}
        self._weights: dict[str, Array] = {}
        self._cast = {one.key: 0 for one in questions}

    def count(self, question: Question, vote: Vote, times: int = 1) -> None:
        """Count a vote; times = -1 takes it back."""
        i, j = self._place(question)
        points = self._points[question.game]
        points[i, j] += times * vote.points
        points[j, i] += times * (1 - vote.points)
        self._cast[question.key] += times
        self._weights.pop(question.game, None)

    def choose(self, questions: Sequence[Question], rng: np.random.Generator) -> Question:
        """One of the questions: two items by their weight, then a pair of theirs with the fewest votes."""
        weights, groups = np.empty(len(questions)), dict[tuple[str, int, int], list[int]]()
        for k, one in enumerate(questions):
            i, j = sorted(self._place(one))
            weights[k] = self.weights(one.game)[i, j]
            groups.setdefault((one.game, i, j), []).append(k)
        total = np.array([weights[some[0]] for some in groups.values()])
        total = total / total.sum() if total.sum() > 0 else np.full(len(total), 1 / len(total))
        some = list(groups.values())[rng.choice(len(total), p=total)]
        cast = [self._cast[questions[k].key] for k in some]
        few = [k for k, count in zip(some, cast, strict=True) if count == min(cast)]
        return questions[few[rng.integers(len(few))]]

    def weights(self, game: str) -> Array:
        """The weights float64[K, K] of the next vote on two items of a game, in the order of `items`."""
        if game not in self._weights:
            points = self._points[game]
            self._weights[game] = self._rule(points, points + points.T)
        return self._weights[game]

    def items(self, game: str) -> list[str]:
        """The names of the items of a game."""
        return list(self._items[game])

    def _place(self, question: Question) -> tuple[int, int]:
        items = self._items[question.game]
        return items[question.names[0]], items[question.names[1]]
