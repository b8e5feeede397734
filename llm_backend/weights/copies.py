"""Policies as full copies of the weights, which the model's parameters point to in turn."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager, nullcontext
from typing import Any

import torch
from torch import Tensor

from llm_backend.models.huggingface import last_states
from llm_backend.weights.shares import Shares


class Copies:
    """Slots that are copies of all weights, at the price of a model each."""

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
        pass  # while the slot was on, the parameters pointed to its tensors

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

    def gathered(self, name: str, tensor: Tensor) -> Tensor:
        return tensor  # every process has all of it

    def read(self, file: Any, name: str) -> Tensor:
        return file.get_tensor(name)

    def whole(self, slots: Iterable[str | None]) -> AbstractContextManager[None]:
        return nullcontext()

    def split(self) -> Shares:
        """All in shares: base, policies, gradients and moments."""
        return Shares(self.model)

    def _tensors(self, slot: str | None) -> dict[str, Tensor]:
        return self.base if slot is None else self.copies[slot]
