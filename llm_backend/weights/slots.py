"""Slots: the weights of many policies on one model, of which one slot is on."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Trainee:
    """A slot whose weights may still change: its parameters by name."""

    slot: str
    parameters: dict[str, torch.nn.Parameter]

    def begin(self) -> None:
        """From here on the parameters get gradients."""
        for parameter in self.parameters.values():
            parameter.requires_grad_(True)

    def end(self) -> None:
        """Take the parameters away: they change no more."""
        for parameter in self.parameters.values():
            parameter.requires_grad_(False)
            parameter.grad = None
        self.parameters.clear()


class Slots(Protocol):
    """What a language model needs of its policies' weights; a slot is a name, None is the base.

    `Adapters`, `Copies` and `Shares` are the three ways to hold them. In shares, a process holds a part of
    every tensor, and all processes call these together.
    """

    model: Any  # the Hugging Face model that computes with the slot that is on
    on: str | None

    def create(self, slot: str, source: str | None) -> dict[str, torch.nn.Parameter]:
        """A slot with the weights of another; its parameters may change, while it is on, until `keep`."""
        ...

    def keep(self, slot: str) -> None:
        """The weights of the slot that was created last are what has become of its parameters."""
        ...

    def delete(self, slot: str) -> None:
        """Forget a slot, if it is there."""
        ...

    def switch(self, slot: str | None) -> None:
        """Turn a slot on, and the one before off."""
        ...

    def trunk(self, ids: Tensor) -> Tensor:
        """Last hidden states [B, L, D] of token ids int64[B, L] under the slot that is on."""
        ...

    def weights(self, slot: str) -> dict[str, Tensor]:
        """The tensors of a slot by name, as this process holds them."""
        ...

    def gathered(self, name: str, tensor: Tensor) -> Tensor:
        """All of a weight or an optimiser's moment, of what this process holds of it."""
        ...

    def read(self, file: Any, name: str) -> Tensor:
        """What this process holds of a tensor in a file of safetensors."""
        ...

    def whole(self, slots: Iterable[str | None]) -> AbstractContextManager[None]:
        """These slots can be turned on inside the block with nothing to wait for."""
        ...

    def split(self) -> Slots:
        """The same base in shares; nothing was created yet."""
        ...
