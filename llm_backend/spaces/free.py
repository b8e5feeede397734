"""Free: responses are whatever the model says, one token after the other."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from llm_backend.engines.local.generate import generate
from llm_backend.engines.local.token_mixture import score_token_mixture
from llm_backend.engines.vllm import VLLM
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import score
from llm_backend.policies.handles import Adapter, Base, Blend, Leaf, Policy
from llm_backend.spaces.draws import Draws, Floats


class Free:
    """Responses of `shortest` to `longest` tokens to some prompts, drawn and scored at one temperature.

    With an `engine` the server draws for the reference and for adapters; mixtures, which no server can
    sample, are drawn here.
    """

    def __init__(
        self,
        lm: LanguageModel,
        prompts: Sequence[list[int]],
        longest: int,
        temperature: float,
        rows: int,
        shortest: int = 0,
        correct: int = 1,
        engine: VLLM | None = None,
    ):
        self.lm, self.ids, self.temperature, self.rows = lm, list(prompts), temperature, rows
        self.longest, self.shortest, self.correct, self.engine = longest, shortest, correct, engine
        lm.check_length(max(map(len, self.ids)) + longest)

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to every prompt, or to the prompts `which`; the same whoever else is asked."""
        at = list(range(len(self.ids))) if which is None else list(which)
        asked, lengths = [self.ids[x] for x in at], {"max_new_tokens": self.longest}
        lengths["min_new_tokens"] = self.shortest
        if self.engine is not None and isinstance(policy, Base | Adapter):
            samples = self.engine.generate(
                self.lm, policy, asked, n, **lengths, temperature=self.temperature, key=key, which=at
            )
        else:
            samples = generate(
                self.lm,
                policy,
                asked,
                n,
                **lengths,
                temperature=self.temperature,
                key=key,
                which=at,
                correct=self.correct,
                rows=4 * self.rows,
            )
        return Draws(
            np.asarray(at, dtype=np.int64)[samples.prompt],
            tuple(map(tuple, samples.tokens)),
            tuple(map(self.lm.decode, samples.tokens)),
            np.full(len(samples.tokens), -1),
            samples.truncated,
        )

    def score(self, policy: Leaf | Blend, draws: Draws) -> Floats:
        """log pi(response | prompt), nats summed over tokens: float64[B]; of mixtures as they are sampled."""
        asked, how = [self.ids[x] for x in draws.prompt], self.temperature
        if isinstance(policy, Blend):
            return score_token_mixture(self.lm, policy, asked, draws.tokens, how, self.shortest)
        return score(self.lm, policy, asked, draws.tokens, how, self.rows, self.shortest)
