"""Policies as LoRA adapters on one frozen base, held by PEFT."""

from __future__ import annotations

import warnings
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor

from llm_backend.models.huggingface import last_states
from llm_backend.processes.shards import split_layers

START = "start"  # the slot of the weights every new adapter begins with: A random, B = 0


class Adapters:
    """Slots that are adapters of one rank on every linear layer but the head (scale 1)."""

    def __init__(self, model: Any, rank: int, seed: int):
        self.model = model  # its linear layers carry the adapters
        self.peft = _with_lora(model, rank, seed)
        self.on: str | None = START
        self._layers: list[Any] = []  # those of the base that lie in shares
        self.switch(None)

    def create(self, slot: str, source: str | None) -> dict[str, torch.nn.Parameter]:
        with torch.random.fork_rng(devices=[]):  # PEFT draws weights, which are overwritten
            self.peft.add_adapter(slot, self.peft.peft_config[START])
        origin, parameters = self._parameters(source or START), self._parameters(slot)
        with torch.no_grad():
            for name, parameter in parameters.items():
                parameter.copy_(origin[name]).requires_grad_(False)
        return parameters

    def keep(self, slot: str) -> None:
        pass  # the parameters are the slot's own

    def delete(self, slot: str) -> None:
        if slot in self.peft.peft_config:
            if slot in self.peft.active_adapters:  # while the base is on, PEFT remembers the last one
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

    def gathered(self, name: str, tensor: Tensor) -> Tensor:
        return tensor  # every process has all of it

    def read(self, file: Any, name: str) -> Tensor:
        return file.get_tensor(name)

    @contextmanager
    def whole(self, slots: Iterable[str | None]) -> Iterator[None]:
        for layer in self._layers:
            layer.set_reshard_after_forward(False)
            layer.unshard()
        try:
            yield
        finally:
            for layer in self._layers:
                layer.set_reshard_after_forward(True)
                layer.reshard()

    def split(self) -> Adapters:
        """The layers of the base in shares; adapters, embedding and head stay in every process."""
        adapters = [p for name, p in self.model.named_parameters() if "lora_" in name]
        self._layers = split_layers(self.model, adapters)
        return self

    def _parameters(self, slot: str) -> dict[str, torch.nn.Parameter]:
        """A of float[r, in] and B of float[out, r] per layer."""
        return {
            f"{path}.{half}": getattr(layer, f"lora_{half}")[slot].weight
            for path, layer in self.model.named_modules()
            if hasattr(layer, "lora_A") and slot in layer.lora_A
            for half in "AB"
        }


def _with_lora(model: Any, rank: int, seed: int) -> Any:
    from peft import LoraConfig, get_peft_model

    config = LoraConfig(r=rank, lora_alpha=rank, target_modules="all-linear", task_type="CAUSAL_LM")
    with torch.random.fork_rng(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=".*is_gradient_checkpointing", category=FutureWarning)
        warnings.filterwarnings("ignore", message="fan_in_fan_out is set to False")  # set then, for GPT-2
        torch.manual_seed(seed)
        peft = get_peft_model(model, config, adapter_name=START).eval().requires_grad_(False)
    if any(type(module).__name__ == "ParamWrapper" for module in peft.modules()):
        raise ValueError(
            f"PEFT cannot mix adapters on the experts of {type(model).__name__} in a batch: train all "
            "weights, lora=None."
        )
    return peft
