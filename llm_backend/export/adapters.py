"""A policy as an adapter folder, which PEFT and vLLM load."""

from __future__ import annotations

import json
import os
from pathlib import Path

from safetensors.torch import save as safetensors_bytes

from llm_backend.export.card import Card
from llm_backend.export.folders import new_folder
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import Adapter, Policy
from pgames.files import atomic


def write_peft(
    lm: LanguageModel, policy: Policy, folder: str | os.PathLike[str], card: Card | None = None
) -> None:
    """Write a policy as an adapter folder: adapter_config.json, adapter_model.safetensors, README.md.

    `PeftModel.from_pretrained(base, folder)` is then the policy, and vLLM loads the folder beside the base.
    The folder appears when it is complete. Raises ValueError when the policy is not an adapter or the folder
    is not empty, and OSError naming the file when it cannot be written.
    """
    if not isinstance(policy, Adapter) or lm.lora is None:
        what = "a full set of weights" if isinstance(policy, Adapter) else f"a {type(policy).__name__}"
        raise ValueError(f"only a LoRA policy is an adapter, and this is {what}: merge it to a model folder.")
    card = card or Card(base_name(lm))
    with new_folder(folder) as new:
        write_files(lm, policy, new, card.base)
        card.write(new, adapter=True)


def write_files(lm: LanguageModel, adapter: Adapter, folder: Path, base: str | None = None) -> None:
    """Write adapter_config.json and adapter_model.safetensors, each atomically."""
    tensors, layers = {}, set()
    for name, weight in lm.weights(adapter).items():
        path, half = name.rsplit(".", 1)
        layers.add(path.rsplit(".", 1)[-1])
        tensors[f"base_model.model.{path}.lora_{half}.weight"] = weight.detach().cpu().contiguous()
    config = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": lm.lora,
        "lora_alpha": lm.lora,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": sorted(layers),
        "base_model_name_or_path": base,
    }
    with atomic(folder / "adapter_model.safetensors") as file:
        file.write(safetensors_bytes(tensors, {"format": "pt"}))
    with atomic(folder / "adapter_config.json", "w") as file:
        json.dump(config, file, indent=1)


def base_name(lm: LanguageModel) -> str:
    """The name or the last part of the path of the model's folder."""
    name = str(getattr(lm.causal.config, "_name_or_path", "") or "")
    return (Path(name).name if os.path.isabs(name) else name) or type(lm.causal).__name__
