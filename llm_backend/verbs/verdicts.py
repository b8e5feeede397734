"""Verdicts of the judge on pairs of responses, and win rates from them."""

from __future__ import annotations

import warnings
from collections.abc import Sequence

import numpy as np

from llm_backend.context import Context
from llm_backend.judges.base import Judge, antisymmetric, ask
from llm_backend.policies.handles import Policy
from llm_backend.spaces.draws import Draws, Floats, by_prompt, pairs_within
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


def judged(judge: Judge, prompts: Sequence[str], first: Draws, second: Draws) -> Floats:
    """P(row of first > row of second), float64[B]; equal texts are 1/2 without asking."""
    answers = np.full(len(first), 0.5)
    at = [i for i in range(len(first)) if first.texts[i] != second.texts[i]]
    if at:
        answers[at] = ask(
            judge,
            [prompts[int(first.prompt[i])] for i in at],
            [first.texts[i] for i in at],
            [second.texts[i] for i in at],
        )
        if len(at) >= ENOUGH:
            tell_ties(answers[at])
    return answers


def judged_both_ways(
    judge: Judge, prompts: Sequence[str], first: Draws, second: Draws
) -> tuple[Floats, Floats]:
    """P(row of first > row of second) and P(row of second > row of first), float64[B] each."""
    won = judged(judge, prompts, first, second)
    return won, 1 - won if antisymmetric(judge) else judged(judge, prompts, second, first)


def wins_among(judge: Judge, prompts: Sequence[str], draws: Draws) -> Floats:
    """How often each row beats the rows of its prompt, itself included at 1/2: float64[B]."""
    pairs = pairs_within(draws, len(prompts))
    won = judged_both_ways(judge, prompts, draws.take(pairs[:, 0]), draws.take(pairs[:, 1]))
    total = np.full(len(draws), 0.5)
    np.add.at(total, pairs[:, 0], won[0])
    np.add.at(total, pairs[:, 1], won[1])
    return total / np.bincount(draws.prompt, minlength=len(prompts))[draws.prompt]


def wins_against(judge: Judge, prompts: Sequence[str], draws: Draws, opponents: Draws) -> Floats:
    """How often each row of `draws` beats the opponent's rows of its prompt: float64[B]."""
    groups = by_prompt(opponents, len(prompts))
    ours = np.repeat(np.arange(len(draws)), [len(groups[x]) for x in draws.prompt])
    theirs = np.concatenate([groups[x] for x in draws.prompt])
    won = judged(judge, prompts, draws.take(ours), opponents.take(theirs))
    return np.bincount(ours, won, len(draws)) / np.bincount(ours, minlength=len(draws))


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
