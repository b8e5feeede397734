"""Verdicts of the judge on pairs of responses, and win rates from them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llm_backend.context import Context
from llm_backend.judges.base import Judge, antisymmetric, ask
from llm_backend.policies.handles import Policy
from llm_backend.spaces.draws import Draws, Floats, Ints, by_prompt, pairs_within
from llm_backend.spaces.protocol import ListedSpace, listing

ENOUGH = 8  # sampled pairs below which nothing but ties is no surprise


def all_ties(won: Floats) -> bool:
    """Whether every answer, float64[B], is exactly 1/2; False without one."""
    return bool(won.size and np.all(won == 0.5))


def tell_ties(won: Floats) -> None:
    """Warn when the answers to pairs of different responses, float64[B], are all ties."""
    if all_ties(won):
        warnings.warn(
            "the judge preferred nothing: it answered 1/2 to every pair of different responses of this step, "
            "which therefore learns nothing from it. Check the judge on two responses of unequal quality; "
            "where no response meets what is asked, give easier prompts, a graded score, or more samples.",
            stacklevel=3,
        )


def judged(judge: Judge, prompts: Sequence[str], first: Draws, second: Draws, some: bool = False) -> Floats:
    """P(row of first > row of second), float64[B]; equal texts are 1/2 without asking.

    With `some`, the answer to a pair on which a partial judge has no verdict is NaN.
    """
    answers = np.full(len(first), 0.5)
    at = [i for i in range(len(first)) if first.texts[i] != second.texts[i]]
    if at:
        answers[at] = ask(
            judge,
            [prompts[int(first.prompt[i])] for i in at],
            [first.texts[i] for i in at],
            [second.texts[i] for i in at],
            some,
        )
        known = answers[at][~np.isnan(answers[at])]
        if len(known) >= ENOUGH:
            tell_ties(known)
    return answers


def judged_both_ways(
    judge: Judge, prompts: Sequence[str], first: Draws, second: Draws, some: bool = False
) -> tuple[Floats, Floats]:
    """P(row of first > row of second) and P(row of second > row of first), float64[B] each."""
    won = judged(judge, prompts, first, second, some)
    return won, 1 - won if antisymmetric(judge) else judged(judge, prompts, second, first, some)


class Wins(NamedTuple):
    """Win rates estimated from draws of the opponent.

    mean : float64[B]; NaN for a row without a verdict.
    variance : float64[B], of the mean, up to what all rows of a prompt share; None when nothing is drawn.
        It is the interaction of rows and opponents in a table of verdicts without repetitions: the strength
        of a row plus that of an opponent has none.
    """

    mean: Floats
    variance: Floats | None

    def joined(self, more: Wins) -> Wins:
        """The wins of these rows and then of `more`, each estimated from draws."""
        assert self.variance is not None and more.variance is not None
        return Wins(np.concatenate([self.mean, more.mean]), np.concatenate([self.variance, more.variance]))


def with_verdicts(draws: Draws, weight: Floats, worth: Wins) -> tuple[Draws, Floats, Wins]:
    """The rows that have a verdict, their weights float64[B] and wins."""
    known = np.flatnonzero(~np.isnan(worth.mean))
    if len(known) == len(draws):
        return draws, weight, worth
    variance = None if worth.variance is None else worth.variance[known]
    return draws.take(known), weight[known], Wins(worth.mean[known], variance)


def wins_among(judge: Judge, prompts: Sequence[str], draws: Draws) -> Wins:
    """How often each row beats the rows of its prompt, itself included at 1/2.

    Of a partial judge, the mean over the opponents that have a verdict stands for the others.
    """
    pairs = pairs_within(draws, len(prompts))
    won = judged_both_ways(judge, prompts, draws.take(pairs[:, 0]), draws.take(pairs[:, 1]), some=True)
    place, mean, variance = np.empty(len(draws), np.int64), np.empty(len(draws)), np.empty(len(draws))
    groups, ends = by_prompt(draws, len(prompts)), 0
    for rows in groups:
        if not (n := len(rows)):  # a prompt of another round
            continue
        place[rows] = np.arange(n)
        part = slice(ends, ends := ends + n * (n - 1) // 2)
        table = np.full((n, n), 0.5)
        i, j = place[pairs[part, 0]], place[pairs[part, 1]]
        table[i, j], table[j, i] = won[0][part], won[1][part]
        if np.isnan(table).any():
            mean[rows], variance[rows] = _of_some(table, _equal(draws, rows, draws, rows))
            continue
        mean[rows] = table.mean(axis=1)
        variance[rows] = interaction(table, (n - 1) * (n - 2)) / n
    return Wins(mean, variance)


def wins_against(judge: Judge, prompts: Sequence[str], draws: Draws, opponents: Draws) -> Wins:
    """How often each row of `draws` beats the opponent's rows of its prompt."""
    groups, mine = by_prompt(opponents, len(prompts)), by_prompt(draws, len(prompts))
    ours = np.repeat(np.arange(len(draws)), [len(groups[x]) for x in draws.prompt])
    theirs = np.concatenate([groups[x] for x in draws.prompt])
    won = judged(judge, prompts, draws.take(ours), opponents.take(theirs), some=True)
    by_row = np.split(won, np.searchsorted(ours, np.arange(1, len(draws))))
    mean, variance = np.empty(len(draws)), np.empty(len(draws))
    for rows in mine:
        if len(rows):
            table = np.stack([by_row[i] for i in rows])
            n, m = table.shape
            if np.isnan(table).any():
                equal = _equal(draws, rows, opponents, groups[draws.prompt[rows[0]]])
                mean[rows], variance[rows] = _of_some(table, equal)
                continue
            mean[rows] = table.mean(axis=1)
            variance[rows] = interaction(table, (n - 1) * (m - 1)) / m
    return Wins(mean, variance)


def _equal(first: Draws, rows: Ints, second: Draws, columns: Ints) -> NDArray[np.bool_]:
    """Whether two texts are equal, bool[n, m]."""
    ours = np.array([first.texts[i] for i in rows], object)
    theirs = np.array([second.texts[i] for i in columns], object)
    return ours[:, None] == theirs[None, :]


def _of_some(table: Floats, equal: NDArray[np.bool_]) -> tuple[Floats, Floats]:
    """The means of the rows of float64[n, m], in which NaN is not a verdict, and the variances of these.

    Among the pairs that a judge is asked about, the known ones stand for the others; pairs of `equal` texts
    are 1/2 without asking and keep their share. The variance of a verdict is pooled over the rows, without
    what the strength of opponents explains in a full table; from one verdict per row it is 1/4, the largest
    there is. A row without a verdict has mean NaN.
    """
    known, m = ~np.isnan(table) & ~equal, table.shape[1]
    count, asked = known.sum(axis=1), m - equal.sum(axis=1)
    heard = np.where(known, table, 0.0).sum(axis=1) / np.maximum(count, 1)
    squares = float((np.where(known, table - heard[:, None], 0.0) ** 2).sum())
    degrees = int(np.maximum(count - 1, 0).sum())
    mean = (0.5 * (m - asked) + asked * heard) / m
    variance = (asked / m) ** 2 * (squares / degrees if degrees else 0.25) / np.maximum(count, 1)
    return np.where((count > 0) | (asked == 0), mean, np.nan), variance


def interaction(table: Floats, degrees: int) -> float:
    """The mean square of what rows and columns of `table` float64[n, m] do not explain; 0 without degrees."""
    if degrees < 1:
        return 0.0
    rest = table - table.mean(axis=1, keepdims=True) - table.mean(axis=0) + table.mean()
    return float((rest**2).sum() / degrees)


def preferences(judge: Judge, prompts: Sequence[str], space: ListedSpace) -> Floats:
    """P(y > z) float64[X, Y, Y] of all pairs of listed responses; 1/2 outside the support."""
    X, Y = space.support.shape
    pairs = pairs_within(space.all, X)
    first, second = space.all.take(pairs[:, 0]), space.all.take(pairs[:, 1])
    table = np.full((X, Y, Y), 0.5)
    won = judged_both_ways(judge, prompts, first, second)
    table[first.prompt, first.column, second.column] = won[0]
    table[first.prompt, second.column, first.column] = won[1]
    tell_ties(np.concatenate(won))
    return table


def rates(context: Context) -> Floats:
    """P(y > z), float64[X, Y, Y], of an enumerable game; the judge is asked about all pairs, once.

    Raises AttributeError when responses are free text.
    """
    if context.cache.rates is None:
        listed = listing(context.space, "rates")
        context.cache.rates = preferences(context.judge, context.prompts, listed)
    return context.cache.rates


def win_rate(context: Context, first: Policy, second: Policy) -> float:
    """P(first > second) in [0, 1], averaged over the prompts of the round.

    In exact play it is a sum over the list, otherwise the mean of `samples` duels per prompt.
    """
    if context.exact:
        p, q = context.listing.probs(first), context.listing.probs(second)
        return float(np.einsum("xy,xyz,xz->x", p, rates(context) - 0.5, q).mean() + 0.5)
    ours, theirs = context.draw(first, "first"), context.draw(second, "second")
    return float(judged(context.judge, context.prompts, ours, theirs).mean())
