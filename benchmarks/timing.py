"""CPU times, one table, one JSON file: what every benchmark shares."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections.abc import Callable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pgames.files import atomic

RESULTS = Path(__file__).resolve().parents[1] / "results"
PEERS = (
    *("numpy", "scipy", "numba", "cvxpy", "clarabel", "ecos", "quantecon", "piqp", "evalica", "open_spiel"),
    *("torch", "transformers", "peft"),
)


def cpu_seconds(call: Callable[[], Any], repeats: int = 5, budget: float = 10.0) -> float:
    """Median CPU seconds of at most `repeats` calls (about `budget` seconds in all), after a warm-up call."""
    call()
    return timed(call, repeats, budget)[0]


def timed(call: Callable[[], Any], repeats: int = 5, budget: float = 10.0) -> tuple[float, Any]:
    """(median CPU seconds, last answer) without a warm-up, for calls too long to be made twice."""
    seconds: list[float] = []
    answer = None
    while len(seconds) < repeats and sum(seconds) < budget:
        start = time.process_time()
        answer = call()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), answer


def environment() -> dict[str, Any]:
    """Machine, versions, threads and commit: what a time means nothing without."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": int(os.environ["OMP_NUM_THREADS"]),
        "python": platform.python_version(),
        "versions": {name: version for name in PEERS if (version := _version(name))},
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def write_results(name: str, rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Write results/<name>.json (atomically): the environment and the rows; return what was written."""
    document = {"benchmark": name, "environment": environment(), "rows": list(rows)}
    with atomic(RESULTS / f"{name}.json", "w") as file:
        json.dump(document, file, indent=1, default=float)
    return document


def print_table(title: str, rows: Sequence[dict[str, Any]]) -> None:
    """Print rows as one table; its columns are the keys, in order of appearance."""
    from rich.console import Console
    from rich.table import Table

    columns = list(dict.fromkeys(key for row in rows for key in row))
    table = Table(title=title)
    for column in columns:
        table.add_column(column, overflow="fold")
    for row in rows:
        table.add_row(*(_cell(row.get(column)) for column in columns))
    Console(width=None if os.isatty(1) else 160).print(table)


def _cell(value: Any) -> str:
    if value is None:
        return ""
    return f"{value:.3g}" if isinstance(value, float) else str(value)


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.split(":")[1].strip() for line in lines if line.startswith("model name")), "unknown")


def _commit() -> str:
    try:
        command = ["git", "describe", "--always", "--dirty"]
        return subprocess.run(command, cwd=RESULTS.parent, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""
