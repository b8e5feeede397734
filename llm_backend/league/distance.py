"""How far the members of a league are from each other: mean total variation, and when they collapse."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import combinations

import numpy as np

from llm_backend.arena import TextArena
from llm_backend.policies.handles import Policy
from llm_backend.spaces import scores
from llm_backend.spaces.draws import Draws, Floats

PROMPTS = 2  # whose draws, the first of each member, are scored by all members
COLLAPSED = 0.02  # mean total variation below which members are one policy


def distances(arena: TextArena, members: Sequence[Policy], draws: Sequence[Draws]) -> Floats:
    """Total variation between members, float64[K, K] in [0, 1]; the mean over prompts.

    In an enumerable game it is exact. In free text it is estimated from one draw of every member to a few
    prompts, scored by all of them: TV = E |p - q| / 2 m over draws of their mean m.
    """
    K = len(members)
    if arena.listed:
        listed = arena.context.listing
        p = np.stack([listed.probs(policy) for policy in members])[:, list(arena.context.round_prompts())]
        return np.abs(p[:, None] - p[None]).sum(axis=3).mean(axis=2) / 2
    some = list(arena.context.round_prompts())[:PROMPTS]
    rows = Draws.join([one.take([np.flatnonzero(one.prompt == x)[0] for x in some]) for one in draws])
    logs = np.stack([scores.log_probabilities(arena.space, policy, rows) for policy in members])
    ratio = np.exp(logs - np.logaddexp.reduce(logs, axis=0) + np.log(K))  # p_k / m, at most K
    apart = np.abs(ratio[:, None] - ratio[None]) / 2
    return np.minimum(apart.mean(axis=2), 1.0)


def mean_distance(apart: Floats) -> float | None:
    """The mean of float64[K, K] over pairs of different members; None when there are fewer than two."""
    pairs = list(combinations(range(len(apart)), 2))
    return float(np.mean([apart[i, j] for i, j in pairs])) if pairs else None


def collapse(mean: float | None) -> str | None:
    """A line when the members are one policy, or None."""
    if mean is None or mean >= COLLAPSED:
        return None
    return (
        f"the members have collapsed: their mean distance is {mean:.3f} (total variation). Equals become one "
        "policy under every matchmaker: give them other solvers, exploiters that start again, or snapshots."
    )
