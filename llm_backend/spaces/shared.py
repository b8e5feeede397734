"""Shared: a space whose draws and scores are split over several processes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from llm_backend.policies.handles import Blend, Leaf, Policy, leaves
from llm_backend.processes.workers import workers
from llm_backend.spaces.around import Around
from llm_backend.spaces.draws import NO_DRAWS, Draws, Floats
from llm_backend.spaces.protocol import Request


@dataclass(frozen=True, eq=False)
class Shared(Around):
    """A space whose work is split over the processes of a run; every process gets all of the result.

    All processes call `draw` and `score` together, with the same arguments. Each takes every size-th prompt
    or row. The list of an enumerable game is not split: every process computes the whole table.
    """

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to each prompt, or to each of the prompts `which`, in the order of one process."""
        return self.draw_each([(policy, key)], n, which)[0]

    def draw_each(
        self, requests: Sequence[Request], n: int, which: Sequence[int] | None = None
    ) -> list[Draws]:
        """`draw` for several requests (policy, key), in shared batches where the space can."""
        asked = range(len(self.sampling.prompts)) if which is None else which
        mine = list(workers().mine(asked))
        with self.sampling.lm.unsharded([leaf for policy, _ in requests for leaf in leaves(policy)]):
            drawn = self.space.draw_each(requests, n, mine) if mine else [NO_DRAWS] * len(requests)
        found = []
        for draws in drawn:
            each = [draws.take(np.arange(i * n, (i + 1) * n)) for i in range(len(mine))]  # an item per prompt
            found.append(Draws.join(workers().gathered(each)))
        return found

    def score(self, policy: Leaf | Blend, draws: Draws) -> Floats:
        """log pi(response | prompt), float64[B] in nats, rows in the order of `draws`."""
        rows = workers().mine(range(len(draws)))
        with self.sampling.lm.unsharded(leaves(policy)):
            mine = self.space.score(policy, draws.take(list(rows))) if len(rows) else np.empty(0)
        return np.array(workers().gathered(list(mine)))
