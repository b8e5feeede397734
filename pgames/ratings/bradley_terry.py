"""Bradley-Terry scores by Newton's method on the table of votes, with Davidson's model of ties."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.counts import PairCounts
from pgames.games.preference import PreferenceGame
from pgames.numerics import check_bool, number, softmax
from pgames.ratings.finite import refuse_infinite_scores
from pgames.ratings.likelihood import (
    Data,
    chances,
    data_of,
    derivatives,
    maximise,
    outer_products,
)
from pgames.ratings.profile import PRIOR, Curves, profile_intervals, variance_ratio
from pgames.ratings.scores import Ratings
from pgames.ratings.sources import Source, Tables, items_of, tables_of

Array = NDArray[np.float64]
Ties = Literal["half", "drop", "davidson"]


@dataclass(frozen=True, eq=False, repr=False)
class BradleyTerry(Ratings):
    """Log-strengths with mean 0, or 0 for the anchor (multiply by 400 / ln 10 for the Elo scale).

    covariance : float64[Y, Y] of the scores; None for a game, which has no number of votes.
    tie : nu of Davidson's model, in which the odds of a tie between equals are nu / 2; 0 without ties.
    """

    covariance: NDArray[np.float64] | None = None
    tie: float = 0.0

    @property
    def strengths(self) -> NDArray[np.float64]:
        """float64[Y]: exp(scores) scaled to sum 1; P(y beats z) = strength_y / (strength_y + strength_z)."""
        return softmax(self.scores)

    @property
    def win_rates(self) -> NDArray[np.float64]:
        """float64[Y, Y]: P(y beats z) of the model, ties counted half."""
        win, tie = chances(self.scores, self.tie)
        return win + tie / 2


def bradley_terry(
    source: Source,
    ties: Ties = "half",
    prior: float = 0.0,
    level: float | None = 0.95,
    robust: bool = True,
    anchor: str | None = None,
    weights: ArrayLike | None = None,
) -> BradleyTerry:
    """Maximum likelihood scores of P(y beats z) = 1 / (1 + exp(s_z - s_y)), with intervals for few votes too.

    For a game, the scores are nearest to its preferences in KL, with equal weight on every pair.

    The intervals are of the profile likelihood with a weak prior, at least half a vote won and lost by every
    item against an average one, and with a continuity correction of half a vote: they cover the difference of
    two items with probability .95 or more for any number of votes (docs/theory/intervals.md). They are wide
    where votes are few, and grow when an undefeated item wins again.

    Parameters
    ----------
    ties : count them as "half" a vote for each side, "drop" them, or model them: "davidson" has
        P(win) : P(tie) : P(loss) = exp(d) : nu : exp(-d) with d = (s_y - s_z) / 2 (Davidson 1970).
    prior : votes won and as many lost by every item against an opponent of score 0 (arXiv:2207.00076).
        At 0, scores are infinite where a group of items never lost to the others, or was never compared
        with them; the error names them.
    level : of the intervals, in (0, 1); None computes none.
    robust : scale covariance and intervals by the measured variance (sandwich), which is valid where the
        model is not (ties counted half, cycles); otherwise the variance is that of the model.
    anchor : the item whose score is 0; the intervals are then of differences from it. By default the mean of
        the scores is 0.
    weights : float64[N], at least 0, one per vote. Only their ratios count: they are scaled to sum to the
        effective number of votes, (sum w)^2 / sum w^2.

    Raises ValueError when an argument is out of its range, when no item is named as the anchor, when the
    scores or the tie parameter are infinite, naming the items, or when Newton's method does not settle.
    """
    if ties not in ("half", "drop", "davidson"):
        raise ValueError(f'ties must be "half", "drop" or "davidson", got {ties!r}.')
    if not 0 <= number(prior) < np.inf or not (level is None or 0 < number(level) < 1):
        raise ValueError(f"need prior >= 0 and level in (0, 1), got prior={prior!r}, level={level!r}.")
    check_bool("robust", robust)
    tables, items = tables_of(source, weights), items_of(source)
    if anchor is not None and anchor not in items:
        raise ValueError(f"no item is named {anchor!r}, to be the anchor: there are {', '.join(items[:8])}.")
    at = None if anchor is None else items.index(anchor)
    votes = _counted(tables, ties)
    if prior == 0:
        refuse_infinite_scores(votes.data.won + votes.data.tied, items)
    scores, log_tie = maximise(votes.data._replace(prior=float(prior)))
    centred = scores - (scores.mean() if at is None else scores[at])
    tie = float(np.exp(log_tie))
    if isinstance(source, PreferenceGame):
        return BradleyTerry(items, centred, tie=tie)
    covariance = _covariance(votes, float(prior), scores, log_tie, robust, at)
    intervals = None if level is None else _intervals(votes, float(prior), scores, log_tie, robust, at, level)
    if intervals is not None:
        intervals = _around(intervals, centred)
    return BradleyTerry(items, centred, intervals, covariance, tie)


def fit_points(points: NDArray[np.float64], prior: float, items: tuple[str, ...]) -> NDArray[np.float64]:
    """The scores float64[Y], of mean 0, for points float64[Y, Y] of y against z: any weights, no intervals.

    Raises ValueError when a score is infinite, naming the items.
    """
    if prior == 0:
        refuse_infinite_scores(points, items)
    scores = maximise(data_of(points, np.zeros_like(points), prior, models_ties=False))[0]
    return scores - scores.mean()


def without_prior(votes: Source, model: BradleyTerry, counts: PairCounts) -> BradleyTerry | None:
    """The maximum likelihood scores of counts float64[Y, Y], with the intervals of `model`.

    None when some score is infinite. The model must have been fitted to the same votes, ties counted half.
    """
    try:
        scores = fit_points(counts.points, 0.0, items_of(votes))
    except ValueError:
        return None
    assert model.intervals is not None
    return replace(model, scores=scores, intervals=_around(model.intervals, scores))


class _Votes(NamedTuple):
    """The data of the fit, and for the sandwich the squared weights of votes won and of ties counted half."""

    data: Data
    squared_won: Array
    squared_half: Array | None
    squared_tied: Array


def _counted(tables: Tables, ties: Ties) -> _Votes:
    """The votes as `ties` counts them. Raises ValueError when every vote is a tie, for Davidson's model."""
    counts, squares = tables
    none = np.zeros_like(counts.wins)
    tied = none if counts.ties is None else counts.ties
    squared = none if squares.ties is None else squares.ties
    if ties == "drop" or not tied.any():
        return _Votes(data_of(counts.wins, none, 0.0, models_ties=False), squares.wins, none, none)
    if ties == "half":
        data = data_of(counts.wins + tied / 2, none, 0.0, models_ties=False)
        return _Votes(data, squares.wins, squared, none)
    if not counts.wins.any():
        raise ValueError("every vote is a tie, so Davidson's tie parameter is infinite: use ties='half'.")
    return _Votes(data_of(counts.wins, tied, 0.0, models_ties=True), squares.wins, None, squared)


def _around(intervals: Array, scores: Array) -> Array:
    """Intervals float64[Y, 2] that hold the scores: a maximum without a prior may lie beyond one with it."""
    return np.stack([np.minimum(intervals[:, 0], scores), np.maximum(intervals[:, 1], scores)], axis=1)


def _meat(votes: _Votes, data: Data, scores: Array, log_tie: float) -> Array:
    """The sum over votes of the outer product of their gradients, with squared weights."""
    squared = data._replace(tied=votes.squared_tied)
    return outer_products(squared, scores, log_tie, votes.squared_won, votes.squared_half)


def _covariance(
    votes: _Votes, prior: float, scores: Array, log_tie: float, robust: bool, anchor: int | None
) -> Array:
    """float64[Y, Y]: the covariance of the scores minus their mean, or minus that of the anchor."""
    data, items = votes.data._replace(prior=prior), len(scores)
    inverse = derivatives(data, scores, log_tie).inverse()
    whole = inverse @ _meat(votes, data, scores, log_tie) @ inverse if robust else inverse
    return _of_contrasts(whole, items, anchor)


def _of_contrasts(covariance: Array, items: int, anchor: int | None) -> Array:
    """The covariance of the scores minus their mean, or minus that of the anchor."""
    block = covariance[:items, :items]
    if anchor is not None:
        return block - block[anchor] - block[:, anchor, None] + block[anchor, anchor]
    return block - block.mean(0) - block.mean(1)[:, None] + block.mean()


def _intervals(
    votes: _Votes,
    prior: float,
    scores: Array,
    log_tie: float,
    robust: bool,
    anchor: int | None,
    level: float,
) -> Array:
    """float64[Y, 2], from the likelihood with a prior of at least PRIOR."""
    data = votes.data._replace(prior=max(prior, PRIOR))
    if prior < PRIOR:
        scores, log_tie = maximise(data, scores)
    hessian = derivatives(data, scores, log_tie).hessian
    inverse = np.linalg.inv(hessian).astype(np.float64)
    curves = Curves(scores, log_tie, data.won, data.tied, data.prior, hessian, inverse)
    ratio = np.ones(len(scores))
    if robust:
        ratio = variance_ratio(curves, _meat(votes, data, scores, log_tie), anchor)
    return profile_intervals(curves, anchor, ratio, level)
