"""Learning from labelled pairs: collect pairs, label them by the judge, regress on the labels."""

from __future__ import annotations

import numpy as np

from llm_backend.context import Context
from llm_backend.fits.pair_objectives import FitLabels
from llm_backend.policies.handles import Adapter, Policy
from llm_backend.spaces.draws import Draws, Floats, Ints
from llm_backend.verbs.duels import paired
from llm_backend.verbs.evidence import Buffer, Labels
from llm_backend.verbs.steps import leaf_scores, train, wins
from llm_backend.verbs.verdicts import judged


def collect(context: Context, buffer: Buffer, first: Policy, second: Policy, pairs: int) -> Buffer:
    """The buffer with `pairs` more pairs per prompt of the round, a response of each policy, not judged."""
    ours, theirs = context.draw(first, "first", pairs), context.draw(second, "second", pairs)
    met = paired(context, ours, theirs, np.zeros((len(ours), 2)))
    return buffer.add(met.draws, met.pairs)


def label(context: Context, buffer: Buffer, opponent: Policy, pairs: int, comparators: int) -> Labels:
    """Labels float64[M] of `pairs` pairs per prompt of the round, drawn from the buffer with replacement.

    The label of (y, y') is the mean of P(y > z) - P(y' > z) over `comparators` draws z of the opponent; in
    exact play it is the difference of the two win rates.
    Raises ValueError when the buffer has no pair for a prompt of the round.
    """
    chosen = _chosen(context, buffer, pairs)
    first, second = buffer.draws.take(chosen[:, 0]), buffer.draws.take(chosen[:, 1])
    if context.exact:
        labels = wins(context, first, opponent) - wins(context, second, opponent)
        return _labels(context, buffer.draws, chosen, labels, opponent, None)
    third = context.draw(opponent, "third", pairs * comparators)
    third = third.take(np.argsort(third.prompt, kind="stable"))
    each = np.repeat(np.arange(len(chosen)), comparators)
    won = [judged(context.judge, context.prompts, side.take(each), third) for side in (first, second)]
    labels = (won[0] - won[1]).reshape(-1, comparators).mean(axis=1)
    return _labels(context, buffer.draws, chosen, labels, opponent, third)


def self_duels(context: Context, policy: Policy, pairs: int) -> Labels:
    """Labels P(y > y') - 1/2, float64[M], of `pairs` pairs per prompt of the policy's own responses."""
    first, second = context.draw(policy, "first", pairs), context.draw(policy, "second", pairs)
    won = judged(context.judge, context.prompts, first, second)
    met = paired(context, first, second, np.stack([won, 1 - won], axis=1))
    return _labels(context, met.draws, met.pairs, won - 0.5, policy, first)


def regress(
    context: Context, prior: Policy, evidence: Labels, step: float, sft: float, ridge: float
) -> Adapter:
    """argmin_pi of the mean over pairs of (d_y - d_y' - step label)^2, where d = log pi / prior.

    Plus ridge |d|^2, with d centred over the rows of a prompt, plus sft KL(opponent || pi).
    """
    scores, log_prior = leaf_scores(context, prior, evidence.draws)
    objective = FitLabels(
        evidence.draws,
        log_prior,
        evidence.pairs,
        evidence.labels,
        step,
        ridge,
        sft,
        evidence.opponent,
        context.listed,
    )
    return train(context, objective, scores, "regress")


def _chosen(context: Context, buffer: Buffer, pairs: int) -> Ints:
    """`pairs` pairs per prompt of the round, from the buffer with replacement, by prompt: int64[M, 2]."""
    owner, found = buffer.draws.prompt[buffer.pairs[:, 0]], []
    order = np.argsort(owner, kind="stable")
    first, last = (np.searchsorted(owner[order], context.round_prompts(), side) for side in ("left", "right"))
    for x, begin, end in zip(context.round_prompts(), first, last, strict=True):
        mine = order[begin:end]
        if not len(mine):
            raise ValueError(f"the buffer has no pair for prompt {x}: collect some before label.")
        found.append(np.random.default_rng([*context.key("label"), x]).choice(mine, pairs))
    return buffer.pairs[np.concatenate(found)]


def _labels(
    context: Context, draws: Draws, pairs: Ints, labels: Floats, opponent: Policy, drawn: Draws | None
) -> Labels:
    """Labels with the rows they need: all listed responses, or those of the pairs and of the opponent."""
    if (listed := context.space.listed) is not None:
        every, place = listed.of(context.round_prompts())
        weight = listed.probs(opponent)[every.prompt, every.column]
        return Labels(every, np.searchsorted(place, pairs), labels, weight)
    assert drawn is not None
    rows, where = np.unique(pairs, return_inverse=True)
    each = 1 / np.bincount(drawn.prompt, minlength=len(context.prompts))[drawn.prompt]
    weight = np.concatenate([np.zeros(len(rows)), each])
    return Labels(Draws.join([draws.take(rows), drawn]), where.reshape(-1, 2), labels, weight)
