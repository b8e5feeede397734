"""Several processes on one run: each draws, scores and fits its share, all hold the same policies.

Started by `accelerate launch` or `torchrun`; without them there is one process and nothing to share. What a
process computes for others is gathered in a fixed order, and gradients are summed over the global batch, so
the policies of all processes are equal bit for bit, and those of one process up to rounding.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Sequence
from typing import Any, TypeVar

import numpy as np
import torch
from numpy.typing import NDArray

from llm_backend.collect import NO_DRAWS, Draws
from llm_backend.judges import JudgeError
from llm_backend.judges.base import name_of

T = TypeVar("T")


class Workers:
    """This process, number `rank` of `size`."""

    def __init__(self, rank: int = 0, size: int = 1):
        self.rank, self.size = rank, size

    @property
    def first(self) -> bool:
        """Whether this process writes, prints and asks the judge."""
        return self.rank == 0

    def mine(self, items: Sequence[T]) -> Sequence[T]:
        """The share of this process: every size-th item."""
        return items[self.rank :: self.size]

    def gathered(self, mine: Sequence[T]) -> list[T]:
        """The items of all processes, in the order they had before `mine` took its share."""
        if self.size == 1:
            return list(mine)
        parts: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(parts, list(mine))
        out: list[Any] = [None] * sum(map(len, parts))
        for rank, part in enumerate(parts):
            out[rank :: self.size] = part
        return out

    def once(self, make: Callable[[], T]) -> T:
        """What `make` returns in the first process, in all of them; so for what it raises."""
        if self.size == 1:
            return make()
        told: list[Any] = [None, None]
        if self.first:
            try:
                told[0] = make()
            except Exception as error:
                told[1] = error
        torch.distributed.broadcast_object_list(told, src=0)
        if told[1] is not None:
            raise told[1]
        return told[0]

    def summed(self, parameters: Sequence[torch.nn.Parameter], loss: float, tokens: int) -> tuple[float, int]:
        """Sum gradients over processes, in place; returns the sums of a loss and of a count."""
        if self.size == 1:
            return loss, tokens
        for parameter in parameters:
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            whole = gradient.float()
            torch.distributed.all_reduce(whole)
            parameter.grad = whole.to(parameter.dtype)
        numbers = torch.tensor([loss, tokens], dtype=torch.float64, device=whole.device)
        torch.distributed.all_reduce(numbers)
        return float(numbers[0]), int(numbers[1])

    def wait(self) -> None:
        """Go on when all have come here."""
        if self.size > 1:
            torch.distributed.barrier()

    def leave(self) -> None:
        """End the company of the other processes."""
        if self.size > 1:
            torch.distributed.destroy_process_group()


@functools.cache
def workers() -> Workers:
    """The processes of this run, as the launcher's environment says."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Workers()
    from accelerate import PartialState

    state = PartialState(cpu=not torch.cuda.is_available())
    return Workers(state.process_index, state.num_processes)


def share(arena: Any) -> None:
    """Let the processes draw and score their shares of what the arena asks, and the first one judge."""
    if workers().size > 1:
        arena.space = _Space(arena.space)
        arena.judge = _Judge(arena.judge)


class _Space:
    """The responses of an arena, each process drawing and scoring a share of them."""

    def __init__(self, space: Any):
        self._space = space

    def __getattr__(self, name: str) -> Any:
        return getattr(self._space, name)

    def draw(self, policy: Any, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        asked = range(len(self._space.ids)) if which is None else which
        mine = list(workers().mine(asked))
        draws = self._space.draw(policy, n, key, mine) if mine else NO_DRAWS
        each = [draws.take(np.arange(i * n, (i + 1) * n)) for i in range(len(mine))]  # by prompt
        return Draws.join(workers().gathered(each))

    def score(self, leaf: Any, draws: Draws) -> NDArray[np.float64]:
        rows = workers().mine(range(len(draws)))
        mine = self._space.score(leaf, draws.take(list(rows))) if len(rows) else ()
        return np.array(workers().gathered(list(mine)))


class _Judge:
    """A judge that only the first process asks."""

    as_is = True

    def __init__(self, judge: Any):
        self._judge, self.name = judge, name_of(judge)

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
