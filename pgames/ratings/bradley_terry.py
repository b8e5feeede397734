"""Bradley-Terry scores by Newton's method on the table of votes, with Davidson's model of ties."""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.games.preference import PreferenceGame
from pgames.kernels.blocks import njit
from pgames.numerics import sigmoid, softmax
from pgames.ratings.scores import Ratings
from pgames.ratings.sources import Source, items_of, pair_counts

STEPS = 100  # Newton steps; far fewer are needed
SETTLED = 1e-8  # a step this small is the last: the next would be about its square


@dataclass(frozen=True, eq=False, repr=False)
class BradleyTerry(Ratings):
    """Log-strengths with mean 0 (multiply by 400 / ln 10 for the Elo scale), and their covariance.

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
        win, tie = _chances(self.scores, self.tie)
        return win + tie / 2


def bradley_terry(
    source: Source,
    ties: Literal["half", "drop", "davidson"] = "half",
    prior: float = 0.0,
    level: float = 0.95,
    robust: bool = True,
) -> BradleyTerry:
    """Maximum likelihood scores of P(y beats z) = 1 / (1 + exp(s_z - s_y)).

    For a game, the scores are nearest to its preferences in KL, with equal weight on every pair.

    Parameters
    ----------
    ties : count them as "half" a vote for each side, "drop" them, or model them: "davidson" has
        P(win) : P(tie) : P(loss) = exp(d) : nu : exp(-d) with d = (s_y - s_z) / 2 (Davidson 1970).
    prior : votes won and as many lost by every item against an opponent of score 0 (arXiv:2207.00076).
        At 0, scores are infinite where a group of items never lost to the others, or was never compared
        with them; the error names them.
    level : of the normal intervals, in (0, 1).
    robust : use the sandwich covariance, which is valid where the model is not (ties counted half, cycles);
        otherwise the inverse of the Hessian.

    Raises ValueError when an argument is out of its range, when the scores or the tie parameter are
    infinite, naming the items, or when Newton's method does not settle.
    """
    if ties not in ("half", "drop", "davidson"):
        raise ValueError(f'ties must be "half", "drop" or "davidson", got {ties!r}.')
    if not 0 <= prior < np.inf or not 0 < level < 1:
        raise ValueError(f"need prior >= 0 and level in (0, 1), got prior={prior}, level={level}.")
    counts, items = pair_counts(source), items_of(source)
    if ties == "drop":
        counts = counts.without_ties()
    won, none = counts.wins, np.zeros_like(counts.wins)
    tied = none if counts.ties is None else counts.ties
    if prior == 0:
        _refuse_infinite_scores(won + tied, items)
    if ties == "davidson" and tied.any():
        if not won.any():
            raise ValueError("every vote is a tie, so Davidson's tie parameter is infinite: use ties='half'.")
        data = _Data(won, tied, prior, models_ties=True)
    else:
        data = _Data(counts.points, none, prior, models_ties=False)
    scores, log_tie = _newton(data)
    centred = scores - scores.mean()
    tie = float(np.exp(log_tie))
    if isinstance(source, PreferenceGame):
        return BradleyTerry(items, centred, tie=tie)
    meat = None
    if robust:
        meat = _outer_products(data, data.won - won if ties == "half" else None, scores, log_tie)
    inverse = np.linalg.inv(_invertible(_derivatives(data, scores, log_tie).hessian, data))
    covariance = _of_centred(inverse if meat is None else inverse @ meat @ inverse, len(scores))
    half = NormalDist().inv_cdf((1 + level) / 2) * np.sqrt(np.maximum(np.diag(covariance), 0.0))
    return BradleyTerry(items, centred, np.stack([centred - half, centred + half], 1), covariance, tie)


def fit_points(points: NDArray[np.float64], prior: float, items: tuple[str, ...]) -> NDArray[np.float64]:
    """The scores float64[Y], of mean 0, for points float64[Y, Y] of y against z: any weights, no intervals.

    Raises ValueError when a score is infinite, naming the items.
    """
    if prior == 0:
        _refuse_infinite_scores(points, items)
    scores = _newton(_Data(points, np.zeros_like(points), prior, models_ties=False))[0]
    return scores - scores.mean()


class _Data(NamedTuple):
    won: NDArray[np.float64]
    tied: NDArray[np.float64]
    prior: float
    models_ties: bool


class _Derivatives(NamedTuple):
    gradient: NDArray[np.float64]  # of the log-likelihood, in (scores, log nu)
    hessian: NDArray[np.float64]  # of minus the log-likelihood


@njit
def _chances(scores, tie):
    """P(y beats z) and P(y ties with z), float64[Y, Y] each."""
    Y = scores.size
    win, draw = np.empty((Y, Y)), np.empty((Y, Y))
    for y in range(Y):
        for z in range(y, Y):
            up, down = (y, z) if scores[y] >= scores[z] else (z, y)
            shrink = math.exp((scores[down] - scores[up]) / 2)
            total = 1 + shrink * (tie + shrink)
            win[up, down] = 1 / total
            win[down, up] = shrink * shrink / total
            draw[y, z] = draw[z, y] = shrink * tie / total
    return win, draw


def _derivatives(data: _Data, scores: NDArray, log_tie: float) -> _Derivatives:
    win, draw = _chances(scores, np.exp(log_tie))
    votes = data.won + data.won.T + data.tied
    lead = win - win.T
    gradient = (data.won.sum(1) - data.won.sum(0) - (votes * lead).sum(1)) / 2
    hessian = _assemble(data, votes * (1 - draw - lead**2), -votes * lead * draw, votes * draw * (1 - draw))
    if data.prior > 0:
        against_zero = sigmoid(scores)
        gradient += data.prior * (1 - 2 * against_zero)
        hessian[np.diag_indices(len(scores))] += 2 * data.prior * against_zero * (1 - against_zero)
    if data.models_ties:
        gradient = np.append(gradient, (data.tied - votes * draw).sum() / 2)
    return _Derivatives(gradient, hessian)


def _assemble(data: _Data, dd: NDArray, dt: NDArray, tt: NDArray) -> NDArray:
    """Sum matrices of pairs in (d, log nu) into one matrix in (scores, log nu); d = (s_y - s_z) / 2."""
    laplacian = -dd / 4
    np.fill_diagonal(laplacian, 0.0)
    np.fill_diagonal(laplacian, -laplacian.sum(1))
    if not data.models_ties:
        return laplacian
    cross = dt.sum(1, keepdims=True) / 2
    return np.block([[laplacian, cross], [cross.T, np.array([[tt.sum() / 2]])]])


def _newton(data: _Data) -> tuple[NDArray, float]:
    """Newton from equal scores; a step is halved until it hardly overshoots the maximum along its direction.

    The log-likelihood is concave, so it rises along a step as long as its slope there is positive.
    """
    scores = np.zeros(len(data.won))
    log_tie = np.log(data.tied.sum() / data.won.sum()) if data.models_ties else -np.inf
    now = _derivatives(data, scores, log_tie)
    step = np.zeros(1)
    for _ in range(STEPS):
        step = np.linalg.solve(_invertible(now.hessian, data), now.gradient)
        slope = float(now.gradient @ step)
        settled = np.abs(step).max() < SETTLED
        while True:
            moved = scores + step[: len(scores)]
            moved_tie = log_tie + step[-1] if data.models_ties else log_tie
            if settled:
                return moved, moved_tie
            after = _derivatives(data, moved, moved_tie)
            if after.gradient @ step >= -0.1 * slope:
                break
            step, slope = step / 2, slope / 2
        scores, log_tie, now = moved, moved_tie, after
    raise ValueError(
        f"Bradley-Terry did not settle in {STEPS} Newton steps (last change {np.abs(step).max():.2g}): "
        "an item almost never loses; pass prior > 0."
    )


def _invertible(hessian: NDArray, data: _Data) -> NDArray:
    """The Hessian, plus a constant that fixes the mean of the scores where no prior does."""
    if data.prior > 0:
        return hessian
    items = len(data.won)
    out = hessian.copy()
    out[:items, :items] += np.trace(hessian) / items**2
    return out


def _outer_products(data: _Data, half_votes: NDArray | None, scores: NDArray, log_tie: float) -> NDArray:
    """Sum over votes of the outer product of their gradients, in the space of _assemble."""
    win, draw = _chances(scores, np.exp(log_tie))
    lead = win - win.T
    tied = data.tied if half_votes is None else 2 * half_votes
    won = data.won if half_votes is None else data.won - half_votes
    dd = won * (1 - lead) ** 2 + won.T * (1 + lead) ** 2 + tied * lead**2
    dt = -draw * (won * (1 - lead) - won.T * (1 + lead)) - tied * lead * (1 - draw)
    tt = (won + won.T) * draw**2 + tied * (1 - draw) ** 2
    return _assemble(data, dd, dt, tt)


def _of_centred(covariance: NDArray, items: int) -> NDArray:
    """The covariance of the scores minus their mean."""
    block = covariance[:items, :items]
    return block - block.mean(0) - block.mean(1)[:, None] + block.mean()


def _refuse_infinite_scores(beats: NDArray, items: tuple[str, ...]) -> None:
    """Scores are finite when every item is linked to every other by a chain of wins or ties (Ford 1957)."""
    from scipy.sparse.csgraph import connected_components

    remedy = "pass prior > 0, or take votes that connect them"
    idle = np.flatnonzero(beats.sum(0) + beats.sum(1) == 0)
    if idle.size and len(items) > 1:
        raise ValueError(f"{items[idle[0]]!r} has no votes (nor have {idle.size - 1} others): {remedy}.")
    groups, group = connected_components(beats, connection="weak")
    if groups > 1:
        sizes = np.bincount(group)
        one, other = (items[int(np.argmax(group == g))] for g in (0, 1))
        raise ValueError(
            f"the votes fall into {groups} groups never compared with each other (of {sizes.tolist()} items; "
            f"{one!r} and {other!r} are in different ones): {remedy}."
        )
    groups, group = connected_components(beats, connection="strong")
    if groups > 1:
        loses_out = [bool(beats[np.ix_(group != g, group == g)].any()) for g in range(groups)]
        top = group == loses_out.index(False)
        name = items[int(np.argmax(top))]
        others = f" (with {int(top.sum()) - 1} others)" if top.sum() > 1 else ""
        raise ValueError(
            f"{name!r}{others} never lost nor tied against the other {int((~top).sum())} items, so its "
            f"score is infinite: {remedy}."
        )
