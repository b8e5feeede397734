"""Policies as LoRA adapters on one frozen base, held by PEFT."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from llm_backend.processes.fsdp import shard_layers
from llm_backend.weights.slots import last_states

if TYPE_CHECKING:
    from safetensors import safe_open

START = "start"  # the slot that new adapters are copied from: A random, B = 0


class Adapters:
    """Slots that are LoRA adapters of one rank, scale 1, on every linear layer but the head."""

    def __init__(self, model: Any, rank: int, seed: int):
        self.model = model  # its linear layers contain the adapters
        self.peft = _with_lora(model, rank, seed)
        self._adapted = [(path, m) for path, m in model.named_modules() if hasattr(m, "lora_A")]
        self.on: str | None = START
        self._layers: list[Any] = []  # the sharded layers of the base
        self.switch(None)

    def create(self, slot: str, source: str | None) -> dict[str, torch.nn.Parameter]:
        with torch.random.fork_rng(devices=[]):  # PEFT draws initial weights; the next lines overwrite them
            self.peft.add_adapter(slot, self.peft.peft_config[START])
        origin, parameters = self._parameters(source or START), self._parameters(slot)
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(origin[name]).requires_grad_(False)
        return parameters

    def keep(self, slot: str) -> None:
        pass  # the parameters already belong to the slot

    def delete(self, slot: str) -> None:
        if slot in self.peft.peft_config:
            if slot in self.peft.active_adapters:  # PEFT keeps the last adapter active while the base is on
                self.peft.set_adapter(START, inference_mode=True)
            self.peft.delete_adapter(slot)

    def switch(self, slot: str | None) -> None:
        if slot == self.on:
            return
        if slot is None:
            self.peft.base_model.disable_adapter_layers()
        else:
            if self.on is None:
                self.peft.base_model.enable_adapter_layers()
            self.peft.set_adapter(slot, inference_mode=True)
        self.on = slot

    def trunk(self, ids: Tensor) -> Tensor:
        return last_states(self.model, ids)

    def weights(self, slot: str) -> dict[str, Tensor]:
        return dict(self._parameters(slot))

    def gather(self, name: str, tensor: Tensor) -> Tensor:
        return tensor  # every process holds it in full

    def read(self, file: safe_open, name: str) -> Tensor:
        return file.get_tensor(name)

    @contextmanager
    def unsharded(self, slots: Iterable[str | None]) -> Iterator[None]:
        for layer in self._layers:
            layer.set_reshard_after_forward(False)
            layer.unshard()
        try:
            yield
        finally:
            for layer in self._layers:
                layer.set_reshard_after_forward(True)
                layer.reshard()

    def shard(self) -> Adapters:
        """Shard the layers of the base; adapters, embedding and head stay in full in every process."""
        adapters = [p for name, p in self.model.named_parameters() if "lora_" in name]
        self._layers = shard_layers(self.model, adapters)
        return self

    def _parameters(self, slot: str) -> dict[str, torch.nn.Parameter]:
        """The adapter's matrices by name: A float[r, in] and B float[out, r] of every layer."""
        return {
            f"{path}.{half}": getattr(layer, f"lora_{half}")[slot].weight
            for path, layer in self._adapted
            if slot in layer.lora_A
            for half in "AB"
        }


def _with_lora(model: Any, rank: int, seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")  # GPT-2
        torch.manual_seed(seed)
        peft = get_peft_model(model, config, adapter_name=START).eval().requires_grad_(False)
    if any(type(module).__name__ == "ParamWrapper" for module in peft.modules()):
        peft.unload()
        raise ValueError(
            f"PEFT cannot mix adapters on the experts of {type(model).__name__} in a batch: train all "
            "weights, lora=None."
        )
    return peft
