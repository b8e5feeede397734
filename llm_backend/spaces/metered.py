"""Metered: a space whose draws and scores are timed and counted, those read from the disk apart."""

from __future__ import annotations

import time
from collections.abc import Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Protocol

from llm_backend.policies.handles import Blend, Leaf, Policy
from llm_backend.spaces.around import Around
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.protocol import Request, Space
from llm_backend.spaces.recorded import Recorded


class Gauge(Protocol):
    """A meter of time and counts, such as `llm_backend.runs.meter.Meter`."""

    def measure(self, phase: str) -> AbstractContextManager[None]:
        """Add the time of the block to a phase, "collect" or "score"."""
        ...

    def count(self, draws: Draws) -> None:
        """Count responses and their tokens, drawn or read."""
        ...

    def drew(self, draws: Draws, seconds: float) -> None:
        """Count responses that were drawn and not read, for the speed of drawing."""
        ...


@dataclass(frozen=True, eq=False)
class Metered(Around):
    """A space with the same draws and scores, whose time and number a meter counts."""

    meter: Gauge

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to each prompt, or to each of the prompts `which`; the phase is "collect"."""
        with self.meter.measure("collect"):
            draws = self.space.draw(policy, n, key, which)
        self.meter.count(draws)
        return draws

    def draw_each(
        self, requests: Sequence[Request], n: int, which: Sequence[int] | None = None
    ) -> list[Draws]:
        """`draw` for several requests (policy, key), in shared batches where the space can."""
        with self.meter.measure("collect"):
            drawn = self.space.draw_each(requests, n, which)
        for draws in drawn:
            self.meter.count(draws)
        return drawn

    def score(self, policy: Leaf | Blend, draws: Draws) -> Floats:
        """log pi(response | prompt), float64[B] in nats; the phase is "score"."""
        with self.meter.measure("score"):
            return self.space.score(policy, draws)


@dataclass(frozen=True, eq=False)
class Timed(Around):
    """A space with the same draws and scores, whose meter learns how long draws take."""

    meter: Gauge

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to each prompt, or to each of the prompts `which`."""
        began = time.perf_counter()
        draws = self.space.draw(policy, n, key, which)
        self.meter.drew(draws, time.perf_counter() - began)
        return draws

    def draw_each(
        self, requests: Sequence[Request], n: int, which: Sequence[int] | None = None
    ) -> list[Draws]:
        """`draw` for several requests (policy, key), in shared batches where the space can."""
        began = time.perf_counter()
        drawn = self.space.draw_each(requests, n, which)
        each = (time.perf_counter() - began) / max(len(drawn), 1)
        for draws in drawn:
            self.meter.drew(draws, each)
        return drawn


def metered(space: Space, meter: Gauge) -> Metered:
    """The space on a meter; draws that a `Recorded` space reads are counted, and left out of the speed."""
    if isinstance(space, Recorded):
        return Metered(replace(space, space=Timed(space.space, meter)), meter)
    return Metered(Timed(space, meter), meter)
