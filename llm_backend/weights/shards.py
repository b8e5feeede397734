"""Policies as full sets of weights, each process holding a shard of every tensor."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from llm_backend.processes.fsdp import ShardedModel
from llm_backend.weights.slots import last_states

if TYPE_CHECKING:
    from safetensors import safe_open

EMPTY = "empty"  # the active slot before any weights have been gathered


class Shards:
    """Slots that are shards of all weights.

    The model is `sharded.trained` while a slot is trained, and otherwise `sharded.shell` filled with the
    gathered weights of the active slot.
    """

    def __init__(self, model: Any):
        self.sharded = ShardedModel(model)
        self.model = self.sharded.shell
        self.on: str | None = EMPTY
        self.base = self.sharded.shards()
        self.shards: dict[str, dict[str, Tensor]] = {}
        self._training = ""  # the slot whose weights `sharded.trained` holds
        self._gathered: dict[str | None, dict[str, Tensor]] = {}

    def create(self, slot: str, source: str | None) -> dict[str, torch.nn.Parameter]:
        self.sharded.start(self._tensors(source))
        self._training = slot
        return dict(self.sharded.parameters)

    def keep(self, slot: str) -> None:
        self.shards[slot], self._training = self.sharded.shards(), ""
        self.sharded.trained.reshard()

    def delete(self, slot: str) -> None:
        self.shards.pop(slot, None)

    def switch(self, slot: str | None) -> None:
        if slot == self.on:
            return
        training = slot == self._training
        self.model = self.sharded.trained if training else self.sharded.shell
        self.sharded.fill(None)
        if not training and slot != EMPTY:
            self.sharded.fill(self._gathered.get(slot) or self.sharded.gather_all(self._tensors(slot)))
        self.on = slot

    def trunk(self, ids: Tensor) -> Tensor:
        training = self.model is self.sharded.trained
        if training:
            self.model.reshard()  # a pass without a backward pass leaves the weights of its time gathered
        return self.model.trunk(ids) if training else last_states(self.model, ids)

    def weights(self, slot: str) -> dict[str, Tensor]:
        return self.shards[slot]

    def gather(self, name: str, tensor: Tensor) -> Tensor:
        return self.sharded.gather(name, tensor)

    def read(self, file: safe_open, name: str) -> Tensor:
        return self.sharded.read(file, name)

    @contextmanager
    def unsharded(self, slots: Iterable[str | None]) -> Iterator[None]:
        self._gathered |= {
            slot: self.sharded.gather_all(self._tensors(slot)) for slot in dict.fromkeys(slots)
        }
        try:
            yield
        finally:
            self._gathered.clear()

    def shard(self) -> Shards:
        return self

    def _tensors(self, slot: str | None) -> dict[str, Tensor]:
        return self.base if slot is None else self.shards[slot]
