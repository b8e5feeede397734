"""Samples of a policy: responses to the prompts of the round, or to other prompts."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from llm_backend.context import Context
from llm_backend.policies.handles import Policy
from llm_backend.spaces.free import Free
from llm_backend.spaces.listed import Listed
from llm_backend.spaces.protocol import Space
from llm_backend.verbs.evidence import Samples


def sample(context: Context, policy: Policy, n: int | None) -> Samples:
    """`n` responses, by default `samples`, to each prompt of the round.

    In exact play the default is every listed response with its probability as weight.
    """
    if n is None and context.exact:
        listed = context.listing
        return Samples(listed.all, listed.probs(policy)[listed.support])
    draws = context.space.draw(
        policy, n or context.samples or 1, context.key("sample"), context.round_prompts()
    )
    return Samples(draws, np.ones(len(draws)))


def sample_to(context: Context, policy: Policy, prompts: Sequence[str], n: int | None) -> Samples:
    """`n` responses, by default `samples` (in exact play 1), to each of some other prompts.

    Raises ValueError for a prompt that an enumerable game does not have.
    """
    space = _space_of(context, prompts)
    draws = space.draw(policy, n or context.samples or 1, context.key("sample"), range(len(prompts)))
    return Samples(draws, np.ones(len(draws)))


def _space_of(context: Context, prompts: Sequence[str]) -> Space:
    """The space of the same responses to other prompts."""
    how = replace(context.space.sampling, prompts=context.lm.encode_prompts(prompts))
    if (listed := context.space.listed) is None:
        return Free(how)
    if unknown := [prompt for prompt in prompts if prompt not in context.prompts]:
        raise ValueError(f"{unknown[0]!r} is not a prompt of this enumerable game: use one of its prompts.")
    return Listed(how, [listed.texts[context.prompts.index(prompt)] for prompt in prompts])
