"""Bootstrap intervals for any rating of votes."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from numpy.typing import ArrayLike

from pgames.numerics import check_whole, number, whole
from pgames.ratings.redrawing import redrawn
from pgames.ratings.scores import Ratings
from pgames.ratings.sources import need_votes
from pgames.votes.comparisons import Comparisons


def bootstrap(
    method: Callable[[Comparisons], Ratings],
    votes: Comparisons,
    resamples: int = 200,
    seed: int = 0,
    level: float = 0.95,
    clusters: ArrayLike | None = None,
) -> Ratings:
    """The ratings of `method(votes)` with percentile intervals over votes drawn again with replacement.

    Resample k depends on (seed, k) alone. Drawn votes on pairs with few votes get a new outcome in some
    resamples (`pgames.ratings.redrawn`), so that no interval is a point because the votes on a pair happen to
    agree. A method that fails on some resamples, such as Bradley-Terry
    without a prior where an item loses every vote, needs its regularised form:

        bootstrap(lambda votes: bradley_terry(votes, prior=0.5), votes)

    clusters : integers[N], such as the annotator or the prompt of each vote. Whole clusters are then drawn,
    which holds where the votes of a cluster depend on each other.

    Raises TypeError when given a game or a method that returns no Ratings, and ValueError when resamples < 2,
    when level is outside (0, 1), when clusters are not one integer per vote, or when the method refuses a
    resample, which is named, or does not rate every item.
    """
    need_votes(votes, "bootstrap", "game.to_game on each of votes.bootstrap(...)")
    if not whole(resamples) or resamples < 2 or not 0 < number(level) < 1:
        raise ValueError(
            f"bootstrap needs resamples >= 2 and level in (0, 1), got resamples={resamples!r:.60}, "
            f"level={level!r:.60}."
        )
    check_whole("seed", seed, 0)
    if not callable(method):
        raise TypeError(f"method must be a function of votes, such as elo, got {type(method).__name__}.")
    ratings = _checked(method(votes), votes)
    scores = np.empty((resamples, len(ratings.items)))
    for k, resample in enumerate(redrawn(votes, resamples, seed, clusters=clusters)):
        try:
            scores[k] = _checked(method(resample.votes), votes).scores
        except ValueError as error:
            raise ValueError(f"in resample {k} of the votes: {error}") from None
    low, high = np.quantile(scores, [(1 - level) / 2, (1 + level) / 2], axis=0)
    return Ratings(ratings.items, ratings.scores, np.stack([low, high], axis=1))


def _checked(found: Ratings, votes: Comparisons) -> Ratings:
    """What the method returned. Raises TypeError when it is no Ratings, ValueError when not of the items."""
    if not isinstance(found, Ratings):
        raise TypeError(f"method must return Ratings, got {type(found).__name__}.")
    if found.items != votes.items or not np.isfinite(found.scores).all():
        what = "other items" if found.items != votes.items else "a score that is NaN or infinite"
        raise ValueError(
            f"method must return a finite score for each of {len(votes.items)} items, got {what}."
        )
    return found
