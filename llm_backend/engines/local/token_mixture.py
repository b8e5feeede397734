"""Log-probabilities of geometric mixtures as they are sampled: token by token."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch
from numpy.typing import NDArray

from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import Blend


@torch.no_grad()
def score_token_mixture(
    lm: LanguageModel,
    blend: Blend,
    prompts: Sequence[Sequence[int]],
    responses: Sequence[Sequence[int]],
    temperature: float = 1.0,
    shortest: int = 0,
) -> NDArray[np.float64]:
    """sum_t log of prod_i pi_i(token_t | before) ** w_i normalised over tokens, float64[B], nats.

    `generate` draws from this distribution. It is normalised, while the mixture of whole responses is known
    only up to a constant per prompt. Responses are scored one at a time, with all their logits in memory.
    """
    asked = [(tuple(prompt), tuple(response)) for prompt, response in zip(prompts, responses, strict=True)]
    found: dict[tuple[tuple[int, ...], tuple[int, ...]], float] = {}
    for prompt, response in dict.fromkeys(asked):
        row, mixed = torch.tensor([[*prompt, *response]], device=lm.device), torch.tensor(0.0)
        for weight, leaf in blend.terms:
            with lm.active(leaf):
                states = lm.trunk(row)[0, len(prompt) - 1 : -1]
                logits = torch.nn.functional.linear(states, lm.head.weight, lm.head.bias)
            mixed = mixed + weight / temperature * logits.double().cpu()
        mixed[:, lm.missing] = -torch.inf  # as in sampling
        mixed[:shortest, list(lm.stops)] = -torch.inf
        chosen = torch.tensor(response)[:, None]
        found[prompt, response] = float(torch.log_softmax(mixed, dim=-1).gather(-1, chosen).sum())
    return np.array([found[pair] for pair in asked])
