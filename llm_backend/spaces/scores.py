"""Log-probabilities of policies, including the mixtures that have them."""

from __future__ import annotations

import numpy as np

from llm_backend.policies.handles import Answers, Blend, Policy, members
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.protocol import Space


def scored(space: Space, policy: Policy) -> bool:
    """Whether draws of the policy from the space have known log-probabilities."""
    if space.listed is not None:
        return True
    unknown = (Answers, Blend) if space.sampling.correct > 1 else (Answers,)
    return not any(isinstance(member, unknown) for _, member in members(policy))


def log_probabilities(space: Space, policy: Policy, draws: Draws) -> Floats:
    """log pi(response | prompt), float64[B], of the distribution that `space.draw` samples for the policy.

    A geometric mixture of free text is sampled, and scored, token by token.
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
