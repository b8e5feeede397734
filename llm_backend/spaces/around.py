"""Around: what the spaces that hold another one have in common."""

from __future__ import annotations

from dataclasses import dataclass

from llm_backend.policies.handles import Blend, Leaf
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.protocol import ListedSpace, Sampling, Space


@dataclass(frozen=True, eq=False)
class Around:
    """The settings, the list and the scores of an inner space, to which `draw` is added."""

    space: Space

    @property
    def sampling(self) -> Sampling:
        """How responses are drawn and scored."""
        return self.space.sampling

    @property
    def listed(self) -> ListedSpace | None:
        """The list of the inner space, or None."""
        return self.space.listed

    def score(self, policy: Leaf | Blend, draws: Draws) -> Floats:
        """log pi(response | prompt), float64[B] in nats, as the inner space returns it."""
        return self.space.score(policy, draws)
