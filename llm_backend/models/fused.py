"""Parts of a layer as single functions: the same numbers up to rounding, in less time and memory.

A LoRA layer, an RMS norm and a gated MLP in eager PyTorch write, and keep for the backward pass, several
arrays the size of their output. Each function here writes one, and keeps its inputs.
"""

from __future__ import annotations

import weakref
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from llm_backend.models import products
from llm_backend.models.by_row import ByRow, LoraByRow


class LoraProduct(torch.autograd.Function):
    """x @ W.T + bias + scale * x @ A.T @ B.T for frozen W float[O, I], of x float[..., I]."""

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, x: Tensor, weight: Tensor, bias: Tensor | None, down: Tensor, up: Tensor, scale: float
    ) -> Tensor:
        """Outputs float[..., O]; `down` is A float[R, I] and `up` is B float[O, R], rounded as x is."""
        flat = x.reshape(-1, x.shape[-1])
        low = flat @ down.to(x.dtype).T
        ctx.save_for_backward(flat, low, weight, down, up)
        ctx.scale = scale
        y = products.forward(flat, weight, bias).addmm_(low, up.to(x.dtype).T, alpha=scale)
        return y.view(*x.shape[:-1], -1)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x float[..., I], A float[R, I] and B float[O, R]."""
        flat, low, weight, down, up = ctx.saved_tensors
        slope = upstream[0].reshape(-1, upstream[0].shape[-1])
        d_low = (slope @ up.to(slope.dtype)).mul_(ctx.scale)
        d_x = None
        if ctx.needs_input_grad[0]:
            d_x = (
                products.backward(slope, weight)
                .addmm_(d_low, down.to(slope.dtype))
                .view(*upstream[0].shape[:-1], -1)
            )
        d_up = (slope.T @ low).mul_(ctx.scale)
        return d_x, None, None, (d_low.T @ flat).to(down.dtype), d_up.to(up.dtype), None


class RmsNorm(torch.autograd.Function):
    """weight * x / sqrt(mean(x^2) + eps) over the last axis of x float[..., D]."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, eps: float) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Outputs float[..., D]."""
        norm = torch.linalg.vector_norm(x, dim=-1, keepdim=True)
        scale = norm.square_().div_(x.shape[-1]).add_(eps).rsqrt_()
        ctx.save_for_backward(x, weight, scale)
        return (x * scale).mul_(weight)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of x float[..., D] and weight float[D]."""
        x, weight, scale = ctx.saved_tensors
        normed = x * scale
        d_weight = None
        if ctx.needs_input_grad[1]:
            d_weight = (upstream[0] * normed).flatten(0, -2).sum(0)
        slope = upstream[0] * weight
        mean = torch.linalg.vecdot(slope, normed).div_(x.shape[-1])
        return slope.sub_(normed.mul_(mean[..., None])).mul_(scale), d_weight, None


class SwiGlu(torch.autograd.Function):
    """silu(gate) * up, both float[..., I]."""

    @staticmethod
    def forward(ctx: Any, gate: Tensor, up: Tensor) -> Tensor:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Outputs float[..., I]."""
        ctx.save_for_backward(gate, up)
        return F.silu(gate).mul_(up)

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of gate and up, float[..., I] each."""
        gate, up = ctx.saved_tensors
        return torch.ops.aten.silu_backward(upstream[0] * up, gate), F.silu(gate).mul_(upstream[0])


Forward = Callable[..., Any]
_PARTS: weakref.WeakKeyDictionary[Any, list[tuple[Any, Forward]]] = weakref.WeakKeyDictionary()
_BY_ROW: ContextVar[ByRow | None] = ContextVar("by_row", default=None)


@contextmanager
def fused(model: Any, by_row: ByRow | None = None) -> Iterator[None]:
    """Inside the block the parts of the model's layers that this module knows are single functions.

    With `by_row`, its LoRA layers record their gradients by row.
    """
    if model not in _PARTS:
        _PARTS[model] = [(m, f) for m in model.modules() if (f := _fused(m)) and "forward" not in vars(m)]
    token = _BY_ROW.set(by_row)
    try:
        for module, forward in _PARTS[model]:
            module.forward = forward
        yield
    finally:
        _BY_ROW.reset(token)
        for module, _ in _PARTS[model]:
            vars(module).pop("forward", None)


def _fused(module: Any) -> Forward | None:
    """The forward pass of a part of a layer, or None if it stays as it is."""
    if _is_lora(module):
        return lambda x, *more, **how: _lora(module, x, *more, **how)
    only = [key for key, _ in module.named_parameters()] == ["weight"]
    if type(module).__name__.endswith("RMSNorm") and hasattr(module, "variance_epsilon") and only:
        return lambda x: _norm(module, x)
    silu = type(getattr(module, "act_fn", None)).__name__ in ("SiLU", "SiLUActivation")
    if silu and all(hasattr(module, f"{part}_proj") for part in ("gate", "up", "down")):
        return lambda x: _mlp(module, x)
    return None


def _is_lora(module: Any) -> bool:
    from peft.tuners.lora import Linear

    return isinstance(module, Linear) and type(module.base_layer) is torch.nn.Linear


def is_lora_of(model: Any, parameters: Iterable[torch.nn.Parameter]) -> bool:
    """Whether these parameters are matrices of LoRA layers that are computed as single functions."""
    layers = [m for m in model.modules() if _is_lora(m)]
    known = {id(p) for m in layers for half in (m.lora_A, m.lora_B) for p in half.parameters()}
    return all(id(p) in known for p in parameters)


def _mlp(module: Any, x: Tensor) -> Tensor:
    return module.down_proj(SwiGlu.apply(module.gate_proj(x), module.up_proj(x)))


def _lora(module: Any, x: Tensor, *more: Any, **how: Any) -> Tensor:
    names, base = module.active_adapters, module.base_layer
    known = [name for name in names if name in module.lora_A]
    plain = module.disable_adapters or module.merged or more or how or len(known) != 1
    if plain or known[0] in module.lora_variant or base.weight.requires_grad:
        return type(module).forward(module, x, *more, **how)
    down, up = module.lora_A[known[0]], module.lora_B[known[0]]
    if base.weight.dtype != x.dtype or up.bias is not None:
        return type(module).forward(module, x)
    given = (x, base.weight, base.bias, down.weight, up.weight, module.scaling[known[0]])
    by_row = _BY_ROW.get()
    if by_row is not None and x.shape[:-1] == by_row.shape:
        return LoraByRow.apply(*given, by_row)  # type: ignore[return-value]
    return LoraProduct.apply(*given)  # type: ignore[return-value]


def _norm(module: Any, x: Tensor) -> Tensor:
    if x.is_cuda:  # one kernel
        return F.rms_norm(x, module.weight.shape, module.weight, module.variance_epsilon)
    if x.dtype != torch.float32:
        return type(module).forward(module, x)
    return RmsNorm.apply(x, module.weight, module.variance_epsilon)  # type: ignore[return-value]
