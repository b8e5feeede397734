"""A step of Nash-MD here and in TRL 1.13, the memory of log-probabilities, and a large model on a GPU.

The peer needs an environment of its own (pip install trl==1.13.0 transformers==5.23.0 peft requests, with the
torch of this one): its interpreter is PGAMES_TRL_PYTHON, or the first argument. Every measurement runs in a
process of its own, so that peak memory is its own; ours and the peer's take turns. CPU seconds per step are
medians. Each row is printed, and kept in results/llm.json, as soon as it is measured.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from benchmarks.timing import ROOT, Row, folder_of, report, toy_asked

TURNS = 3
CASES = [  # mode, the peer's cache, new tokens, our steps, its steps, turns, target ratio
    ("full", "cache", 64, 6, 4, TURNS, 1.8),
    ("full", "cache", 200, 3, 3, TURNS, 2.0),
    ("lora", "cache", 64, 6, 4, TURNS, 2.3),
    ("lora", "cache", 200, 3, 3, TURNS, 2.5),
    ("full", "no_cache", 64, 6, 2, 1, 8.0),
    ("full", "no_cache", 200, 3, 1, 1, 15.0),
]
TOY_CASES = [("lora", "cache", 2, 1, 1, 1, 2.3)]


def main(toy: bool = False, folder: Path | None = None, peer: str | None = None) -> dict[str, Any]:
    """Run the rows that this machine can run, print the tables and write llm.json."""
    peer = peer or os.environ.get("PGAMES_TRL_PYTHON")
    tokens, vocabulary = (8, 512) if toy else (512, 128_256)
    cases = TOY_CASES if toy else CASES
    tables = [
        ("One step of Nash-MD, CPU seconds, one thread", (_step_row(peer, *case) for case in cases)),
        (
            f"Log-probabilities of {tokens} tokens, vocabulary of {vocabulary}, frozen head",
            (_memory_row(*size) for size in [(tokens, vocabulary)]),
        ),
        ("Llama of 8 billion weights, bf16, LoRA, one GPU", _gpu_rows()),
    ]
    return report("llm", tables, folder_of(toy, folder))


def _step_row(
    peer: str | None, mode: str, cache: str, new: int, steps: int, its_steps: int, turns: int, target: float
) -> Row:
    ours, theirs = [], []
    for _ in range(turns):
        ours.append(_run(sys.executable, "benchmarks.llm_step", new, mode, steps))
        if peer is not None:
            theirs.append(_run(peer, "benchmarks.llm_trl", new, mode, cache, its_steps))
    row: Row = {
        "case": f"{mode}, {new} new tokens" + (", TRL use_cache=False" if cache == "no_cache" else ""),
        "ours": _median(ours, "cpu_seconds"),
        "tokens_per_second": _median(ours, "tokens_per_second"),
        "peak_mb": _median(ours, "peak_mb"),
    }
    if peer is None:
        return row | {"trl": "absent: set PGAMES_TRL_PYTHON"}
    ratios = [b["cpu_seconds"] / a["cpu_seconds"] for a, b in zip(ours, theirs, strict=True)]
    return row | {
        "trl": _median(theirs, "cpu_seconds"),
        "trl_peak_mb": _median(theirs, "peak_mb"),
        "ratio": statistics.median(ratios),
        "ratios": ", ".join(f"{ratio:.2f}" for ratio in ratios),
        "target": target,
    }


def _memory_row(tokens: int, vocabulary: int) -> Row:
    naive = _run(sys.executable, "benchmarks.llm_logprobs", "naive", tokens, vocabulary)
    ours = _run(sys.executable, "benchmarks.llm_logprobs", "chunked", tokens, vocabulary)
    return {
        "case": "forward and backward",
        "ours": ours["cpu_seconds"],
        "naive": naive["cpu_seconds"],
        "extra_mb": ours["extra_mb"],
        "naive_extra_mb": naive["extra_mb"],
        "memory_ratio": naive["extra_mb"] / ours["extra_mb"] if ours["extra_mb"] else None,
        "target": 7.0,
        "gradient_difference": abs(ours["gradient_norm"] / naive["gradient_norm"] - 1),
    }


def _gpu_rows() -> Iterator[Row]:
    import torch

    if torch.cuda.is_available():
        yield {"case": "8B on a GPU"} | _run(sys.executable, "benchmarks.llm_gpu")
    else:
        yield {"case": "8B on a GPU", "result": "no GPU here: python -m benchmarks.llm_gpu on one"}


def _run(python: str, module: str, *arguments: object) -> dict[str, Any]:
    """The JSON in the last line that a module prints. Raises RuntimeError with its errors when it fails."""
    done = subprocess.run(
        [python, "-m", module, *map(str, arguments)],
        cwd=ROOT,
        env=os.environ | {"PYTHONWARNINGS": "ignore"},
        capture_output=True,
        text=True,
    )
    if done.returncode != 0:
        raise RuntimeError(f"{module} {arguments} failed: {done.stderr[-2000:]}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def _median(runs: Sequence[dict[str, Any]], key: str) -> float:
    return statistics.median(run[key] for run in runs)


if __name__ == "__main__":
    peers = [argument for argument in sys.argv[1:] if argument != "--toy"]
    main(toy_asked(), peer=peers[0] if peers else None)
