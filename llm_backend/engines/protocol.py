"""The protocol of engines: responses of a policy, with the log-probabilities of their tokens."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import Leaf, Policy


@dataclass(frozen=True, eq=False)
class Responses:
    """Responses in rows, grouped by prompt: B rows, those to prompt 0 first.

    `prompt` int64[B] indexes the prompts. `truncated` bool[B] marks responses cut at the length limit; the
    `tokens` of all others end with a stop token. `by_token` holds the log-probabilities in nats of each
    row's tokens at the sampling temperature. A geometric mixture is scored as its token-level mixture, a
    mixture as the member that was drawn. `by_leaf` holds log pi of whole responses, float64[B] in nats, under
    the leaves of the policy, where drawing knows them; NaN in the other rows.
    """

    prompt: NDArray[np.int64]
    tokens: list[list[int]]
    by_token: list[NDArray[np.float64]]
    truncated: NDArray[np.bool_]
    by_leaf: Mapping[Leaf, NDArray[np.float64]] = field(default_factory=dict)

    @property
    def logprobs(self) -> NDArray[np.float64]:
        """Log-probabilities of whole responses, float64[B]: the sums of `by_token`."""
        return np.array([each.sum() for each in self.by_token])


class Engine(Protocol):
    """Draws responses; `engines.local.generate` does so in this process, `VLLM` on a server."""

    def generate(
        self,
        lm: LanguageModel,
        policy: Policy,
        prompt_ids: Sequence[Sequence[int]],
        n: int = 1,
        *,
        max_new_tokens: int,
        min_new_tokens: int = 0,
        temperature: float = 1.0,
        key: Sequence[int] = (0,),
        which: Sequence[int] | None = None,
    ) -> Responses:
        """`n` responses of a policy to each prompt, of `min_new_tokens` to `max_new_tokens` tokens.

        The random numbers are a function of (key, which[x]) alone, where `which` holds the positions of these
        prompts in a larger list (by default 0, 1, ...). Raises ValueError for a policy or a temperature that
        the engine cannot sample.
        """
        ...
