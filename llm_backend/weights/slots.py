"""Slots: the weights of many policies on one model, one of them active."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import torch
from torch import Tensor

if TYPE_CHECKING:
    from safetensors import safe_open


@dataclass(frozen=True, eq=False)
class Trainee:
    """A slot whose weights may still change, with its parameters by name."""

    slot: str
    parameters: dict[str, torch.nn.Parameter]

    def begin(self) -> None:
        """Let the parameters receive gradients."""
        for parameter in self.parameters.values():
            parameter.requires_grad_(True)

    def end(self) -> None:
        """Freeze the parameters and forget them."""
        for parameter in self.parameters.values():
            parameter.requires_grad_(False)
            parameter.grad = None
        self.parameters.clear()


class Slots(Protocol):
    """The weights of a language model's policies: a slot is a name, and None is the base.

    `Adapters`, `Copies` and `Shards` are the three implementations. Once weights are sharded, each process
    holds a part of every tensor, and all processes must call these methods together.
    """

    model: Any  # the Hugging Face model, computing with the active slot
    on: str | None  # the active slot

    def create(self, slot: str, source: str | None) -> dict[str, torch.nn.Parameter]:
        """Add a slot with the weights of `source`; returns its parameters, to be trained until `keep`."""
        ...

    def keep(self, slot: str) -> None:
        """Fix the newest slot: its weights are the current values of its parameters."""
        ...

    def delete(self, slot: str) -> None:
        """Remove a slot, if it exists."""
        ...

    def switch(self, slot: str | None) -> None:
        """Make a slot the active one."""
        ...

    def trunk(self, ids: Tensor) -> Tensor:
        """Last hidden states [B, L, D] of token ids int64[B, L] under the active slot."""
        ...

    def weights(self, slot: str) -> dict[str, Tensor]:
        """The tensors float[N, ...] of a slot by name; of a sharded slot, this process's shards."""
        ...

    def gather(self, name: str, tensor: Tensor) -> Tensor:
        """The full tensor float[N, ...] of a weight or optimiser moment, from this process's shard of it."""
        ...

    def read(self, file: safe_open, name: str) -> Tensor:
        """This process's shard float[N / W, ...] of a tensor in an open safetensors file."""
        ...

    def unsharded(self, slots: Iterable[str | None]) -> AbstractContextManager[None]:
        """Gather these slots once, so that inside the block each process may activate them on its own."""
        ...

    def shard(self) -> Slots:
        """The same base, sharded over the processes. Call it before any slot is created."""
        ...


def last_states(model: Any, ids: Tensor) -> Tensor:
    """Last hidden states [B, L, D] of right-padded token ids int64[B, L]."""
    return model.base_model(input_ids=ids, use_cache=False).last_hidden_state
