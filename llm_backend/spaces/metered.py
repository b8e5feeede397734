"""Metered: a space whose draws and scores are timed and counted."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol

from llm_backend.policies.handles import Blend, Leaf, Policy
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.protocol import ListedSpace, Sampling, Space


class Gauge(Protocol):
    """A meter of time and counts, such as `llm_backend.runs.meter.Meter`."""

    def measure(self, phase: str) -> AbstractContextManager[None]:
        """Add the time of the block to a phase, "collect" or "score"."""
        ...

    def count(self, draws: Draws) -> None:
        """Count drawn responses and their tokens."""
        ...


@dataclass(frozen=True, eq=False)
class Metered:
    """A space with the same draws and scores, whose time and number a meter counts."""

    space: Space
    meter: Gauge

    @property
    def sampling(self) -> Sampling:
        """How responses are drawn and scored."""
        return self.space.sampling

    @property
    def listed(self) -> ListedSpace | None:
        """The list of the inner space, or None."""
        return self.space.listed

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to each prompt, or to each of the prompts `which`; the phase is "collect"."""
        with self.meter.measure("collect"):
            draws = self.space.draw(policy, n, key, which)
        self.meter.count(draws)
        return draws

    def score(self, policy: Leaf | Blend, draws: Draws) -> Floats:
        """log pi(response | prompt), float64[B] in nats; the phase is "score"."""
        with self.meter.measure("score"):
            return self.space.score(policy, draws)
