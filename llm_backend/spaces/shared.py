"""What processes share of an arena: each draws and scores a part, the first one judges."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_backend.judges import JudgeError
from llm_backend.judges.base import antisymmetric, name_of
from llm_backend.policies.handles import Blend, Leaf, Policy, leaves
from llm_backend.processes.workers import workers
from llm_backend.spaces.draws import NO_DRAWS, Draws


def share(arena: Any) -> None:
    """Let the processes draw and score their shares of what the arena asks, and the first one judge.

    An enumerable game is a table of log-probabilities, which every process makes for itself.
    """
    if workers().size > 1:
        arena.judge = _Judge(arena.judge)
        if not arena.listed:
            arena.space = _Space(arena.space)


class _Space:
    """The responses of an arena, each process drawing and scoring a share of them."""

    def __init__(self, space: Any):
        self._space = space

    def __getattr__(self, name: str) -> Any:
        return getattr(self._space, name)

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        asked = range(len(self._space.ids)) if which is None else which
        mine = list(workers().mine(asked))
        with self._space.lm.unsharded(leaves(policy)):
            draws = self._space.draw(policy, n, key, mine) if mine else NO_DRAWS
        each = [draws.take(np.arange(i * n, (i + 1) * n)) for i in range(len(mine))]  # by prompt
        return Draws.join(workers().gathered(each))

    def score(self, policy: Leaf | Blend, draws: Draws) -> NDArray[np.float64]:
        rows = workers().mine(range(len(draws)))
        with self._space.lm.unsharded(leaves(policy)):
            mine = self._space.score(policy, draws.take(list(rows))) if len(rows) else ()
        return np.array(workers().gathered(list(mine)))


class _Judge:
    """A judge that only the first process asks."""

    as_is = True

    def __init__(self, judge: Any):
        self._judge = judge
        self.name, self.antisymmetric = workers().once(lambda: (name_of(judge), antisymmetric(judge)))

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        return workers().once(lambda: self._judge.prefer(prompts, firsts, seconds))


class Elsewhere:
    """Stands for the judge where it is not loaded."""

    as_is = True

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        raise JudgeError("only the first process has the judge.")
