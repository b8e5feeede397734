"""Products of activations with weights: by oneDNN where that is faster than the BLAS that PyTorch calls.

Measured on an AMD EPYC, oneDNN multiplies float32 matrices of some size 1.1 to 1.5 times as fast as MKL. It
keeps no copy of the weights.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

LEAST = 64, 256  # rows of activations, and the smaller side of the weights, from which oneDNN is faster


def forward(x: Tensor, weight: Tensor, bias: Tensor | None = None) -> Tensor:
    """x @ weight.T + bias, float[N, O], of x float[N, I] and weight float[O, I]."""
    if not _large(x, weight):
        return F.linear(x, weight, bias)
    return torch.ops.mkldnn._linear_pointwise(x, weight, bias, "none", [], "")


def backward(slope: Tensor, weight: Tensor) -> Tensor:
    """slope @ weight, float[N, I], of slope float[N, O] and weight float[O, I]."""
    if not _large(slope, weight):
        return slope @ weight
    return torch.ops.mkldnn._linear_pointwise(slope, weight.T, None, "none", [], "")


def _large(x: Tensor, weight: Tensor) -> bool:
    """Whether oneDNN multiplies these, no gradient of the product is asked for, and it is faster."""
    if x.device.type != "cpu" or x.dtype != torch.float32 or weight.dtype != torch.float32:
        return False
    if len(x) < LEAST[0] or min(weight.shape) < LEAST[1]:
        return False
    if not (torch.backends.mkldnn.is_available() and hasattr(torch.ops.mkldnn, "_linear_pointwise")):
        return False
    return not (torch.is_grad_enabled() and (x.requires_grad or weight.requires_grad))
