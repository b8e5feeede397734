"""Several processes on one run: each draws, scores and fits its share, all hold the same policies.

Started by `accelerate launch` or `torchrun`; without them there is one process and nothing to share. What a
process computes for others is gathered in a fixed order, and gradients are summed over the global batch, so
the policies of all processes are equal bit for bit, and those of one process up to rounding.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
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

    def in_step(self, passes: Sequence[T], spare: T) -> list[tuple[T, bool]]:
        """(pass, whether it counts): with `spare` ones, so that all processes make equally many."""
        if self.size == 1:
            return [(one, True) for one in passes]
        counts: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(counts, len(passes))
        return [(one, True) for one in passes] + [(spare, False)] * (max(counts) - len(passes))

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
        with whole(self._space.lm):
            draws = self._space.draw(policy, n, key, mine) if mine else NO_DRAWS
        each = [draws.take(np.arange(i * n, (i + 1) * n)) for i in range(len(mine))]  # by prompt
        return Draws.join(workers().gathered(each))

    def score(self, leaf: Any, draws: Draws) -> NDArray[np.float64]:
        rows = workers().mine(range(len(draws)))
        with whole(self._space.lm):
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


# -- weights in shares ----------------------------------------------------------------------------------


def shard(lm: Any) -> None:
    """Keep a share of the frozen base's layers in every process while a fit runs (FSDP2).

    A layer is gathered when it is needed and let go again. Drawing and scoring, where processes do not march
    in step, gather all of it once: see `whole`.
    """
    from torch.distributed.device_mesh import init_device_mesh
    from torch.distributed.fsdp import fully_shard

    mesh = init_device_mesh(lm.device.type, (workers().size,))
    adapters = {p for name, p in lm.causal.named_parameters() if "lora_" in name}
    lm.sharded = [
        fully_shard(layer, mesh=mesh, ignored_params=adapters) for layer in lm.causal.base_model.layers
    ]


@contextmanager
def whole(lm: Any) -> Iterator[None]:
    """All weights in every process inside the block, with nothing to wait for."""
    for layer in (sharded := getattr(lm, "sharded", [])):
        layer.set_reshard_after_forward(False)
        layer.unshard()
    try:
        yield
    finally:
        for layer in sharded:
            layer.set_reshard_after_forward(True)
            layer.reshard()
