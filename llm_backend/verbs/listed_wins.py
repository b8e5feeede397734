"""Win rates in an enumerable game from few verdicts: responses drawn without repetition, of known chance."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llm_backend.context import Context, Role
from llm_backend.policies.handles import Policy
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.verbs.verdicts import Wins, interaction, judged_both_ways


class Sample(NamedTuple):
    """Different responses drawn from a policy.

    drawn : bool[X, Y], the responses.
    weight : float64[X, Y], probability / chance of being drawn, normalised over the drawn ones of a prompt.
    unseen : float64[X], the probability of the responses that were not drawn.
    """

    drawn: NDArray[np.bool_]
    weight: Floats
    unseen: Floats


def sample(context: Context, policy: Policy, role: Role, n: int) -> Sample:
    """`n` different responses to each prompt of the round, or all of them where there are no more.

    Systematic sampling: a response is drawn with chance min(1, c p), where the chances sum to n, so that
    weights p / chance estimate sums over the list without bias, and without noise when all are drawn.
    """
    listed = context.listing
    p, drawn = listed.probs(policy), np.zeros(listed.support.shape, np.bool_)
    weight = np.zeros(p.shape)
    for x in context.round_prompts():
        random = np.random.default_rng([*context.key(role), int(x)])
        order = random.permutation(np.flatnonzero(listed.support[x]))
        chance = _chances(p[x, order], n)
        ends = np.cumsum(chance)
        ticks = np.floor(ends - random.random() + 1)  # whole numbers above the offset, up to each end
        hit = order[np.diff(ticks, prepend=0) > 0]
        drawn[x, hit] = True
        weight[x, order] = np.where(drawn[x, order], p[x, order] / np.maximum(chance, 1e-300), 0.0)
    weight /= np.maximum(weight.sum(axis=1, keepdims=True), 1e-300)
    return Sample(drawn, weight, np.maximum(1 - np.where(drawn, p, 0.0).sum(axis=1), 0.0))


def _chances(p: Floats, n: int) -> Floats:
    """min(1, c p), float64[Y], summing to n; ones when there are at most n."""
    if len(p) <= n:
        return np.ones(len(p))
    p = np.maximum(p, 1e-12)
    sure = np.zeros(len(p), np.bool_)
    while True:
        chance = np.where(sure, 1.0, p * (n - sure.sum()) / p[~sure].sum())
        if not (chance > 1 + 1e-12).any():
            return np.minimum(chance, 1.0)
        sure |= chance > 1


def wins(context: Context, candidates: NDArray[np.bool_], theirs: Sample) -> tuple[Draws, Wins]:
    """The rows of `candidates` bool[X, Y], and their wins against the opponent that `theirs` was drawn from.

    Every pair of a candidate and an opponent is judged once. Where as many duels of draws would ask more, it
    is judged again, and as often as they would ask it if the two answers differ for some pair.
    """
    listed, support = context.listing, candidates.shape
    met = candidates[:, :, None] & theirs.drawn[:, None, :]
    x, y, z = np.nonzero(np.triu(met | met.swapaxes(1, 2), 1))
    total, squares, asked = np.zeros((2, len(x))), np.zeros((2, len(x))), 0  # of y over z, and of z over y
    first, second = listed.at(x, y), listed.at(x, z)
    budget = int(theirs.drawn.any(axis=1).sum()) * context.drawn * (context.drawn - 1) // 2
    often = max(1, budget // max(1, len(x)))
    while asked < often and len(x):
        won = np.stack(judged_both_ways(context.judge, context.prompts, first, second))
        total, squares, asked = total + won, squares + won**2, asked + 1
        if asked == 2 and np.array_equal(2 * won, total):
            break
    mean = total / max(asked, 1)
    table, own = np.full((*support, support[1]), 0.5), np.zeros((*support, support[1]))
    table[x, y, z], table[x, z, y] = mean
    spread = np.maximum(squares - asked * mean**2, 0.0).sum() / max(2 * len(x) * (asked - 1), 1)
    own[x, y, z] = own[x, z, y] = spread / max(asked, 1)
    rate = 0.5 + np.einsum("xyz,xz->xy", table - 0.5, theirs.weight)
    variance = np.einsum("xyz,xz->xy", own, theirs.weight**2)
    for prompt in np.flatnonzero(theirs.drawn.any(axis=1)):
        rows, columns = np.flatnonzero(candidates[prompt]), np.flatnonzero(theirs.drawn[prompt])
        degrees = (len(rows) - 1) * (len(columns) - 1)
        rest = interaction(table[prompt][np.ix_(rows, columns)], degrees)
        variance[prompt] += theirs.unseen[prompt] * rest * (theirs.weight[prompt] ** 2).sum()
    at = np.nonzero(candidates)
    return listed.at(*at), Wins(rate[at], variance[at])
