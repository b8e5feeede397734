"""Hugging Face models: loading, checks of support, stop tokens, activation checkpointing."""

from __future__ import annotations

import os
from typing import Any

import torch

from llm_backend.models.gguf import find_gguf, load_gguf
from llm_backend.weights.slots import last_states


def load_pretrained(
    name: str | os.PathLike[str],
    dtype: torch.dtype | str,
    device: str | torch.device | None,
    gguf_file: str | None = None,
) -> tuple[Any, Any]:
    """(model, tokenizer) of a folder, a GGUF file or the hub; the device defaults to the GPU if there is one.

    Raises ValueError when the folder, the file, the device or the dtype does not exist, and
    ModuleNotFoundError when a package that reads GGUF files is missing.
    """
    from transformers import AutoModelForCausalLM, AutoTokenizer

    device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    if device.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device {device} is not available: torch {torch.__version__} sees no GPU: use 'cpu'."
        )
    if isinstance(dtype, str) and dtype != "auto" and not hasattr(torch, dtype):
        raise ValueError(f"dtype {dtype!r} is not a dtype of torch: use 'auto', 'float32' or 'bfloat16'.")
    if (file := find_gguf(name, gguf_file)) is not None:
        dequantised, tokenizer = load_gguf(file, dtype)
        return dequantised.to(device), tokenizer
    if os.fspath(name).startswith((".", "/", "~")) and not os.path.isdir(name):
        raise ValueError(f"{name} is not a folder: pass the folder of a saved model, or a name on the hub.")
    model: Any = AutoModelForCausalLM.from_pretrained(name, dtype=dtype)
    return model.to(device), AutoTokenizer.from_pretrained(name)


def check_model(model: Any) -> None:
    """Raises ValueError for a model whose log-probabilities or decoding this package would get wrong."""
    name, config = type(model).__name__, model.config.get_text_config()
    if getattr(config, "final_logit_softcapping", None):
        raise ValueError(f"{name} caps its logits, which is not supported: use a model without soft-capping.")
    if getattr(model, "_is_stateful", False):
        raise ValueError(
            f"{name} has a recurrent state, which is not supported: use a model with attention only."
        )
    _check_head(model)


def _check_head(model: Any) -> None:
    """Raises ValueError unless the head is one linear map of the last hidden states."""
    ids, head = torch.arange(2, device=model.device)[None] + 1, model.get_output_embeddings()
    with torch.no_grad():
        expected = model(input_ids=ids, use_cache=False).logits.float()
        got = torch.nn.functional.linear(last_states(model, ids), head.weight, head.bias).float()
    if not torch.allclose(got, expected, rtol=1e-2, atol=1e-2 * float(expected.abs().max())):
        raise ValueError(
            f"the head of {type(model).__name__} does more than a linear map (soft-capped or scaled "
            "logits?): such models are not supported."
        )


def stop_tokens(model: Any, eos: int) -> tuple[int, ...]:
    """The tokens that end a response, sorted: EOS and those in the model's generation_config."""
    config = getattr(model, "generation_config", None)
    more = getattr(config, "eos_token_id", None)
    more = [more] if isinstance(more, int) else list(more or [])
    return tuple(sorted({eos, *more}))


def enable_checkpointing(model: Any) -> None:
    """Keep only the activations at layer boundaries in training, and recompute the others."""
    enable = getattr(model, "activation_checkpointing_enable", None)  # its name from transformers 5 on
    (enable or model.gradient_checkpointing_enable)({"use_reentrant": False})
    model.disable_input_require_grads()
