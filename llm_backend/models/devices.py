"""Devices and dtypes by their names, checked before weights are loaded."""

from __future__ import annotations

import torch

DTYPES = ("float16", "bfloat16", "float32", "float64")  # in which weights are kept


def usable_device(device: str | torch.device | None) -> torch.device:
    """The device, by default the GPU if there is one, else the CPU.

    Raises ValueError when it is none of torch's, or not on this machine.
    """
    try:
        found = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
    except RuntimeError:
        raise ValueError(f"device {device!r} is not a device of torch: use 'cpu' or 'cuda'.") from None
    if found.type == "cuda" and not torch.cuda.is_available():
        raise ValueError(
            f"device {found} is not available: torch {torch.__version__} sees no GPU: use 'cpu'."
        )
    try:
        torch.zeros(1, device=found).item()
    except (RuntimeError, AssertionError, NotImplementedError, ImportError) as error:
        why = (str(error).strip().splitlines() or [type(error).__name__])[0]
        raise ValueError(f"device {found} cannot be used ({why:.120}): use 'cpu' or 'cuda'.") from None
    return found


def usable_dtype(dtype: torch.dtype | str) -> torch.dtype | str:
    """The dtype, or "auto". Raises ValueError for one in which weights cannot be trained."""
    named = getattr(torch, dtype, None) if isinstance(dtype, str) else dtype
    if dtype != "auto" and named not in [getattr(torch, name) for name in DTYPES]:
        raise ValueError(
            f"dtype {dtype!r} is not a dtype of weights: use 'auto' or one of {', '.join(DTYPES)}."
        )
    return dtype
