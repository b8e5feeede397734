"""Out-of-memory errors, explained in one line that names the setting to lower."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import torch

from llm_backend.runs.errors import OutOfMemory
from llm_backend.runs.meter import Meter

REMEDIES = {
    "": "lower model.lora, or set model.dtype to bfloat16",
    "collect": "lower arena.max_new_tokens, then fit.rows (four times as many are drawn at once)",
    "judge": "lower judge.batch, or judge with a smaller model",
    "score": "lower fit.rows",
    "fit": "lower fit.rows, or set model.checkpointing to true, then lower arena.samples (a prompt's "
    "responses are one pass) or model.lora",
    "evaluate": "lower evaluate.samples or evaluate.prompts",
    "checkpoint": "lower run.keep or model.lora",
}
SIGNS = ("allocate memory", "out of memory", "not enough memory")  # in the messages of torch


@contextmanager
def enough_memory(meter: Meter) -> Iterator[None]:
    """Raises OutOfMemory, naming the setting to lower, when memory runs out in the block."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _explained(meter, error) from error
    except RuntimeError as error:
        if not any(sign in str(error).lower() for sign in SIGNS):
            raise
        raise _explained(meter, error) from error


def _explained(meter: Meter, error: BaseException) -> OutOfMemory:
    phase = meter.failed or "loading the model"
    detail = " ".join(str(error).split())[:160] or type(error).__name__
    return OutOfMemory(f"out of memory at {phase}: {REMEDIES[meter.failed]} ({detail}).")
