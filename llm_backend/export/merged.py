"""A policy as a plain model folder: its update added to the weights of the base."""

from __future__ import annotations

import os

import torch
from torch import Tensor

from llm_backend.export.adapters import base_name
from llm_backend.export.card import Card
from llm_backend.export.folders import new_folder
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.quiet import no_progress_bars
from llm_backend.policies.handles import Adapter, Base, Leaf, Policy

ORIGINAL = ".base_layer"  # PEFT's name of the layer that an adapter wraps


def merge(
    lm: LanguageModel, policy: Policy, folder: str | os.PathLike[str], card: Card | None = None
) -> None:
    """Write a policy as a plain Hugging Face model: weights, configuration, tokenizer and README.md.

    Its logits are the policy's, up to the rounding of the model's dtype. The folder appears when it is
    complete. Raises ValueError when the policy is not a leaf, the weights are sharded or the folder is not
    empty, and OSError naming the file when it cannot be written.
    """
    if not isinstance(policy, Base | Adapter):
        raise ValueError(
            f"a {type(policy).__name__} is not one set of weights: distil it first, arena.distil(policy)."
        )
    card = card or Card(base_name(lm))
    with new_folder(folder) as new, no_progress_bars():
        lm.causal.save_pretrained(new, state_dict=merged_weights(lm, policy))
        lm.tokenizer.save_pretrained(new)
        card.write(new, adapter=False)


def merged_weights(lm: LanguageModel, leaf: Leaf) -> dict[str, Tensor]:
    """The tensors float[N, ...] of a policy under the names of the plain model.

    A low-rank update is added in float32. Raises ValueError when the weights are sharded over processes.
    """
    with lm.active(leaf), torch.no_grad():
        kept = {name: tensor for name, tensor in lm.causal.state_dict().items() if ".lora_" not in name}
        if any(hasattr(tensor, "full_tensor") for tensor in kept.values()):
            raise ValueError("the weights are sharded: export the run's folder in one process.")
        if lm.peft is not None and isinstance(leaf, Adapter):
            slot = lm.slot(leaf)
            for path, layer in lm.causal.named_modules():
                if hasattr(layer, "lora_A") and slot in layer.lora_A:
                    name = f"{path}{ORIGINAL}.weight"
                    update = layer.get_delta_weight(slot).float()
                    kept[name] = (kept[name].float() + update).to(kept[name].dtype)
        elif lm.peft is None:
            kept = _copied(kept)
    return {name.replace(ORIGINAL, ""): tensor for name, tensor in kept.items()}


def _copied(tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """Copies of the tensors, of which those that share memory are copied once."""
    copies: dict[int, Tensor] = {}
    return {
        name: copies.setdefault(tensor.data_ptr(), tensor.detach().clone())
        for name, tensor in tensors.items()
    }
