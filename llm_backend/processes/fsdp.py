"""Sharded weights (FSDP2): each process holds a part of every tensor and gathers one layer at a time."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from llm_backend.processes.workers import workers

if TYPE_CHECKING:
    from safetensors import safe_open
    from torch.distributed.device_mesh import DeviceMesh


def local_shard(tensor: Tensor) -> Tensor:
    """This process's part of a tensor: float[N / W, ...] if it is split over W processes, else all of it."""
    local: Any = getattr(tensor, "to_local", None)
    return tensor if local is None else local()


def shard_layers(model: Any, replicated: Collection[torch.nn.Parameter] = ()) -> list[Any]:
    """Shard the layers of a model over the processes, except the `replicated` parameters; returns the layers.

    Gradients of sharded parameters are summed over the processes, in float32.
    """
    layers = next(module for module in model.base_model.children() if isinstance(module, torch.nn.ModuleList))
    mesh = _all_processes(model)
    return [_shard(layer, mesh, set(replicated)) for layer in layers]


def _all_processes(model: Any) -> DeviceMesh:
    from torch.distributed.device_mesh import init_device_mesh

    return init_device_mesh(model.device.type, (workers().size,))


def _shard(module: Any, mesh: DeviceMesh, replicated: set[torch.nn.Parameter]) -> Any:
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    exact = MixedPrecisionPolicy(reduce_dtype=torch.float32)
    fully_shard(module, mesh=mesh, mp_policy=exact, ignored_params=replicated)
    module.set_gradient_divide_factor(1.0)
    module.set_force_sum_reduction_for_comms(True)
    return module


class ShardedModel:
    """A model whose tensors are split over the processes along their first axis.

    `trained` gathers its layers one by one as they are needed and shards their gradients. `shell` is the same
    model with tensors of its own: empty, or the gathered weights of one policy, for drawing and scoring.
    """

    def __init__(self, model: Any):
        from torch.distributed.fsdp import register_fsdp_forward_method

        empty = {id(p): torch.nn.Parameter(p.new_empty(0), requires_grad=False) for p in model.parameters()}
        self.shell: Any = copy.deepcopy(model, empty)
        model.requires_grad_(True)
        shard_layers(model)
        self.trained: Any = _shard(model, _all_processes(model), set())
        model.trunk = lambda ids: model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        register_fsdp_forward_method(model, "trunk")  # keeps the head gathered until the backward pass ends
        self.parameters: dict[str, torch.nn.Parameter] = dict(model.named_parameters())

    def shards(self) -> dict[str, Tensor]:
        """A copy of this process's shards of `trained`: float[N / W, ...] by name, over W processes."""
        return {name: local_shard(parameter).detach().clone() for name, parameter in self.parameters.items()}

    @torch.no_grad()
    def start(self, shards: Mapping[str, Tensor]) -> None:
        """Set the weights of `trained` to this process's shards, float[N / W, ...] by name."""
        for name, parameter in self.parameters.items():
            local_shard(parameter).copy_(shards[name])

    def gather(self, name: str, shard: Tensor) -> Tensor:
        """The full tensor float[N, ...] of a parameter or a moment, from every process's float[N / W, ...].

        All processes call together.
        """
        from torch.distributed.tensor import DTensor

        if isinstance(shard, DTensor):
            return shard.full_tensor()
        like = self._like(name)
        if like is None:
            return shard
        mesh, placements, shape, stride = like.device_mesh, like.placements, like.shape, like.stride()
        split = DTensor.from_local(shard, mesh, placements, run_check=False, shape=shape, stride=stride)
        return split.full_tensor()

    def gather_all(self, shards: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All full tensors float[N, ...] of a policy by name; all processes call together."""
        return {name: self.gather(name, shard) for name, shard in shards.items()}

    def fill(self, weights: Mapping[str, Tensor] | None) -> None:
        """Put full weights float[N, ...] into the shell; None empties it."""
        for name, parameter in self.shell.named_parameters():
            parameter.data = parameter.new_empty(0) if weights is None else weights[name]

    def read(self, file: safe_open, name: str) -> Tensor:
        """This process's shard float[N / W, ...] of a tensor in an open safetensors file."""
        if (like := self._like(name)) is None:
            return file.get_tensor(name)
        size = -(-like.shape[0] // workers().size)
        start = min(workers().rank * size, like.shape[0])
        return file.get_slice(name)[start : start + size]

    def _like(self, name: str) -> Any:
        """The parameter whose name ends `name`, or None. A moment is sharded like its parameter."""
        while name and name not in self.parameters:
            name = name.partition(".")[2]
        return self.parameters.get(name)
