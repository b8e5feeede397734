"""Fixtures shared by all tests."""

import os
import signal

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in a job that a shell put in the background
    signal.signal(signal.SIGINT, signal.default_int_handler)  # tests press Ctrl-C in children
# Numba's too: its pool, which `import quantecon` starts, gives its size to OpenMP, and thereby to torch
for _variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMBA_NUM_THREADS"):
    os.environ.setdefault(_variable, "1")

import sys
from pathlib import Path

import matplotlib
import pytest

matplotlib.use("Agg")


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real data; it lies beside a checkout and is never committed."""
    folder = Path(__file__).resolve().parents[2] / "shared" / "data"
    if not folder.is_dir():
        pytest.skip(f"real data not found at {folder}")
    return folder


def _torch_threads() -> int | None:
    """The threads of torch, on which the last bits of its results depend; None where it is not imported."""
    torch = sys.modules.get("torch")
    return torch.get_num_threads() if hasattr(torch, "get_num_threads") else None


@pytest.fixture(autouse=True)
def threads_stay():
    """No test leaves another number of threads to the tests after it in its process."""
    before = _torch_threads()
    yield
    assert before in (None, _torch_threads()), f"torch had {before} threads, and has {_torch_threads()} now"
