"""Adam: the optimiser of a fit."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Protocol

import torch
from torch import Tensor

from llm_backend.processes.fsdp import local_shard
from llm_backend.processes.workers import workers


class Settings(Protocol):
    """The settings of AdamW; a `Fit` has them."""

    @property
    def betas(self) -> tuple[float, float]: ...

    @property
    def eps(self) -> float: ...

    @property
    def weight_decay(self) -> float: ...

    @property
    def clip(self) -> float: ...


class Adam:
    """AdamW (arXiv:1711.05101) that keeps no first moment when beta1 is 0.

    It updates the shards that this process holds; the gradient is clipped by its norm over all processes.
    Parameters of lower precision have a float32 copy, in which small steps accumulate.

    Parameters
    ----------
    parameters : parameters by name, of any shape; each may be a shard.
    how : the settings.
    moments : moments of an earlier Adam, from which this one continues; empty for a fresh start.
    """

    def __init__(
        self, parameters: Mapping[str, torch.nn.Parameter], how: Settings, moments: Mapping[str, Tensor]
    ):
        self.parameters, self.how = parameters, how
        shards = {name: local_shard(p.detach()) for name, p in parameters.items()}
        self.split = any(shards[name].shape != p.shape for name, p in parameters.items())
        self.steps = int(moments["steps"]) if moments else 0
        self.second = {name: self._start(moments, f"second.{name}", p) for name, p in shards.items()}
        coarse = {name: p for name, p in shards.items() if p.dtype != torch.float32}
        self.exact = {name: p.float() for name, p in coarse.items()}
        moving = shards.items() if how.betas[0] else ()
        self.first = {name: self._start(moments, f"first.{name}", p) for name, p in moving}

    @staticmethod
    def _start(moments: Mapping[str, Tensor], name: str, parameter: Tensor) -> Tensor:
        return moments[name].clone() if name in moments else torch.zeros_like(parameter, dtype=torch.float32)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """Update the parameters from their gradients at a learning rate, and clear the gradients."""
        (beta1, beta2), self.steps = self.how.betas, self.steps + 1
        gradients = {name: local_shard(p.grad) for name, p in self.parameters.items() if p.grad is not None}
        squares = sum(float(gradient.float().square().sum()) for gradient in gradients.values())
        total = math.sqrt(workers().summed(squares)[0] if self.split else squares)
        shrink = min(1.0, self.how.clip / total) if total > 0 else 1.0
        scale1, scale2 = 1 - beta1**self.steps, 1 - beta2**self.steps
        for name, gradient in gradients.items():
            parameter = local_shard(self.parameters[name])
            gradient = gradient.float().mul_(shrink)
            second = self.second[name].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            if beta1:
                gradient = self.first[name].mul_(beta1).add_(gradient, alpha=1 - beta1) / scale1
            exact = self.exact.get(name, parameter)
            if self.how.weight_decay:
                exact.mul_(1 - rate * self.how.weight_decay)
            exact.add_(gradient / (second / scale2).sqrt_().add_(self.how.eps), alpha=-rate)
            if name in self.exact:
                parameter.copy_(exact)
            self.parameters[name].grad = None

    def moments(self) -> dict[str, Tensor]:
        """The moments, each of its parameter's shape, and the number of steps, to continue from."""
        kept = {f"second.{name}": value for name, value in self.second.items()}
        kept |= {f"first.{name}": value for name, value in self.first.items()}
        return {"steps": torch.tensor(self.steps), **kept}
