"""Free: a response is whatever the model says, one token after the other."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llm_backend.engines.local.generate import generate
from llm_backend.engines.local.token_mixture import score_token_mixture
from llm_backend.models.logprobs import score
from llm_backend.policies.handles import Adapter, Base, Blend, Leaf, Policy
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.protocol import Sampling


@dataclass(frozen=True, eq=False)
class Free:
    """Responses of `shortest` to `longest` tokens to some prompts, drawn and scored at one temperature.

    An engine draws for the reference and for adapters. Mixtures are drawn here: no server samples them.
    Raises ValueError when `longest` is missing, or when a prompt and its response exceed the model's context.
    """

    sampling: Sampling

    def __post_init__(self) -> None:
        how = self.sampling
        if how.longest is None:
            raise ValueError("Free needs Sampling(longest=...), the most tokens of a response; got None.")
        how.lm.check_length(max(map(len, how.prompts)) + how.longest)

    @property
    def listed(self) -> None:
        """There is no list: any text may be a response."""
        return None

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to each prompt, or to each of the prompts `which`: B = n * prompts rows."""
        how = self.sampling
        assert how.longest is not None
        at = list(range(len(how.prompts))) if which is None else list(which)
        asked = [how.prompts[x] for x in at]
        if how.engine is not None and isinstance(policy, Base | Adapter):
            drawn = how.engine.generate(
                how.lm,
                policy,
                asked,
                n,
                max_new_tokens=how.longest,
                min_new_tokens=how.shortest,
                temperature=how.temperature,
                key=key,
                which=at,
            )
        else:
            drawn = generate(
                how.lm,
                policy,
                asked,
                n,
                max_new_tokens=how.longest,
                min_new_tokens=how.shortest,
                temperature=how.temperature,
                key=key,
                which=at,
                correct=how.correct,
                rows=4 * how.rows,
            )
        return Draws(
            np.asarray(at, dtype=np.int64)[drawn.prompt],
            tuple(map(tuple, drawn.tokens)),
            tuple(map(how.lm.decode, drawn.tokens)),
            np.full(len(drawn.tokens), -1),
            drawn.truncated,
        )

    def score(self, policy: Leaf | Blend, draws: Draws) -> Floats:
        """log pi(response | prompt), float64[B] in nats, summed over tokens; of a blend as it is sampled."""
        how = self.sampling
        asked = [how.prompts[x] for x in draws.prompt]
        if isinstance(policy, Blend):
            return score_token_mixture(how.lm, policy, asked, draws.tokens, how.temperature, how.shortest)
        return score(how.lm, policy, asked, draws.tokens, how.temperature, how.rows, how.shortest)
