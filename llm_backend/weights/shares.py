"""Policies as full copies of the weights, of which each process holds a share."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from llm_backend.models.huggingface import last_states
from llm_backend.processes.shards import Shards

NOBODY = "nobody"  # the slot that is on when weights are gathered for no policy


class Shares:
    """Slots that are shares of all weights.

    The model is `shards.trained` while a slot is trained, else `shards.shell` with a slot's weights gathered.
    """

    def __init__(self, model: Any):
        self.shards = Shards(model)
        self.model = self.shards.shell
        self.on: str | None = NOBODY
        self.base = self.shards.shares()
        self.shares: dict[str, dict[str, Tensor]] = {}
        self._training = ""  # the slot whose weights `shards.trained` has
        self._gathered: dict[str | None, dict[str, Tensor]] = {}

    def create(self, slot: str, source: str | None) -> dict[str, torch.nn.Parameter]:
        self.shards.start(self._tensors(source))
        self._training = slot
        return dict(self.shards.parameters)

    def keep(self, slot: str) -> None:
        self.shares[slot], self._training = self.shards.shares(), ""

    def delete(self, slot: str) -> None:
        self.shares.pop(slot, None)

    def switch(self, slot: str | None) -> None:
        if slot == self.on:
            return
        training = slot == self._training
        self.model = self.shards.trained if training else self.shards.shell
        self.shards.fill(None)
        if not training and slot != NOBODY:
            self.shards.fill(self._gathered.get(slot) or self.shards.gather(self._tensors(slot)))
        self.on = slot

    def trunk(self, ids: Tensor) -> Tensor:
        training = self.model is self.shards.trained
        return self.model.trunk(ids) if training else last_states(self.model, ids)

    def weights(self, slot: str) -> dict[str, Tensor]:
        return self.shares[slot]

    def gathered(self, name: str, tensor: Tensor) -> Tensor:
        return self.shards.whole(name, tensor)

    def read(self, file: Any, name: str) -> Tensor:
        return self.shards.read(file, name)

    @contextmanager
    def whole(self, slots: Iterable[str | None]) -> Iterator[None]:
        self._gathered |= {slot: self.shards.gather(self._tensors(slot)) for slot in dict.fromkeys(slots)}
        try:
            yield
        finally:
            self._gathered.clear()

    def split(self) -> Shares:
        return self

    def _tensors(self, slot: str | None) -> dict[str, Tensor]:
        return self.base if slot is None else self.shares[slot]
