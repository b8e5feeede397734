"""How many responses fit in a forward pass: a computed number, the same in every run on such a machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch

if TYPE_CHECKING:
    from llm_backend.models.language_model import LanguageModel

CPU_BYTES = 1 << 30  # for the activations of a pass: longer passes are no faster on a CPU
GPU_SHARE = 0.4  # of the memory that the weights leave on a GPU
KEPT = 1.6  # activations kept for a backward pass, over the inputs and outputs of linear maps
MOST = 256  # rows, at which matrix products are as fast as they get


def rows_that_fit(lm: LanguageModel, longest: int, training: bool) -> int:
    """The most responses of a pass, from 1 to 256, so that its activations fit in memory.

    On a CPU they get 1 GiB; on a GPU 0.4 of what the weights leave of its memory, whatever else is in it: the
    number, and with it the last bits of results, is a function of the model, the length and the kind of
    device. With checkpointing more rows fit.

    longest : tokens of the longest prompt with its response.
    training : whether a backward pass follows, for which activations are kept.

    Raises ValueError when `longest` is below 1.
    """
    if longest < 1:
        raise ValueError(f"the longest row has at least 1 token, got {longest}.")
    return int(min(MOST, max(1, _bytes(lm) // (bytes_per_token(lm, training) * longest))))


def bytes_per_token(lm: LanguageModel, training: bool) -> int:
    """Memory of the activations of a token, in bytes; without `training`, those of two layers at a time."""
    config = lm.causal.config.get_text_config()
    size, layers = lm.head.weight.element_size(), max(1, config.num_hidden_layers)
    named = lm.causal.named_modules()
    maps = [m for name, m in named if _is_map(m) and "lora_" not in name and m is not lm.head]
    widths = sum(sum(module.weight.shape) for module in maps)
    one_layer = KEPT * size * max(widths / layers, 8 * config.hidden_size)
    if not training:
        return int(2 * one_layer)
    if lm._recomputed:
        return int(layers * size * config.hidden_size + one_layer)
    return int(layers * one_layer)


def _is_map(module: Any) -> bool:
    """Whether a module is a linear map."""
    weight = getattr(module, "weight", None)
    linear = isinstance(module, torch.nn.Linear) or type(module).__name__ == "Conv1D"
    return linear and weight is not None and weight.dim() == 2 and min(weight.shape) > 0


def _bytes(lm: LanguageModel) -> float:
    """Memory for the activations of a pass."""
    if lm.device.type != "cuda":
        return CPU_BYTES
    total = torch.cuda.get_device_properties(lm.device).total_memory
    weights = sum(p.numel() * p.element_size() for p in lm.causal.parameters())
    return max(CPU_BYTES, GPU_SHARE * (total - weights))
