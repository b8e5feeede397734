"""The likelihood of Bradley-Terry and of Davidson's model of ties, its derivatives and its maximum."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.kernels.blocks import njit
from pgames.numerics import sigmoid

Array = NDArray[np.float64]

STEPS = 200  # Newton steps; six are usual, and one per unit of the largest difference at most
SOFT = 1e-3  # below this prior, gradients are summed exactly
SMALL = 1e-9  # a prior from here on determines the scores of a million votes
HALVINGS = 60
TINY = 1e-300
FARTHEST = 600.0  # a score whose exponential is still a number
SETTLED = 1e-8  # a step this small is the last: the next would be about its square


class Data(NamedTuple):
    """Votes float64[Y, Y] won by y against z, and tied (symmetric; 0 where a tie is half a vote for each).

    prior : votes won and as many lost by every item against an opponent of score 0.
    models_ties : whether log nu of Davidson's model is a parameter beside the scores.
    group : int64[Y], the group of each item: the items that votes connect.
    """

    won: Array
    tied: Array
    prior: float
    models_ties: bool
    group: NDArray[np.intp]


class Derivatives(NamedTuple):
    """Of the log-likelihood in (scores, log nu): its gradient, and the Hessian of minus it.

    Votes say nothing about the mean of a group, and a small prior says it so softly that rounding would hide
    it. So a Newton step is solved with the mean fixed: centre @ step = shift, which the prior implies.

    members bool[G, P] : the items of each group. mass float64[G] : the curvature of the prior in each group.
    centre float64[G, P], shift float64[G] : the weights of that mean, and the step that the prior asks of it.
    """

    gradient: Array
    hessian: Array
    members: NDArray[np.bool_]
    mass: Array
    centre: Array
    shift: Array

    def newton_step(self) -> Array:
        """float64[P]: the step to the maximum of the parabola. Raises LinAlgError when there is none."""
        step = np.linalg.solve(self._fixed, self.gradient + self._scale * self.shift @ self.centre)
        return step.astype(np.float64)

    def inverse(self) -> Array:
        """float64[P, P]: the inverse of the Hessian, up to a multiple of ones if votes connect all items."""
        out = np.linalg.inv(self._fixed).astype(np.float64)
        if len(self.mass) > 1:  # the prior alone places the groups
            loose = self._scale / (self.mass * (self.mass + self._scale))
            out += (self.members.T * loose) @ self.members
        return out

    @property
    def _scale(self) -> float:
        return float(np.trace(self.hessian)) / len(self.hessian) or 1.0

    @property
    def _fixed(self) -> Array:
        return self.hessian + self._scale * self.centre.T @ self.centre


def data_of(won: Array, tied: Array, prior: float, models_ties: bool) -> Data:
    """The data of a fit to votes float64[Y, Y], with the groups of items that votes connect."""
    from scipy.sparse.csgraph import connected_components

    group = connected_components(won + tied, connection="weak")[1]
    return Data(won, tied, prior, models_ties, group)


@njit
def chances(scores, tie):
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


def derivatives(data: Data, scores: Array, log_tie: float) -> Derivatives:
    """The derivatives at scores float64[Y] and log nu."""
    win, draw = chances(scores, np.exp(log_tie))
    votes = data.won + data.won.T + data.tied
    lead = win - win.T
    # of a pair: wins x P(other outcomes) - losses x P(other outcomes), which keeps its digits at the ends
    short = data.won * (win.T + draw / 2)
    gradient = _row_sums(short - short.T - data.tied * lead / 2, exactly=0 < data.prior < SOFT)
    spread = 4 * win * win.T + draw * (win + win.T)  # 1 - draw - lead^2 without a difference
    hessian = assemble(data, votes * spread, -votes * lead * draw, votes * draw * (1 - draw))
    members = data.group[None, :] == np.arange(data.group.max() + 1)[:, None]
    pull, curvature = np.zeros(len(scores)), members.any(axis=0).astype(float)
    if data.prior > 0:
        pull, curvature = -np.tanh(scores / 2), 2 * sigmoid(scores) * sigmoid(-scores)
        gradient += data.prior * pull
        hessian[np.diag_indices(len(scores))] += data.prior * curvature
    total = np.maximum(members @ curvature, TINY)
    centre = members * curvature / total[:, None]
    if data.models_ties:
        gradient = np.append(gradient, (data.tied - votes * draw).sum() / 2)
        members, centre = (np.pad(rows, ((0, 0), (0, 1))) for rows in (members, centre))
    return Derivatives(
        gradient, hessian, members, data.prior * total, centre, members[:, : len(scores)] @ pull / total
    )


def _row_sums(antisymmetric: Array, exactly: bool) -> Array:
    """float64[Y]: the sums of the rows. Exact sums add up to 0 over a group, which a small prior needs."""
    if exactly:
        return np.array([math.fsum(row) for row in antisymmetric.tolist()])
    return antisymmetric.sum(1)


def assemble(data: Data, dd: Array, dt: Array, tt: Array) -> Array:
    """Sum matrices of pairs float64[Y, Y] in (d, log nu) into one float64[P, P] in (scores, log nu).

    d = (s_y - s_z) / 2.
    """
    laplacian = -dd / 4
    np.fill_diagonal(laplacian, 0.0)
    np.fill_diagonal(laplacian, -laplacian.sum(1))
    if not data.models_ties:
        return laplacian
    cross = dt.sum(1, keepdims=True) / 2
    return np.block([[laplacian, cross], [cross.T, np.array([[tt.sum() / 2]])]])


def outer_products(data: Data, scores: Array, log_tie: float, won: Array, half: Array | None) -> Array:
    """float64[P, P]: the sum over votes of the outer product of their gradients, the prior's votes included.

    won, half : float64[Y, Y], the votes won, and those tied where ties are counted half; None where
        `data.tied` are modelled.
    """
    win, draw = chances(scores, np.exp(log_tie))
    lead = win - win.T
    tied = data.tied if half is None else half
    dd = won * (1 - lead) ** 2 + won.T * (1 + lead) ** 2 + tied * lead**2
    dt = -draw * (won * (1 - lead) - won.T * (1 + lead)) - tied * lead * (1 - draw)
    tt = (won + won.T) * draw**2 + tied * (1 - draw) ** 2
    out = assemble(data, dd, dt, tt)
    items = len(scores)
    p = sigmoid(scores)
    out[np.arange(items), np.arange(items)] += data.prior * (p**2 + (1 - p) ** 2)
    return out


def maximise(data: Data, start: Array | None = None) -> tuple[Array, float]:
    """(scores float64[Y], log nu) of greatest likelihood; log nu is -inf where ties are not modelled.

    Newton's method from `start` (equal scores); a step is halved until it hardly overshoots the maximum along
    its direction. The log-likelihood is concave, so it rises along a step as long as its slope is positive.

    Raises ValueError when the method does not settle.
    """
    scores = np.zeros(len(data.won)) if start is None else start
    log_tie = np.log(data.tied.sum() / data.won.sum()) if data.models_ties else -np.inf
    now = derivatives(data, scores, log_tie)
    step = np.full(1, np.inf)
    for _ in range(STEPS):
        try:
            step = now.newton_step()
        except np.linalg.LinAlgError:
            break
        slope = float(now.gradient @ step)
        settled = np.abs(step).max() < SETTLED
        if not np.isfinite(slope):
            break
        for _ in range(HALVINGS):
            moved = scores + step[: len(scores)]
            moved_tie = log_tie + step[-1] if data.models_ties else log_tie
            if settled:
                return moved, moved_tie
            after = derivatives(data, moved, moved_tie)
            if after.gradient @ step >= -0.1 * slope:
                break
            step, slope = step / 2, slope / 2
        else:
            break
        if np.abs(moved).max() > FARTHEST:
            break
        scores, log_tie, now = moved, moved_tie, after
    if 0 < data.prior < SMALL:
        raise ValueError(
            f"prior={data.prior:g} is lost to rounding beside these votes, whose scores are infinite without "
            f"it: pass a prior of {SMALL:g} or more."
        )
    raise ValueError(
        f"Bradley-Terry did not settle in {STEPS} Newton steps (last change {np.abs(step).max():.2g}): "
        "an item almost never loses; pass a larger prior."
    )
