"""When the logits of two passes are the same but for rounding, and whether they are in a batch."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor

from llm_backend.models.huggingface import one_line

CLOSE = {torch.float32: 1e-3, torch.float64: 1e-3, torch.float16: 2e-2}  # of the range of the logits
ROUGH = 6e-2  # the same for bfloat16 and coarser weights


def check_rows(model: Any, logits: Callable[[list[list[int]], int], Tensor]) -> None:
    """Raises ValueError unless the logits of a row are the same alone and beside a longer one.

    `logits(rows, keep)` are those of the last `keep` positions of rows of tokens, float[B, keep, V].
    """
    name, size = type(model).__name__, len(model.get_input_embeddings().weight)
    rows = [[i * size // 6 for i in range(1, 6)], [i * size // 6 for i in (4, 2)]]
    remedy = "use an architecture with attention masks and positions, such as Llama or Qwen."
    try:
        alone, together = [logits([row], 1)[0] for row in rows], logits(rows, 1)
    except (MemoryError, torch.OutOfMemoryError):
        raise
    except Exception as error:
        raise ValueError(
            f"{name} cannot be read in batches ({type(error).__name__}: {one_line(error)}): {remedy}"
        ) from None
    finite = all(bool(row.isfinite().all()) for row in alone)  # a judge says so when it is asked
    if finite and not alike(list(together), alone, model.dtype):
        raise ValueError(f"the logits of {name} depend on the rows beside, by padding: {remedy}")


def alike(got: Sequence[Tensor], want: Sequence[Tensor], dtype: torch.dtype) -> bool:
    """Whether rows of logits float64[L, V] of a model in `dtype` are the same but for rounding."""
    close = CLOSE.get(dtype, ROUGH)
    return distance(got, want, close < ROUGH) <= close


def distance(got: Sequence[Tensor], want: Sequence[Tensor], every: bool) -> float:
    """The largest difference of rows of logits float64[L, V], relative to their range.

    That of a row is the largest over its positions with `every`, else their median: in half precision
    rounding may send a token to another expert.
    """
    range_ = max(float((row - row.mean(dim=-1, keepdim=True)).abs().max()) for row in want)
    worst = 0.0
    for row, wanted in zip(got, want, strict=True):
        off = (row - wanted).abs().amax(dim=-1).nan_to_num(nan=torch.inf)
        worst = max(worst, float(off.max() if every else off.median()))
    return worst / max(range_, 1e-9)
