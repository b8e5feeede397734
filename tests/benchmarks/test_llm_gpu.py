"""The GPU benchmark runs whole on a small model, so that it is in order when there is a GPU."""

from __future__ import annotations

import pytest
import torch

from benchmarks.llm_gpu import TOY, measure


@pytest.mark.filterwarnings("ignore::FutureWarning", "ignore::UserWarning")  # transformers and PEFT
def test_every_number_of_the_gpu_benchmark_is_there():
    torch.set_num_threads(1)
    found = measure(TOY, "cpu")
    assert found["weights"] > 100_000
    for name, value in found.items():
        if name.endswith("_gb") or name.startswith("liger"):
            assert value is None  # neither GPU memory nor a kernel for it was used
        elif name != "device":
            assert value > 0
