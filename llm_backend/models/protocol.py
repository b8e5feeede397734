"""What a LanguageModel offers to code that makes passes through it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager
from typing import Any, Protocol

import torch
from torch import Tensor

from llm_backend.weights.slots import Slots


class Passes(Protocol):
    """A model that computes with one of its slots. `LanguageModel` implements it.

    slots : the weights of the policies.
    device : where they are.
    context : the most tokens of a pass; None sets no limit.
    vocabulary : the number of tokens that have an embedding.
    known : the ids that are tokens.
    stops : the tokens that end a response.
    pad : a token for padding.
    """

    slots: Slots
    device: torch.device
    context: int | None
    vocabulary: int
    known: list[int]
    stops: tuple[int, ...]
    pad: int

    @property
    def causal(self) -> Any:
        """The Hugging Face model; with LoRA its linear layers contain the adapters."""
        ...

    @property
    def head(self) -> Any:
        """The linear map from last hidden states to logits."""
        ...

    @property
    def peft(self) -> Any:
        """The PEFT wrapper of the model, or None when all weights are trained."""
        ...

    def trunk(self, ids: Tensor) -> Tensor:
        """Last hidden states [B, L, D] of right-padded token ids int64[B, L], under the active slot."""
        ...

    def recomputing(self) -> AbstractContextManager[Sequence[Any]]:
        """The layers that recompute their activations, and do so inside the block."""
        ...
