"""Several processes on one run: each draws, scores and fits a part, and all hold the same policies.

`accelerate launch` or `torchrun` starts them; without a launcher there is a single process.
Results are gathered in a fixed order and gradients are summed over the global batch, so policies are equal
bit for bit in all processes, and equal to those of a single process up to rounding.
"""

from __future__ import annotations

import functools
import os
import pickle
from collections.abc import Callable, Iterable, Sequence
from datetime import timedelta
from typing import Any, TypeVar

import torch

T = TypeVar("T")


class Workers:
    """This process, number `rank` of `size`, computing on `device`."""

    def __init__(self, rank: int = 0, size: int = 1, device: torch.device | str = "cpu"):
        self.rank, self.size, self.device = rank, size, device

    @property
    def first(self) -> bool:
        """Whether this is the process that writes, prints and asks the judge."""
        return self.rank == 0

    def mine(self, items: Sequence[T]) -> Sequence[T]:
        """The items this process works on: every size-th one, from its rank on."""
        return items[self.rank :: self.size]

    def gathered(self, mine: Sequence[T]) -> list[T]:
        """The items of all processes, in the order they had before `mine` divided them."""
        if self.size == 1:
            return list(mine)
        parts: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(parts, list(mine))
        out: list[Any] = [None] * sum(map(len, parts))
        for rank, part in enumerate(parts):
            out[rank :: self.size] = part
        return out

    def once(self, make: Callable[[], T]) -> T:
        """Call `make` in the first process only; every process returns its result or raises its error.

        Raises the error of `make`, as a RuntimeError if it cannot be pickled.
        """
        if self.size == 1:
            return make()
        outcome: list[Any] = [None, None]  # result, error
        if self.first:
            try:
                outcome[0] = make()
            except Exception as error:
                torch.distributed.broadcast_object_list([None, _sendable(error)], src=0)
                raise
        torch.distributed.broadcast_object_list(outcome, src=0)
        if outcome[1] is not None:
            raise outcome[1]
        return outcome[0]

    def in_step(self, passes: Sequence[T], spare: T) -> list[tuple[T, bool]]:
        """(pass, whether it counts), padded with `spare` so that all processes make equally many passes."""
        if self.size == 1:
            return [(one, True) for one in passes]
        counts: list[Any] = [None] * self.size
        torch.distributed.all_gather_object(counts, len(passes))
        return [(one, True) for one in passes] + [(spare, False)] * (max(counts) - len(passes))

    def sum_gradients(self, parameters: Iterable[torch.nn.Parameter]) -> None:
        """Sum gradients over the processes, in place and in float32."""
        if self.size == 1:
            return
        for parameter in parameters:
            if hasattr(parameter, "to_local"):
                continue  # sharded: FSDP has summed its gradient
            gradient = torch.zeros_like(parameter) if parameter.grad is None else parameter.grad
            total = gradient.float()
            torch.distributed.all_reduce(total)
            parameter.grad = total.to(parameter.dtype)

    def summed(self, *numbers: float) -> list[float]:
        """Each number, summed over the processes."""
        if self.size == 1:
            return list(numbers)
        total = torch.tensor(numbers, dtype=torch.float64, device=self.device)
        torch.distributed.all_reduce(total)
        return total.tolist()

    def wait(self) -> None:
        """Return once every process has called this."""
        if self.size > 1:
            torch.distributed.barrier()

    def leave(self) -> None:
        """Close the process group."""
        if self.size > 1:
            torch.distributed.destroy_process_group()

    def speaks(self) -> bool:
        """Whether this process is the first to fail: only that one prints its error."""
        if self.size == 1 or not torch.distributed.is_initialized():
            return True
        try:
            return torch.distributed.distributed_c10d._get_default_store().add("failed", 1) == 1
        except RuntimeError:  # the process that kept the store has ended
            return False


def lost(error: BaseException) -> bool:
    """Whether an error only means that another process has ended."""
    signs = ("closed by peer", "reset by peer", "broken pipe", "remote process exited")
    return workers().size > 1 and any(sign in str(error).lower() for sign in signs)


def _sendable(error: Exception) -> Exception:
    """The error, or a RuntimeError with its text when it cannot be pickled."""
    try:
        pickle.loads(pickle.dumps(error))
        return error
    except Exception:
        return RuntimeError(f"{type(error).__name__}: {error}")


@functools.cache
def workers() -> Workers:
    """The processes of this run, read from the launcher's environment."""
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        return Workers()
    from accelerate import PartialState

    week = timedelta(days=7)  # the others wait while the first asks a slow judge; a crash is seen at once
    state = PartialState(cpu=not torch.cuda.is_available(), timeout=week)
    return Workers(state.process_index, state.num_processes, state.device or "cpu")
