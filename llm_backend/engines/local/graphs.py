"""Decode steps as CUDA graphs: launches, not arithmetic, bound a step of few rows on a GPU."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

BLOCK = 64  # columns of the cache by which a recorded step of MANY rows grows; attention reads them all
MANY = 16  # fewer rows attend to the whole cache: that costs less than recording again


def columns(used: int) -> int:
    """`used` columns, rounded up to whole blocks."""
    return -(-used // BLOCK) * BLOCK


Still = Callable[[Tensor, Tensor, int], Tensor]


class Graphs:
    """A step that is recorded once for each block of columns, then replayed."""

    def __init__(self) -> None:
        self.forget()

    def forget(self) -> None:
        """Drop the record: the tensors that the step reads have changed."""
        self.graph: torch.cuda.CUDAGraph | None = None
        self.seen = 0

    def step(self, still: Still, tokens: Tensor, used: int, width: int) -> Tensor:
        """The states [R, D] after tokens int64[R], written behind `used` columns of a cache of `width`.

        `still(tokens, column int64[1], seen)` appends tokens at a column and attends to the first `seen`. Its
        shapes depend on R and `seen` alone.
        """
        seen = columns(used + 1) if len(tokens) >= MANY else width
        if self.graph is None or self.seen != seen:
            self.forget()
            self.tokens = tokens.clone()
            self.column = torch.tensor([used], device=tokens.device)
            self.graph, self.states = self._recorded(still, seen)
            self.seen = seen
        self.tokens.copy_(tokens)
        self.column.fill_(used)
        self.graph.replay()
        return self.states.clone()

    def _recorded(self, still: Still, seen: int) -> tuple[torch.cuda.CUDAGraph, Tensor]:
        """The graph of a step and the states that it writes. A step that is not recorded goes first."""
        graph, stream = torch.cuda.CUDAGraph(), torch.cuda.Stream()
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            still(self.tokens, self.column, seen)
            graph.capture_begin()
            states = still(self.tokens, self.column, seen)
            graph.capture_end()
        torch.cuda.current_stream().wait_stream(stream)
        return graph, states
