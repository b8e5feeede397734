"""A leaderboard: every rating of the same votes side by side, and what each depends on."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgames.ratings.bradley_terry import without_prior
from pgames.ratings.elo import elo
from pgames.ratings.estimate import BT_PRIOR as PRIOR
from pgames.ratings.estimate import estimated
from pgames.ratings.finite import infinite_scores
from pgames.ratings.nash_average import nash_average
from pgames.ratings.settled import ELO, settled
from pgames.ratings.sources import need_votes, pair_counts
from pgames.votes.comparisons import Comparisons

Array = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Leaderboard:
    """Ratings of K items on the Elo scale, mean 0, and their Nash average.

    games : float64[K], the votes on each item.
    elo : float64[K], online Elo at the end of the votes in their order.
    limit : float64[K], where Elo settles under the schedule of these votes (Bradley-Terry), with 95 %
        intervals float64[K, 2].
    even : float64[K], where Elo settles when all pairs meet equally often, by the estimated win rates.
    nash : float64[K], the margin of each item against the maximum-entropy Nash of the estimate, at most 0;
        `share` float64[K], its probability there.
    notes : what a reader must know: pairs that never met, items that never lost.
    """

    items: tuple[str, ...]
    games: Array
    elo: Array
    limit: Array
    intervals: Array
    even: Array
    nash: Array
    share: Array
    notes: tuple[str, ...]

    @property
    def order(self) -> NDArray[np.intp]:
        """int64[K]: the items by their limit, best first."""
        return np.argsort(-self.limit, kind="stable")


def leaderboard(votes: Comparisons, k: float = 16.0) -> Leaderboard:
    """Rate the items of votes. `k` is the step of online Elo.

    Raises TypeError when given a game, and ValueError when there are fewer than two items or k is not above
    0.
    """
    need_votes(votes, "leaderboard", "bradley_terry, nash_average or settled")
    if len(votes.items) < 2:
        raise ValueError(f"a leaderboard needs at least two items, got {len(votes.items)}.")
    counts, notes = votes.pooled_counts, []
    online = elo(votes, initial=0.0, k=k)
    found = estimated(votes)
    model = without_prior(votes, found.model, found.counts)
    if model is None:
        model = found.model
        why = infinite_scores(counts.points, votes.items)
        notes.append(f"{why}; each item is given {PRIOR:g} games won and lost against an average one.")
    if unmet := int((np.triu(counts.votes == 0, 1)).sum()):
        pairs = len(votes.items) * (len(votes.items) - 1) // 2
        notes.append(
            f"{unmet} of {pairs} pairs never met; the even schedule and the Nash take the ranking's "
            "prediction for them."
        )
    game = found.game
    chances = pair_counts(game).wins
    total = chances + chances.T
    rates = np.divide(chances, total, out=np.full_like(chances, 0.5), where=total > 0)
    average = nash_average(game)
    assert model.intervals is not None
    return Leaderboard(
        votes.items,
        counts.votes.sum(axis=1),
        online.scores,
        ELO * model.scores,
        ELO * model.intervals,
        settled(rates, items=votes.items).scores,
        average.scores,
        game.prompt_weights @ average.policy,
        tuple(notes),
    )
