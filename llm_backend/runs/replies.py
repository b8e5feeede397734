"""The last policy and the reference, compared by fresh replies to the measured prompts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from llm_backend import constraints, evaluate
from llm_backend.arena import TextArena
from llm_backend.evaluate import EVALUATION, Estimate, over_prompts
from llm_backend.policies.handles import Policy
from llm_backend.spaces.draws import Draws, Floats, by_prompt
from llm_backend.verbs.verdicts import judged

FINAL = 2 * EVALUATION  # added to the round in keys: no other draw shares them


@dataclass(frozen=True)
class Replies:
    """Replies to X prompts by the policy and by the reference.

    ours, theirs : the draws, prompt by prompt.
    wins : float64[X], P(policy > reference) over all pairs of a prompt's replies that have a verdict; NaN
        where none has.
    duels : the number of those pairs.
    kl : KL(policy || reference) in nats, None where the policy has no log-probability.
    kinds : the kind of each prompt's constraint, or none where the prompts have no constraints.
    """

    prompts: list[str]
    ours: Draws
    theirs: Draws
    wins: Floats
    duels: int
    kl: Estimate | None
    kinds: list[str]

    def mean(self, draws: Draws, value: Callable[[str, str], float], kind: str | None = None) -> float:
        """The mean of value(prompt, reply) over the draws, those to prompts of one kind or all."""
        rows = [
            value(self.prompts[x], text)
            for x, text in zip(draws.prompt, draws.texts, strict=True)
            if kind is None or self.kinds[x] == kind
        ]
        return float(np.mean(rows))


def compare(arena: TextArena, policy: Policy, t: int, samples: int) -> Replies:
    """Draw `samples` replies per prompt of each side and judge all pairs of a prompt. Asks the judge."""
    final = arena.at(FINAL + t)
    space, key = final.space, (final.seed, FINAL + t)
    ours, theirs = (
        _sorted(space.draw(one, samples, (*key, *role.encode())))
        for one, role in ((policy, "first"), (final.reference, "second"))
    )
    groups = by_prompt(theirs, len(final.prompts))
    pairs = np.array([(i, j) for i, x in enumerate(ours.prompt) for j in groups[x]])
    won = judged(final.judge, final.prompts, ours.take(pairs[:, 0]), theirs.take(pairs[:, 1]), some=True)
    kl = None
    if evaluate.scored(final, policy):
        ratio = evaluate.log_probabilities(final, policy, ours)
        ratio = ratio - evaluate.log_probabilities(final, final.reference, ours)
        kl = over_prompts(ratio.reshape(len(final.prompts), -1).mean(axis=1))
    won = won.reshape(len(final.prompts), -1)
    known = ~np.isnan(won)
    wins = won.mean(axis=1) if known.all() else np.where(known, won, 0.0).sum(axis=1) / _count(known)
    return Replies(final.prompts, ours, theirs, wins, int(known.sum()), kl, _kinds(final.prompts))


def _count(known: NDArray[np.bool_]) -> Floats:
    """The number of known entries of every row, NaN where there is none."""
    count = known.sum(axis=1).astype(np.float64)
    return np.where(count > 0, count, np.nan)


def _sorted(draws: Draws) -> Draws:
    return draws.take(np.argsort(draws.prompt, kind="stable"))


def _kinds(prompts: Sequence[str]) -> list[str]:
    try:
        return [constraints.constraint_of(prompt).kind.name for prompt in prompts]
    except ValueError:  # other prompts
        return []
