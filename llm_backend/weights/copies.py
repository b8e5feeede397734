"""Policies as full copies of the weights; the model's parameters point to one copy at a time."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from llm_backend.weights.shards import Shards
from llm_backend.weights.slots import last_states

if TYPE_CHECKING:
    from safetensors import safe_open


class Copies:
    """Slots that are full copies of the weights; each costs the memory of a model."""

    def __init__(self, model: Any):
        self.model = model
        self.on: str | None = None
        self.parameters: dict[str, torch.nn.Parameter] = dict(model.named_parameters())
        self.base = {name: parameter.data for name, parameter in self.parameters.items()}
        self.copies: dict[str, dict[str, Tensor]] = {}

    def create(self, slot: str, source: str | None) -> dict[str, torch.nn.Parameter]:
        self.copies[slot] = {name: tensor.clone() for name, tensor in self._tensors(source).items()}
        return dict(self.parameters)

    def keep(self, slot: str) -> None:
        pass  # the slot was active in training, so the parameters pointed to its tensors

    def delete(self, slot: str) -> None:
        self.copies.pop(slot, None)

    def switch(self, slot: str | None) -> None:
        if slot == self.on:
            return
        for name, tensor in self._tensors(slot).items():
            self.parameters[name].data = tensor
        self.on = slot

    def trunk(self, ids: Tensor) -> Tensor:
        return last_states(self.model, ids)

    def weights(self, slot: str) -> dict[str, Tensor]:
        return self.copies[slot]

    def gather(self, name: str, tensor: Tensor) -> Tensor:
        return tensor  # every process holds it in full

    def read(self, file: safe_open, name: str) -> Tensor:
        return file.get_tensor(name)

    def unsharded(self, slots: Iterable[str | None]) -> AbstractContextManager[None]:
        return nullcontext()

    def shard(self) -> Shards:
        """Base, policies, gradients and moments, all sharded."""
        return Shards(self.model)

    def _tensors(self, slot: str | None) -> dict[str, Tensor]:
        return self.base if slot is None else self.copies[slot]
