"""The ids of a model's vocabulary: those that are tokens, those that end a response, and the others."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor


def known_ids(tokenizer: Any, size: int, predicted: int) -> tuple[list[int], list[int]]:
    """The ids below `size` that are tokens, and the others below `predicted`, such as rows of filling.

    Raises ValueError when the EOS token is none of them.
    """
    tokens = set(tokenizer.get_vocab().values())
    eos = tokenizer.eos_token_id
    if not 0 <= eos < size:
        raise ValueError(
            f"the tokenizer's EOS is token {eos}, the model has {size}: use the tokenizer it was trained "
            "with."
        )
    known = [i for i in range(size) if i in tokens]
    return known, [i for i in range(predicted) if i >= size or i not in tokens]


def checked_stops(model: Any, stops: Iterable[int], size: int) -> tuple[int, ...]:
    """The stop tokens below `size`, sorted.

    Raises ValueError for one beyond, unless it is the default of the model's class, which nobody chose.
    """
    default = getattr(type(model.config)(), "eos_token_id", None)
    unchosen = [default] if isinstance(default, int) else list(default or [])
    beyond = [token for token in stops if not 0 <= token < size and token not in unchosen]
    if beyond:
        raise ValueError(
            f"the stop token {beyond[0]} of the model's generation_config is none of its {size} tokens: "
            "correct eos_token_id there."
        )
    return tuple(sorted({token for token in stops if 0 <= token < size}))


def closed_bias(head: Any, missing: list[int]) -> Tensor | None:
    """The bias of a head, float[V], with -inf at the ids without a token; None where nothing is added."""
    if not missing:
        return head.bias
    closed = torch.zeros(len(head.weight), dtype=head.weight.dtype, device=head.weight.device)
    closed[missing] = -torch.inf
    return closed if head.bias is None else head.bias + closed
