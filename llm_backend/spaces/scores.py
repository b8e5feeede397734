"""Log-probabilities of whole policies: of mixtures too, as far as they have any."""

from __future__ import annotations

import numpy as np

from llm_backend.policies.handles import Answers, Blend, Policy, members
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.protocol import Space


def scored(space: Space, policy: Policy) -> bool:
    """Whether the law that `space.draw` samples the policy by has a log-probability."""
    if space.listed is not None:
        return True
    unknown = (Answers, Blend) if space.sampling.correct > 1 else (Answers,)
    return not any(isinstance(member, unknown) for _, member in members(policy))


def log_probabilities(space: Space, policy: Policy, draws: Draws) -> Floats:
    """log pi(response | prompt), float64[B], of the law that `space.draw` samples the policy by.

    A geometric mixture of free text is sampled token by token, and so it is scored.
    Raises ValueError unless the policy is `scored`.
    """
    if space.listed is not None:
        return space.listed.logs(policy)[draws.prompt, draws.column]
    if not scored(space, policy):
        raise ValueError(
            "this policy has no log-probability (answers, or a geometric mixture corrected by resampling): "
            "measure one that was fitted to it, arena.distil(policy)."
        )
    parts = []
    for weight, member in members(policy):
        assert not isinstance(member, Answers)
        parts.append(np.log(weight) + space.score(member, draws))
    return np.logaddexp.reduce(parts)
