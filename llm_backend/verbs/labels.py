"""What learners from labelled pairs ask of text: pairs kept, labels, and the fit to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from llm_backend.fits.fit import best_start
from llm_backend.fits.objectives import FitLabels
from llm_backend.policies.handles import Adapter, Policy
from llm_backend.spaces.draws import Draws, Floats, Ints
from llm_backend.verbs.duels import paired
from llm_backend.verbs.evidence import Buffer, Labels
from llm_backend.verbs.steps import scored, train, wins
from llm_backend.verbs.verdicts import judged

if TYPE_CHECKING:
    from llm_backend.arena import TextArena


def collect(arena: TextArena, buffer: Buffer, first: Policy, second: Policy, pairs: int) -> Buffer:
    """`TextArena.collect`."""
    ours, theirs = arena.draw(first, "first", pairs), arena.draw(second, "second", pairs)
    met = paired(arena, ours, theirs, np.zeros((len(ours), 2)))
    return buffer.add(met.draws, met.pairs)


def label(arena: TextArena, buffer: Buffer, opponent: Policy, pairs: int, comparators: int) -> Labels:
    """`TextArena.label`."""
    chosen = _chosen(arena, buffer, pairs)
    first, second = buffer.draws.take(chosen[:, 0]), buffer.draws.take(chosen[:, 1])
    if arena.samples is None:
        labels = wins(arena, first, opponent) - wins(arena, second, opponent)
        return _labels(arena, buffer.draws, chosen, labels, opponent, None)
    third = arena.draw(opponent, "third", pairs * comparators)
    third = third.take(np.argsort(third.prompt, kind="stable"))
    each = np.repeat(np.arange(len(chosen)), comparators)
    won = [judged(arena.judge, arena.prompts, side.take(each), third) for side in (first, second)]
    labels = (won[0] - won[1]).reshape(-1, comparators).mean(axis=1)
    return _labels(arena, buffer.draws, chosen, labels, opponent, third)


def self_duels(arena: TextArena, policy: Policy, pairs: int) -> Labels:
    """`TextArena.self_duels`."""
    first, second = arena.draw(policy, "first", pairs), arena.draw(policy, "second", pairs)
    won = judged(arena.judge, arena.prompts, first, second)
    met = paired(arena, first, second, np.stack([won, 1 - won], axis=1))
    return _labels(arena, met.draws, met.pairs, won - 0.5, policy, first)


def regress(
    arena: TextArena, prior: Policy, evidence: Labels, step: float, sft: float, ridge: float
) -> Adapter:
    """`TextArena.regress`."""
    scores, log_prior = scored(arena, prior, evidence.draws)
    objective = FitLabels(
        evidence.draws,
        log_prior,
        evidence.pairs,
        evidence.labels,
        step,
        ridge,
        sft,
        evidence.opponent,
        arena.listed,
    )
    return train(arena, objective, best_start(objective, scores), "regress")


def _chosen(arena: TextArena, buffer: Buffer, pairs: int) -> Ints:
    """`pairs` pairs per prompt of the round from the buffer, with replacement, prompt by prompt."""
    owner, found = buffer.draws.prompt[buffer.pairs[:, 0]], []
    order = np.argsort(owner, kind="stable")
    first, last = (np.searchsorted(owner[order], arena.turn(), side) for side in ("left", "right"))
    for x, begin, end in zip(arena.turn(), first, last, strict=True):
        mine = order[begin:end]
        if not len(mine):
            raise ValueError(f"the buffer has no pair for prompt {x}: collect some before label.")
        found.append(np.random.default_rng([*arena.key("label"), x]).choice(mine, pairs))
    return buffer.pairs[np.concatenate(found)]


def _labels(
    arena: TextArena, draws: Draws, pairs: Ints, labels: Floats, opponent: Policy, own: Draws | None
) -> Labels:
    """Labels on the rows they need: all of an enumerable game, else the pairs' and the opponent's own."""
    if arena.listed:
        every, place = arena.space.of(arena.turn())
        weight = arena.space.probs(opponent)[every.prompt, every.column]
        return Labels(every, np.searchsorted(place, pairs), labels, weight)
    assert own is not None
    rows, where = np.unique(pairs, return_inverse=True)
    each = 1 / np.bincount(own.prompt, minlength=len(arena.prompts))[own.prompt]
    weight = np.concatenate([np.zeros(len(rows)), each])
    return Labels(Draws.join([draws.take(rows), own]), where.reshape(-1, 2), labels, weight)
