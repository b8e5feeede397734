"""Offline data: which policies the votes cover, and the policy with the best guaranteed win rate."""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.counts import PairCounts
from pgames.numerics import check_distribution, number, real
from pgames.votes.comparisons import Comparisons

Array = NDArray[np.float64]


class Coverage(NamedTuple):
    """How well votes cover a policy; with d[y, z] the share of the votes that are on the pair y, z.

    met : the share of the pairs of two draws of the policy that were voted on; a response meets itself for
        free.
    single : max pi_y pi_z / d[y, z] over pairs y != z, the single-policy concentrability; inf where a pair
        that the policy plays has no vote.
    unilateral : max pi_y / d[y, z] over all opponents z != y, the unilateral concentrability of
        arXiv:2201.03522. Where it is infinite for the Nash, no method can learn the Nash from such votes,
        however many.
    unseen : (prompt, y, z) of the pair without votes that weighs most in `unilateral`, or None.
    """

    met: float
    single: float
    unilateral: float
    unseen: tuple[int, int, int] | None


class Pessimistic(NamedTuple):
    """The policy float64[X, Y] of the largest guaranteed win rate, and that rate float64[X], at most 1/2."""

    policy: Array
    guaranteed: Array


def coverage(votes: Comparisons | PairCounts, policy: ArrayLike) -> Coverage:
    """Whether votes say enough about a policy float64[Y] or float64[X, Y]; the worst prompt for each maximum.

    A pair counts in both orders: d[y, z] = d[z, y] is half the share of the votes on it. Raises ValueError
    when the policy is none of these items, and TypeError when `votes` are neither Comparisons nor PairCounts.
    """
    seen = _votes(votes)
    X, Y, _ = seen.shape
    pi = real("policy", policy)
    if pi.shape not in ((Y,), (X, Y)):
        raise ValueError(f"policy must have shape [{Y}] or [{X}, {Y}], got {list(pi.shape)}.")
    pi = np.broadcast_to(pi, (X, Y))
    check_distribution("policy", pi)
    total = seen.sum(axis=(1, 2), keepdims=True)
    with np.errstate(divide="ignore", invalid="ignore"):
        d = np.where(total > 0, seen / total, 0.0)
        one = np.where(pi[:, :, None] > 0, pi[:, :, None] / d, 0.0)
        both = np.where(pi[:, None, :] > 0, one * pi[:, None, :], 0.0)
    pairs = pi[:, :, None] * pi[:, None, :]
    own = np.eye(Y, dtype=bool)
    one, both = np.where(own, 0.0, one), np.where(own, 0.0, both)
    met = float(np.where((seen > 0) | own, pairs, 0.0).sum(axis=(1, 2)).mean())
    missing = np.where((seen == 0) & ~own, pi[:, :, None] * np.ones(Y), 0.0)
    worst = np.unravel_index(int(np.argmax(missing)), missing.shape)
    unseen = (int(worst[0]), int(worst[1]), int(worst[2])) if missing[worst] > 0 else None
    return Coverage(met, float(both.max(initial=0.0)), float(one.max(initial=0.0)), unseen)


def pessimistic(votes: Comparisons | PairCounts, confidence: float = 0.95) -> Pessimistic:
    """argmax_p min_q p' L q for each prompt, L[y, z] = max(0, share of wins - w), for offline votes.

    w = sqrt(log(X Y (Y - 1) / (1 - confidence)) / (2 N)) is Hoeffding's width for all pairs and both orders
    at once, and a pair without votes has L = 0. With this confidence the policy wins at least `guaranteed`
    against every opponent. It answers preference hacking (arXiv:2503.06810): a response that looks good
    because it was hardly compared has no guarantee.

    Raises ValueError when confidence is not in (0, 1), and TypeError when `votes` are neither Comparisons nor
    PairCounts.
    """
    from pgames.exact.zero_sum import nash_zero_sum

    if not 0 < number(confidence) < 1:
        raise ValueError(f"confidence must be in (0, 1), got {confidence!r:.60}.")
    seen = _votes(votes)
    X, Y, _ = seen.shape
    points = _counts(votes).points.reshape(X, Y, Y)
    level = math.log(max(2, X * Y * (Y - 1)) / (1 - confidence))
    with np.errstate(divide="ignore", invalid="ignore"):
        lower = np.where(seen > 0, points / seen - np.sqrt(level / (2 * seen)), 0.0)
    lower = np.maximum(lower, 0.0)
    lower[:, range(Y), range(Y)] = 0.5
    found = [nash_zero_sum(table) for table in lower]
    guaranteed = [float((one.row @ table).min()) for one, table in zip(found, lower, strict=True)]
    return Pessimistic(np.array([one.row for one in found]), np.array(guaranteed))


def _votes(votes: Comparisons | PairCounts) -> Array:
    """The votes on each pair in both orders, float64[X, Y, Y], symmetric."""
    table = _counts(votes).votes
    return table.reshape(-1, *table.shape[-2:])


def _counts(votes: Comparisons | PairCounts) -> PairCounts:
    if isinstance(votes, Comparisons):
        return votes.counts
    if isinstance(votes, PairCounts):
        return votes
    raise TypeError(f"votes must be Comparisons or PairCounts, got {type(votes).__name__}.")
