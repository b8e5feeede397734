"""What the last bits of a round depend on beside its configuration: torch, and the threads it computes on."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch

from llm_backend.runs.checkpoint import Checkpoint


def bits_of_torch() -> dict[str, Any]:
    """Notes for a checkpoint: the version of torch and, where it computes on a CPU, the number of threads."""
    return {
        "torch": torch.__version__,
        "threads": None if torch.cuda.is_available() else torch.get_num_threads(),
    }


def tell_other_bits(found: Checkpoint, say: Callable[[str], None]) -> None:
    """Call `say` with a line where the rounds after a checkpoint may differ from it in their last bits."""
    now = bits_of_torch()
    if (version := found.about.get("torch")) != now["torch"]:
        say(f"round {found.t} was played with torch {version}: bits may differ from now on.")
    threads = found.about.get("threads")
    if threads is not None and now["threads"] not in (None, threads):
        say(
            f"round {found.t} was played with OMP_NUM_THREADS={threads}, this process has {now['threads']}: "
            "bits may differ from now on."
        )
