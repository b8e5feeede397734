"""Log-probabilities by Liger's fused kernels, on a GPU with liger-kernel 0.8.2 or later."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from inspect import signature
from typing import Any

import torch
from torch import Tensor


def liger_serves(hidden: Tensor, temperature: float) -> bool:
    """Whether Liger's kernel supports rows float[N, D]: on a GPU, and only at temperature 1."""
    return hidden.is_cuda and temperature == 1 and _kernel() is not None


class LigerLogProbs(torch.autograd.Function):
    """log softmax(hidden @ weight.T) at `targets`: LinearLogProbs at temperature 1, in fewer passes.

    A chunk of logits is read twice and replaced by its gradient in place, in the precision of the weights.
    With a frozen head this is done in the forward pass. Otherwise the backward pass repeats it, because the
    gradient of the weight needs the upstream coefficient of every row.
    """

    @staticmethod
    def forward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, hidden: Tensor, weight: Tensor, bias: Tensor | None, targets: Tensor
    ) -> Tensor:
        """Log-probabilities float32[N] of `hidden` [N, D], `weight` [V, D] and `targets` int64[N]."""
        frozen = ctx.needs_input_grad[0] and not any(ctx.needs_input_grad[1:])
        losses, slope, _, _ = _run(hidden, weight, bias, targets, frozen, False)
        ctx.save_for_backward(*((-slope,) if frozen else (hidden, weight, bias, targets)))
        return -losses

    @staticmethod
    def backward(ctx: Any, *upstream: Tensor) -> tuple[Tensor | None, ...]:
        """Gradients of the inputs, each of its input's shape."""
        if len(ctx.saved_tensors) == 1:
            slope = ctx.saved_tensors[0]
            return (upstream[0][:, None] * slope).to(slope.dtype), None, None, None
        hidden, weight, bias, targets = ctx.saved_tensors
        _, *slopes = _run(hidden, weight, bias, targets, True, ctx.needs_input_grad[1], -upstream[0].float())
        needed = zip(slopes, ctx.needs_input_grad, strict=False)
        return *(slope if needs else None for slope, needs in needed), None


def _run(
    hidden: Tensor,
    weight: Tensor,
    bias: Tensor | None,
    targets: Tensor,
    slopes: bool,
    of_weight: bool,
    coefficients: Tensor | None = None,
) -> tuple[Tensor, Any, Any, Any]:
    """Cross entropies float32[N] and, with `slopes`, their gradients times `coefficients` (1 by default)."""
    kernel: Any = _kernel()
    losses, _, _, _, d_hidden, d_weight, d_bias = kernel(
        hidden.to(weight.dtype),
        weight,
        targets,
        bias=bias,
        reduction="none",
        accum_dtype=torch.float32,
        token_grad_output=coefficients,
        compute_gradients=slopes,
        weight_requires_grad=of_weight,
    )
    return losses, d_hidden.to(hidden.dtype), d_weight, d_bias


@cache
def _kernel() -> Callable[..., Any] | None:
    """Liger's kernel, or None if it is absent or older than 0.8.2; older versions sum rows unweighted."""
    try:
        from liger_kernel.ops.fused_linear_cross_entropy import (  # pyright: ignore[reportMissingImports]
            fused_linear_cross_entropy_forward as kernel,
        )
    except ImportError:
        return None
    return kernel if "token_grad_output" in signature(kernel).parameters else None
