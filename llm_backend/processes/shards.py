"""Weights in shares (FSDP2): each process keeps a part of every tensor, and whole layers only at work."""

from __future__ import annotations

import copy
from collections.abc import Collection, Mapping
from typing import Any

import torch
from torch import Tensor

from llm_backend.processes.workers import workers


def own(tensor: Tensor) -> Tensor:
    """The numbers that this process has of a tensor."""
    share: Any = getattr(tensor, "to_local", None)
    return tensor if share is None else share()


def split_layers(model: Any, whole: Collection[torch.nn.Parameter] = ()) -> list[Any]:
    """Split the layers of a model over the processes, all but the parameters in `whole`; returns the layers.

    Gradients of what is split are summed over the processes, in float32.
    """
    layers = next(module for module in model.base_model.children() if isinstance(module, torch.nn.ModuleList))
    mesh = _all_processes(model)
    return [_split(layer, mesh, set(whole)) for layer in layers]


def _all_processes(model: Any) -> Any:
    from torch.distributed.device_mesh import init_device_mesh

    return init_device_mesh(model.device.type, (workers().size,))


def _split(module: Any, mesh: Any, whole: set[torch.nn.Parameter]) -> Any:
    from torch.distributed.fsdp import MixedPrecisionPolicy, fully_shard

    exact = MixedPrecisionPolicy(reduce_dtype=torch.float32)
    fully_shard(module, mesh=mesh, mp_policy=exact, ignored_params=whole)
    module.set_gradient_divide_factor(1.0)
    module.set_force_sum_reduction_for_comms(True)
    return module


class Shards:
    """A model whose tensors are split over the processes along their first axis.

    `trained` gathers its layers one by one as they are needed and splits their gradients. `shell` is the same
    model with tensors of its own: empty, or the gathered weights of one policy, for drawing and scoring.
    """

    def __init__(self, model: Any):
        from torch.distributed.fsdp import register_fsdp_forward_method

        empty = {id(p): torch.nn.Parameter(p.new_empty(0), requires_grad=False) for p in model.parameters()}
        self.shell: Any = copy.deepcopy(model, empty)
        model.requires_grad_(True)
        split_layers(model)
        self.trained: Any = _split(model, _all_processes(model), set())
        model.trunk = lambda ids: model.base_model(input_ids=ids, use_cache=False).last_hidden_state
        register_fsdp_forward_method(model, "trunk")  # gathers the head too, until the backward pass is over
        self.parameters: dict[str, torch.nn.Parameter] = dict(model.named_parameters())

    def shares(self) -> dict[str, Tensor]:
        """A copy of what this process has of `trained`."""
        return {name: own(parameter).detach().clone() for name, parameter in self.parameters.items()}

    @torch.no_grad()
    def start(self, shares: Mapping[str, Tensor]) -> None:
        """Give `trained` these weights."""
        for name, parameter in self.parameters.items():
            own(parameter).copy_(shares[name])

    def whole(self, name: str, share: Tensor) -> Tensor:
        """The tensor whose shares the processes hold, of a parameter or its moments; all ask together."""
        from torch.distributed.tensor import DTensor

        if isinstance(share, DTensor):
            return share.full_tensor()
        like = self._like(name)
        if like is None:
            return share
        mesh, placements, shape, stride = like.device_mesh, like.placements, like.shape, like.stride()
        split = DTensor.from_local(share, mesh, placements, run_check=False, shape=shape, stride=stride)
        return split.full_tensor()

    def gather(self, shares: Mapping[str, Tensor]) -> dict[str, Tensor]:
        """All tensors of a policy; all processes ask together."""
        return {name: self.whole(name, share) for name, share in shares.items()}

    def fill(self, weights: Mapping[str, Tensor] | None) -> None:
        """Give the shell weights, or none."""
        for name, parameter in self.shell.named_parameters():
            parameter.data = parameter.new_empty(0) if weights is None else weights[name]

    def read(self, file: Any, name: str) -> Tensor:
        """The share of this process of a tensor in a file of safetensors."""
        if (like := self._like(name)) is None:
            return file.get_tensor(name)
        size = -(-like.shape[0] // workers().size)
        start = min(workers().rank * size, like.shape[0])
        return file.get_slice(name)[start : start + size]

    def _like(self, name: str) -> Any:
        """The parameter of this name, or at the end of it: moments are split as their parameters are."""
        while name and name not in self.parameters:
            name = name.partition(".")[2]
        return self.parameters.get(name)
