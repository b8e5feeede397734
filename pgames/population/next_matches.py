"""Which pairs should play next, so that few games tell which mixture of the members is best."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.meetings import Meetings
from pgames.numerics import check_whole, real, whole
from pgames.population.meta import Meta, Nash

Array = NDArray[np.float64]

CURIOSITY = 0.1  # weight, shared by all members, of pairs that are in no mixture yet
PRIOR = 2.0  # games, half of them won, with which every estimate starts


def next_matches(
    met: Meetings,
    meta: Meta = Nash(),  # noqa: B008
    meets: ArrayLike | None = None,
) -> Array:
    """The share of the next games that each pair should get, float64[S, K, K], 0 but for i < j, of sum 1.

    share_ij is proportional to (w_i + w_j + m_ij + m_ji + .1 / K) sd_ij / sqrt(n_ij): w are the weights of
    `meta` on the estimated rates, m the shares `meets`, sd the standard deviation of one game and n the games
    so far. Pairs with a member of the mixture, or with one that may exploit it, come first, and those that a
    matchmaker puts together. A pair that never met is estimated as even, here only. Exact rates need no
    games; when all are exact, all shares are 0.

    meets : float64[S, K, K], whom each member learns from: the rows of a matchmaker, and rows of 0 for
        members that do not learn. Without it the games are for the mixture alone.

    Raises ValueError for `meets` of another shape, negative or not finite.
    """
    K = met.members
    counted = np.where(np.isinf(met.games), 0.0, met.games)
    exact, prior = np.isinf(met.games), PRIOR
    wins = np.nan_to_num(met.rates) * counted
    rates = np.where(exact, met.rates, (wins + prior / 2) / (counted + prior))
    weights = meta(np.clip((rates + 1 - np.swapaxes(rates, 1, 2)) / 2, 0.0, 1.0))
    matters = weights[:, :, None] + weights[:, None, :] + CURIOSITY / K
    if meets is not None:
        shared = real("meets", meets)
        if shared.shape != met.games.shape or not (np.isfinite(shared) & (shared >= 0)).all():
            raise ValueError(
                f"meets must be finite shares of at least 0, float64{list(met.games.shape)}, got shape "
                f"{list(shared.shape)} and {shared.min(initial=0):g} as the least."
            )
        matters = matters + shared + np.swapaxes(shared, 1, 2)
    doubt = np.sqrt(rates * (1 - rates) / (counted + prior))
    shares = np.triu(np.where(exact, 0.0, matters * doubt), 1)
    total = shares.sum(axis=(1, 2), keepdims=True)
    return np.divide(shares, total, out=np.zeros_like(shares), where=total > 0)


def matches_of(shares: ArrayLike, games: int, seed: int) -> NDArray[np.int64]:
    """`games` matches int64[games, 2] in proportion to the shares float64[K, K] of pairs.

    Each pair gets its share of the games rounded down; the rest are drawn in proportion to what was cut off.

    Raises ValueError when games is not a whole number above 0, seed none of at least 0, or the shares are
    negative or no pair has one.
    """
    table = real("shares", shares)
    check_whole("seed", seed, 0)
    if not whole(games) or games < 1 or table.ndim != 2 or table.shape[0] != table.shape[1]:
        raise ValueError(
            "matches_of needs a whole number of games >= 1 and shares of shape [K, K], got "
            f"{games!r} and {list(table.shape)}."
        )
    if not ((table >= 0).all() and np.isfinite(table).all() and table.max(initial=0) > 0):
        raise ValueError("shares must be at least 0 and finite, and some pair must have one.")
    table = table / table.max()
    pairs = np.argwhere(table > 0)
    wanted = games * table[tuple(pairs.T)] / table.sum()
    times = np.floor(wanted).astype(np.int64)
    left = games - int(times.sum())
    if left > 0:
        cut = wanted - times + 1e-12
        rng = np.random.default_rng(seed)
        times += np.bincount(rng.choice(len(pairs), left, p=cut / cut.sum()), minlength=len(pairs))
    return np.repeat(pairs, times, axis=0)
