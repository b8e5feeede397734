"""Hodge decomposition of preferences: the part that a single score explains, and cycles."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.kernels.blocks import njit
from pgames.numerics import count, number
from pgames.ratings.scores import Ratings
from pgames.ratings.sources import Source, items_of, pair_counts

ROUNDING = 1e-12  # margins up to this are ties


class Cycle(NamedTuple):
    """Three items: each beats the next, and the last beats the first, by a margin of at least `strength`."""

    items: tuple[str, str, str]
    strength: float


@dataclass(frozen=True, eq=False, repr=False)
class Hodge(Ratings):
    """flow = gradient + rotation + harmonic, antisymmetric float64[Y, Y] each, orthogonal under `weights`.

    gradient[y, z] = scores[y] - scores[z]; rotation is a sum of cycles of three items; harmonic is a sum of
    longer cycles around pairs that were never compared, and 0 when every pair was compared.
    """

    flow: NDArray[np.float64] = field(kw_only=True)
    gradient: NDArray[np.float64] = field(kw_only=True)
    rotation: NDArray[np.float64] = field(kw_only=True)
    harmonic: NDArray[np.float64] = field(kw_only=True)
    weights: NDArray[np.float64] = field(kw_only=True)  # [Y, Y]
    cycles: tuple[Cycle, ...] = field(kw_only=True)  # strongest first

    @property
    def transitive_share(self) -> float:
        """Energy of the gradient over energy of the flow, in [0, 1]; 1 when all pairs are tied."""
        total = self.energy(self.flow)
        return self.energy(self.gradient) / total if total > 0 else 1.0

    def energy(self, part: NDArray[np.float64]) -> float:
        """The sum over pairs of weight * part ** 2, for a part float64[Y, Y]."""
        return float((self.weights * part**2).sum() / 2)


def hodge(
    source: Source,
    scale: Literal["probability", "logit"] = "probability",
    prior: float = 0.0,
    cycles: int = 10,
) -> Hodge:
    """Weighted least squares scores; the residual is split into local and global cycles (arXiv:0811.1067).

    The flow is P - 1/2, or logit P, whose rotation is 0 exactly for Bradley-Terry preferences. Pairs weigh
    their number of votes; those of a game weigh 1 (averaged over the prompts where both take part).

    Parameters
    ----------
    prior : pseudo-votes for either side of each pair that was compared; the logit of a pair that one side
        always won needs it.
    cycles : how many of the strongest cycles to list.

    Raises ValueError when scale is neither of the two, prior is negative or infinite, the votes fall into
    groups never compared with each other, or a logit is infinite.
    """
    if scale not in ("probability", "logit"):
        raise ValueError(f'scale must be "probability" or "logit", got {scale!r}.')
    cycles = count("cycles", cycles, 0)
    items, flow, weights = _flow(source, scale, prior)
    scores = _scores(flow, weights, items)
    gradient = (scores[:, None] - scores[None, :]) * (weights > 0)
    rest = flow - gradient
    compared = (weights > 0) | np.eye(len(items), dtype=bool)
    rotation = rest if compared.all() else _local_cycles(rest, weights)
    return Hodge(
        items,
        scores,
        flow=flow,
        gradient=gradient,
        rotation=rotation,
        harmonic=rest - rotation,
        weights=weights,
        cycles=_cycles(flow, items, cycles),
    )


def strongest_cycles(source: Source, most: int = 10) -> tuple[Cycle, ...]:
    """The `most` cycles of three with the largest smallest margin P - 1/2, strongest first.

    Raises ValueError when `most` is no whole number of at least 0.
    """
    most = count("most", most, 0)
    items, flow, _ = _flow(source, "probability", 0.0)
    return _cycles(flow, items, most)


def _flow(
    source: Source, scale: str, prior: float
) -> tuple[tuple[str, ...], NDArray[np.float64], NDArray[np.float64]]:
    """(items, flow, weights); antisymmetric and symmetric float64[Y, Y], 0 for pairs never compared."""
    if not 0 <= number(prior) < np.inf:
        raise ValueError(f"prior must be a number of votes, at least 0 and finite, got {prior!r:.60}.")
    won, items = pair_counts(source).points, items_of(source)
    weights = won + won.T
    compared = weights > 0
    won = won + prior * compared
    if scale == "probability":
        share = np.divide(won - won.T, won + won.T, out=np.zeros_like(won), where=compared)
        return items, share / 2, weights
    if (lost := compared & (won == 0)).any():
        y, z = np.argwhere(lost)[0]
        raise ValueError(
            f"{items[z]!r} always beat {items[y]!r}, so the logit of that pair is infinite: "
            'pass prior > 0 or scale="probability".'
        )
    logs = np.log(won, out=np.zeros_like(won), where=compared)
    return items, logs - logs.T, weights


def _scores(flow: NDArray, weights: NDArray, items: tuple[str, ...]) -> NDArray[np.float64]:
    """argmin_s of sum over pairs of weight (flow - s_y + s_z)^2, with mean 0."""
    from scipy.sparse.csgraph import connected_components

    groups, group = connected_components(weights, directed=False)
    if groups > 1:
        one, other = (items[int(np.argmax(group == g))] for g in (0, 1))
        raise ValueError(
            f"the votes fall into {groups} groups never compared with each other ({one!r} and {other!r} are "
            "in different ones), so no score covers all: take votes that connect them, or to_game(prior > 0)."
        )
    laplacian = np.diag(weights.sum(1)) - weights
    anchored = (
        laplacian + max(np.trace(laplacian), 1.0) / len(items) ** 2
    )  # the Laplacian leaves the mean free
    scores = np.linalg.solve(anchored, (weights * flow).sum(1))
    return scores - scores.mean()


def _local_cycles(rest: NDArray, weights: NDArray) -> NDArray[np.float64]:
    """The projection of a flow on sums of three-cycles, orthogonal under weights."""
    from scipy.sparse import coo_array
    from scipy.sparse.linalg import lsqr

    rows, columns = np.nonzero(np.triu(weights, 1))
    edge = np.full(weights.shape, -1)
    edge[rows, columns] = np.arange(len(rows))
    triangles = _triangles(weights > 0)
    if not len(triangles):
        return np.zeros_like(rest)
    i, j, k = triangles.T
    around = np.stack([edge[i, j], edge[j, k], edge[i, k]], axis=1)  # i -> j -> k; k -> i runs against i < k
    root = np.sqrt(weights[rows, columns])
    signs = np.array([1.0, 1.0, -1.0]) / root[around]
    count = np.repeat(np.arange(len(triangles)), 3)
    curl = coo_array((signs.ravel(), (around.ravel(), count)), shape=(len(rows), len(triangles))).tocsr()
    target = root * rest[rows, columns]
    strengths = lsqr(curl, target, atol=1e-14, btol=1e-14, iter_lim=10 * len(rows))[0]
    out = np.zeros_like(rest)
    out[rows, columns] = curl @ strengths / root
    return out - out.T


def _cycles(flow: NDArray, items: tuple[str, ...], most: int) -> tuple[Cycle, ...]:
    triples, strengths = _strongest(flow, min(most, len(flow) ** 3))
    return tuple(
        Cycle((items[i], items[j], items[k]), float(strength))
        for (i, j, k), strength in zip(triples, strengths, strict=True)
        if strength > ROUNDING
    )


@njit
def _triangles(compared):
    """int64[T, 3]: all i < j < k compared pairwise."""
    n = len(compared)
    count = 0
    out = np.empty((0, 3), dtype=np.int64)
    for fill in range(2):
        if fill:
            out = np.empty((count, 3), dtype=np.int64)
            count = 0
        for i in range(n):
            for j in range(i + 1, n):
                if compared[i, j]:
                    for k in range(j + 1, n):
                        if compared[i, k] and compared[j, k]:
                            if fill:
                                out[count, 0], out[count, 1], out[count, 2] = i, j, k
                            count += 1
    return out


@njit
def _strongest(flow, most):
    """The `most` directed triples with the largest smallest margin: (int64[most, 3], float64[most])."""
    n = len(flow)
    triples = np.zeros((most, 3), dtype=np.int64)
    strengths = np.zeros(most)
    if most == 0:
        return triples, strengths
    for i in range(n):  # i is the smallest of its cycle, so each cycle occurs once
        for j in range(i + 1, n):
            if flow[i, j] <= strengths[-1]:
                continue
            for k in range(i + 1, n):
                strength = min(flow[i, j], flow[j, k], flow[k, i])
                if strength <= strengths[-1]:
                    continue
                place = most - 1
                while place > 0 and strengths[place - 1] < strength:
                    strengths[place] = strengths[place - 1]
                    triples[place] = triples[place - 1]
                    place -= 1
                strengths[place] = strength
                triples[place, 0], triples[place, 1], triples[place, 2] = i, j, k
    return triples, strengths
