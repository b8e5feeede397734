"""Hugging Face models: loading, checks of support, stop tokens, activation checkpointing."""

from __future__ import annotations

import functools
import os
import weakref
from collections.abc import Callable
from typing import Any

import torch

from llm_backend.models.devices import usable_device, usable_dtype
from llm_backend.models.gguf import find_gguf, load_gguf
from llm_backend.models.loading import load_model, load_tokenizer
from llm_backend.models.prefix import recomputing


def load_pretrained(
    name: str | os.PathLike[str],
    dtype: torch.dtype | str,
    device: str | torch.device | None,
    gguf_file: str | None = None,
) -> tuple[Any, Any]:
    """(model, tokenizer) of a folder, a GGUF file or the hub; the device defaults to the GPU if there is one.

    Raises ValueError when the folder, the file, the device or the dtype does not exist or weights are
    missing, and ModuleNotFoundError when a package that reads GGUF files is missing.
    """
    from transformers import AutoModelForCausalLM

    device, dtype = usable_device(device), usable_dtype(dtype)
    if (file := find_gguf(name, gguf_file)) is not None:
        dequantised, tokenizer = load_gguf(file, dtype)
        return dequantised.to(device), tokenizer
    model, missing = load_model(AutoModelForCausalLM, name, dtype)
    if missing:
        raise ValueError(
            f"{name} has no weights for {', '.join(missing[:3])}, which would stay random: it is not a "
            "causal language model; pass one."
        )
    return model.to(device), load_tokenizer(name)


def one_line(error: BaseException, longest: int = 160) -> str:
    """The first line of an error's message, shortened to `longest` characters."""
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return lines[0] if len(lines[0]) <= longest else f"{lines[0][: longest - 3]}..."


def check_kind(model: Any) -> None:
    """Raises ValueError for an architecture whose log-probabilities this package would get wrong."""
    name, config = type(model).__name__, model.config.get_text_config()
    if getattr(config, "final_logit_softcapping", None):
        raise ValueError(f"{name} caps its logits, which is not supported: use a model without soft-capping.")
    if getattr(model, "_is_stateful", False):
        raise ValueError(
            f"{name} has a recurrent state, which is not supported: use a model with attention only."
        )


def steady_context(model: Any) -> int | None:
    """The most tokens of a pass in which a position is encoded the same way whatever the length; None: any.

    Frequencies of kind "longrope" change for all tokens at once beyond `original_max_position_embeddings`.
    """
    config = model.config.get_text_config()
    context = getattr(config, "max_position_embeddings", None)
    rope = getattr(config, "rope_parameters", None) or getattr(config, "rope_scaling", None) or {}
    kinds = [rope, *(kind for kind in rope.values() if isinstance(kind, dict))]
    for kind in kinds:
        if kind.get("rope_type", kind.get("type")) == "longrope":
            key = "original_max_position_embeddings"
            switch = kind.get(key) or getattr(config, key, None)
            context = min(filter(None, (context, switch)), default=None)
    return context


def stop_tokens(model: Any, eos: int) -> tuple[int, ...]:
    """The tokens that end a response, sorted: EOS and those in the model's generation_config."""
    config = getattr(model, "generation_config", None)
    more = getattr(config, "eos_token_id", None)
    more = [more] if isinstance(more, int) else list(more or [])
    return tuple(sorted({eos, *more}))


def enable_checkpointing(model: Any) -> list[Any]:
    """Keep only the activations at layer boundaries in training, and recompute the others.

    Returns the layers that recompute while their own `training` is true. Inside their forward pass it is
    false, so that no layer drops or adds noise.

    Raises ValueError when no layer of the model can recompute.
    """
    from transformers.modeling_layers import GradientCheckpointingLayer

    layers: list[Any] = [layer for layer in model.modules() if isinstance(layer, GradientCheckpointingLayer)]
    if not layers:
        raise ValueError(f"{type(model).__name__} cannot recompute its activations: use checkpointing=False.")
    enable = getattr(model, "activation_checkpointing_enable", None)  # its name from transformers 5 on
    context = functools.partial(recomputing, weakref.ref(model))  # no layer keeps the model alive
    (enable or model.gradient_checkpointing_enable)({"use_reentrant": False, "context_fn": context})
    model.disable_input_require_grads()
    for layer in layers:
        layer._gradient_checkpointing_func = _as_in_scoring(layer, layer._gradient_checkpointing_func)
    return layers


def _as_in_scoring(layer: Any, checkpoint: Callable[..., Any]) -> Callable[..., Any]:
    """`checkpoint` of a layer's forward pass, in both of its runs with the layer's `training` off."""

    def run(forward: Callable[..., Any], *inputs: Any) -> Any:
        def quiet(*inputs: Any) -> Any:
            before, layer.training = layer.training, False
            try:
                return forward(*inputs)
            finally:
                layer.training = before

        return checkpoint(quiet, *inputs)

    return run
