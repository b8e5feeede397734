"""The protocol of spaces, by which verbs draw and score responses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from llm_backend.engines.vllm import VLLM
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import Blend, Leaf, Policy
from llm_backend.spaces.draws import Draws, Floats, Ints

Request = tuple[Policy, Sequence[int]]  # a policy, and the key of its draws


@dataclass(frozen=True, eq=False)
class Sampling:
    """How responses to X prompts are drawn and scored.

    lm : the language model.
    prompts : the tokens of the X prompts.
    temperature : of drawing and of every log-probability, above 0.
    rows : responses per forward pass; results do not depend on it beyond rounding.
    shortest, longest : limits of the length in tokens, EOS included. `longest` is None for listed responses.
    correct : candidates per response of a geometric mixture; importance resampling keeps one. 1 is off.
    engine : a vLLM server that draws for the reference and for adapters, or None.
    per_token : log-probabilities of listed responses are means over their tokens instead of sums, so that a
        list is not won by its shortest text.
    """

    lm: LanguageModel
    prompts: Sequence[list[int]]
    temperature: float = 1.0
    rows: int = 64
    shortest: int = 0
    longest: int | None = None
    correct: int = 1
    engine: VLLM | None = None
    per_token: bool = False


class Space(Protocol):
    """The responses to X prompts. `Free` and `Listed` are the two kinds.

    `Recorded`, `Metered` and `Shared` hold another space, return its numbers, and add one service each.
    """

    @property
    def sampling(self) -> Sampling:
        """How responses are drawn and scored."""
        ...

    @property
    def listed(self) -> ListedSpace | None:
        """The list of responses of an enumerable game; None for free text."""
        ...

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to each prompt, or to each of the prompts `which`.

        The responses to a prompt are a function of policy, key and prompt alone.
        """
        ...

    def draw_each(
        self, requests: Sequence[Request], n: int, which: Sequence[int] | None = None
    ) -> list[Draws]:
        """`draw` for several requests (policy, key), in shared batches where the space can."""
        ...

    def score(self, policy: Leaf | Blend, draws: Draws) -> Floats:
        """log pi(response | prompt), float64[B] in nats, summed over tokens.

        A leaf is scored by the model itself, a geometric mixture by the distribution that `draw` samples.
        """
        ...


class ListedSpace(Space, Protocol):
    """A space whose responses can be enumerated: at most Y texts for each of X prompts."""

    @property
    def texts(self) -> Sequence[Sequence[str]]:
        """The texts of each prompt."""
        ...

    @property
    def support(self) -> NDArray[np.bool_]:
        """bool[X, Y], True where there is a response. Rows of fewer than Y responses end with False."""
        ...

    @property
    def all(self) -> Draws:
        """Every response once, prompt by prompt."""
        ...

    def table(self, leaf: Leaf) -> Floats:
        """log pi(response | prompt) of the model itself, float64[X, Y], -inf outside the support."""
        ...

    def logs(self, policy: Policy) -> Floats:
        """log pi normalised over the list of each prompt, float64[X, Y]."""
        ...

    def probs(self, policy: Policy) -> Floats:
        """Probabilities float64[X, Y]; rows sum to 1."""
        ...

    def of(self, prompts: Sequence[int] | Ints) -> tuple[Draws, Ints]:
        """All responses to some prompts, and their rows int64[B] in `all`."""
        ...

    def at(self, prompt: Ints, column: Ints) -> Draws:
        """The responses at (prompt, column), int64[B] each."""
        ...

    def row(self, prompt: Ints, column: Ints) -> Ints:
        """The rows int64[B] in `all` of the responses at (prompt, column), int64[B] each."""
        ...


def listing(space: Space, verb: str) -> ListedSpace:
    """The list of a space. Raises AttributeError naming the verb when responses are free text."""
    if space.listed is None:
        raise AttributeError(
            f"{verb} needs a list of responses here, and this arena has free text: pass responses=[...]."
        )
    return space.listed
