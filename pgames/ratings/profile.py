"""Intervals of Bradley-Terry scores from the profile likelihood, which hold for few votes."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.kernels.blocks import njit

Array = NDArray[np.float64]

PRIOR = 0.5  # votes won and lost against an average opponent, in every interval
HALF_VOTE = 0.5  # the continuity correction: the result of half a vote is turned against the score
ALIKE = 20.0  # votes that the model's variance is worth beside the measured one
NEAR = 0.1  # of a step: pairs whose difference changes by less are followed by a parabola
CLOSE = 1e-7  # of a likelihood's fall, and of a step
STEPS = 100
FARTHEST = 1e6  # logits
SIGNS = (-1.0, 1.0)  # of the steps to the lower and to the upper end
LOG_ZERO = -1e300  # stands for log 0 in compiled code


class Curves(NamedTuple):
    """The likelihood near its maximum, to follow along one line for every item.

    scores float64[Y], log_tie : the maximum. won, tied float64[Y, Y] : the votes, and their prior.
    hessian, inverse float64[P, P] : of minus the log-likelihood, in (scores, log nu) or in scores alone.
    """

    scores: Array
    log_tie: float
    won: Array
    tied: Array
    prior: float
    hessian: Array
    inverse: Array


def profile_intervals(curves: Curves, anchor: int | None, ratio: Array, level: float) -> Array:
    """float64[Y, 2]: the interval of each score minus their mean, or minus that of the `anchor`.

    An end is where twice the log-likelihood has fallen by the quantile of chi-square with one degree of
    freedom, times `ratio` float64[Y], along the direction in which it falls least. Before that, the result
    of half a vote of the item is turned upwards for the upper end, and downwards for the lower one. `level`
    is in (0, 1).
    """
    from statistics import NormalDist

    items = len(curves.scores)
    directions, contrast = _directions(curves, anchor)
    votes = curves.won + curves.won.T + curves.tied
    cast = votes.sum(axis=1)
    lost = (curves.won.T + curves.tied / 2).sum(axis=1)
    won = (curves.won + curves.tied / 2).sum(axis=1)
    cut = NormalDist().inv_cdf((1 + level) / 2) ** 2
    centre = contrast[:, :items] @ curves.scores
    slopes, depths = np.zeros((items, 2)), cut * ratio / 2
    for y in range(items):
        turned = y if anchor is None or cast[y] <= cast[anchor] else anchor
        if y == anchor or cast[turned] + curves.prior == 0:
            depths[y] = 0.0
            continue
        facing = -votes[turned] / max(cast[turned], 1.0)
        facing[turned] += 1.0
        lean = facing @ directions[y, :items]
        for side, sign in enumerate(SIGNS):
            ahead = sign if turned == y else -sign  # the way in which the turned vote counts
            spare = (lost if ahead > 0 else won)[turned]
            slopes[y, side] = sign * ahead * min(HALF_VOTE, spare) * lean
    bends = ((directions @ curves.hessian) * directions).sum(axis=1)
    ends = np.zeros((items, 2))
    _ends(curves, votes, directions, bends, slopes, depths, ends)
    return centre[:, None] + ends


def variance_ratio(curves: Curves, meat: Array, anchor: int | None) -> Array:
    """float64[Y]: the measured variance of each score over that of the model, drawn to 1 by ALIKE votes.

    An item's votes count by their information: a vote between equals is 1, a sure one 0. So the wins of an
    undefeated item, which have no measured variance, do not narrow its interval.

    meat float64[P, P] : the sum of the outer products of the gradients.
    """
    _, contrast = _directions(curves, anchor)
    forward = contrast @ curves.inverse
    model = (forward * contrast).sum(axis=1)
    measured = (forward @ meat * forward).sum(axis=1)
    ratio = np.divide(measured, model, out=np.ones_like(model), where=model > 0)
    even = 4 * np.diag(curves.hessian)[: len(curves.scores)]
    if anchor is not None:
        even = np.minimum(even, even[anchor])
    return 1 + (ratio - 1) * even / (even + ALIKE)


def _directions(curves: Curves, anchor: int | None) -> tuple[Array, Array]:
    """(directions, contrasts), float64[Y, P] each: a step of 1 moves the contrast of the item by 1."""
    items, size = len(curves.scores), len(curves.inverse)
    contrast = np.eye(items, size)
    if anchor is None:
        contrast[:, :items] -= 1 / items
    else:
        contrast[:, anchor] -= 1.0
    forward = contrast @ curves.inverse
    along = (forward * contrast).sum(axis=1)
    return np.divide(forward, along[:, None], out=np.zeros_like(forward), where=along[:, None] > 0), contrast


class _Line(NamedTuple):
    """The pairs and items that move along a line, each by how much."""

    gap: Array
    gap_move: Array
    won: Array
    lost: Array
    tied: Array
    score: Array
    score_move: Array
    log_tie: float
    log_tie_move: float
    prior: float
    slope: float


@njit
def _ends(curves, votes, directions, bends, slopes, depths, ends):
    """Set ends[y] to the two places where the likelihood of item y has fallen by depths[y]; 0 if that is 0.

    bends float64[Y] : minus the second derivative along each direction. slopes float64[Y, 2] : of the turned
    votes along the way to the lower and to the upper end.
    """
    for y in range(depths.size):
        if depths[y] > 0:
            for side in range(2):
                step = SIGNS[side] * directions[y]
                line = _line(curves, votes, step, slopes[y, side])
                far = max(bends[y] - _fall(line, 0.0, 0.0)[2], 0.0)
                ends[y, side] = SIGNS[side] * _root(line, far, depths[y])


@njit
def _line(curves, votes, step, slope):
    """The line along `step`: an item moves where its score leaves the median of all by more than NEAR."""
    items = curves.scores.size
    moves = step[:items]
    apart = np.abs(moves - np.median(moves))
    is_mover = apart > NEAR * apart.max()
    mover = np.flatnonzero(is_mover)
    room = mover.size * items
    left, right, pairs = np.empty(room, np.int64), np.empty(room, np.int64), 0
    for i in mover:  # each pair with a mover once
        for j in range(items):
            if votes[i, j] > 0 and (not is_mover[j] or j > i):
                left[pairs], right[pairs] = i, j
                pairs += 1
    gap, gap_move = np.empty(pairs), np.empty(pairs)
    won, lost, tied = np.empty(pairs), np.empty(pairs), np.empty(pairs)
    for k in range(pairs):
        i, j = left[k], right[k]
        gap[k], gap_move[k] = curves.scores[i] - curves.scores[j], moves[i] - moves[j]
        won[k], lost[k], tied[k] = curves.won[i, j], curves.won[j, i], curves.tied[i, j]
    also = step[items] if step.size > items else 0.0
    log_tie = max(curves.log_tie, LOG_ZERO)
    return _Line(
        gap, gap_move, won, lost, tied, curves.scores[mover], moves[mover], log_tie, also, curves.prior, slope
    )


@njit
def _fall(line, far, x):
    """(log-likelihood at x, up to a constant; its derivative; minus its second derivative) along the line.

    far : minus the second derivative of the pairs and items that hardly move.
    """
    log_tie, also = line.log_tie + x * line.log_tie_move, line.log_tie_move
    nu = math.exp(log_tie) if line.log_tie > LOG_ZERO else 0.0
    value = line.slope * x - far * x * x / 2
    rate = line.slope - far * x
    bend = far
    for k in range(line.gap.size):
        d = line.gap[k] + x * line.gap_move[k]
        shrink = math.exp(-abs(d) / 2)
        total = 1 + shrink * (nu + shrink)
        draw = shrink * nu / total
        lead = (1 - shrink * shrink) / total
        if d < 0:
            lead = -lead
        won, lost, tied = line.won[k], line.lost[k], line.tied[k]
        votes, move = won + lost + tied, line.gap_move[k] / 2
        value += (won - lost) * d / 2 - votes * (abs(d) / 2 + math.log(total))
        rate += move * (won - lost - votes * lead)
        bend += votes * (move**2 * (1 - draw - lead**2) - 2 * move * also * lead * draw)
        if nu > 0:
            value += tied * log_tie
            rate += also * (tied - votes * draw)
            bend += votes * also**2 * draw * (1 - draw)
    for k in range(line.score.size):
        s, move = line.score[k] + x * line.score_move[k], line.score_move[k]
        slant = math.tanh(s / 2)
        value -= line.prior * (abs(s) + 2 * math.log1p(math.exp(-abs(s))))
        rate -= line.prior * move * slant
        bend += line.prior * move**2 * (1 - slant**2) / 2
    return value, rate, bend


@njit
def _root(line, far, depth):
    """x > 0, beyond the maximum of the curve, where it has fallen by `depth`; inf if it never does."""
    low, high = 0.0, np.inf
    top = 0.0
    best, rate, bend = _fall(line, far, top)
    for _ in range(STEPS):  # Newton within [low, high] to the maximum
        if rate > 0:
            low = top
        else:
            high = top
        if high <= low:  # the maximum lies at 0 or on the other side of it
            break
        step = rate / bend if bend > 0 else np.inf
        top += step
        if not low <= top <= high or not top < FARTHEST:
            top = (low + high) / 2 if high < np.inf else 2 * low + 1
        if top > FARTHEST:
            return np.inf
        best, rate, bend = _fall(line, far, top)
        if abs(step) < CLOSE * (1 + top):
            break
    low, high = top, np.inf
    x = top + math.sqrt(2 * depth / bend) if bend > 0 else top + 1
    for _ in range(STEPS):
        if x > FARTHEST:
            return np.inf
        value, rate, _ = _fall(line, far, x)
        over = best - value - depth
        if over > 0:
            high = x
        else:
            low = x
        if abs(over) < CLOSE * depth:
            break
        x = x + over / rate if rate < 0 else np.inf
        if not low < x < high:
            x = (low + high) / 2 if high < np.inf else 2 * low - top + 1
    return x
