"""Log-probabilities under a frozen head, forward and backward: CPU seconds and memory.

python -m benchmarks.llm_logprobs {naive,chunked} TOKENS VOCABULARY prints one line of JSON.
"""

from __future__ import annotations

import json
import statistics
import sys
import threading
import time
from pathlib import Path

WIDTH = 256


def main() -> None:
    """Measure one method, in this process."""
    import torch

    from llm_backend.models.logprobs import LinearLogProbs

    tokens, vocabulary = map(int, sys.argv[2:4])
    torch.set_num_threads(1)
    torch.manual_seed(0)
    hidden = torch.randn(tokens, WIDTH, requires_grad=True)
    weight = torch.randn(vocabulary, WIDTH) / WIDTH**0.5
    targets = torch.randint(vocabulary, (tokens,))

    def naive() -> torch.Tensor:
        logs = torch.log_softmax(hidden @ weight.T, dim=-1)
        return logs.gather(1, targets[:, None])[:, 0]

    def chunked() -> torch.Tensor:
        return LinearLogProbs.apply(hidden, weight, None, targets, 1.0)  # type: ignore[return-value]

    how = {"naive": naive, "chunked": chunked}[sys.argv[1]]
    before, seconds = _resident_mb(), []
    with Highest() as highest:
        for _ in range(3):
            start = time.process_time()
            hidden.grad = None
            how().sum().backward()
            seconds.append(time.process_time() - start - highest.seconds())
    assert hidden.grad is not None
    json.dump(
        {
            "cpu_seconds": statistics.median(seconds),
            "extra_mb": highest.mb - before,
            "gradient_norm": float(hidden.grad.norm()),
        },
        sys.stdout,
    )


class Highest:
    """The highest resident memory while a block runs, sampled every 2 ms by a thread."""

    def __enter__(self) -> Highest:
        self.mb, self._spent, self._reported, self._done = _resident_mb(), 0.0, 0.0, threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._thread.join()

    def seconds(self) -> float:
        """CPU seconds that the sampling took since the last call."""
        spent, self._reported = self._spent - self._reported, self._spent
        return spent

    def _watch(self) -> None:
        while not self._done.wait(0.002):
            self.mb = max(self.mb, _resident_mb())
            self._spent = time.thread_time()


def _resident_mb() -> float:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith("VmRSS"):
            return int(line.split()[1]) / 1024
    raise OSError("no VmRSS in /proc/self/status: this benchmark runs on Linux only.")


if __name__ == "__main__":
    main()
