"""Shared by the benchmarks: CPU times, rows that are printed and saved once measured, one JSON file each.

Every benchmark has `main(toy=False, folder=None)`. With toy=True it runs the same code on small inputs in
seconds and writes to results/toy; such times are not measurements.
"""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from importlib import metadata
from pathlib import Path
from typing import Any

from pgames.files import atomic

Row = dict[str, Any]

ROOT = Path(__file__).resolve().parents[1]
RESULTS = ROOT / "results"
NOT_INSTALLED = "not installed"
PEERS = (
    *("numpy", "scipy", "numba", "cvxpy", "clarabel", "ecos", "quantecon", "piqp", "evalica", "open_spiel"),
    *("torch", "transformers", "peft"),
)


def cpu_seconds(call: Callable[[], Any], repeats: int = 5, budget: float = 10.0) -> float:
    """Median CPU seconds of at most `repeats` calls (about `budget` seconds in all), after a warm-up call."""
    call()
    return timed(call, repeats, budget)[0]


def timed(call: Callable[[], Any], repeats: int = 5, budget: float = 10.0) -> tuple[float, Any]:
    """(median CPU seconds, last answer) without a warm-up, for calls too long to repeat."""
    seconds: list[float] = []
    answer = None
    while len(seconds) < repeats and sum(seconds) < budget:
        start = time.process_time()
        answer = call()
        seconds.append(time.process_time() - start)
    return statistics.median(seconds), answer


def environment() -> dict[str, Any]:
    """Machine, versions, threads, commit and date of a measurement."""
    return {
        "processor": _processor(),
        "cores": os.cpu_count(),
        "threads": int(os.environ["OMP_NUM_THREADS"]),
        "python": platform.python_version(),
        "versions": {name: version for name in PEERS if (version := _version(name))},
        "commit": _commit(),
        "date": time.strftime("%Y-%m-%d"),
    }


def toy_asked() -> bool:
    """Whether the command line says --toy."""
    return "--toy" in sys.argv[1:]


def folder_of(toy: bool, folder: Path | None) -> Path:
    """The folder of the results: `folder` if it is not None, else results/ or results/toy."""
    return folder or (RESULTS / "toy" if toy else RESULTS)


def report(name: str, tables: Iterable[tuple[str, Iterable[Row]]], folder: Path) -> dict[str, Any]:
    """Measure the rows of `tables` (title, rows) one by one; return the document that <name>.json holds.

    Each row is printed and <name>.json written, atomically, as soon as the row is measured, so a benchmark
    that is stopped keeps its rows. The document has the environment, the rows and `complete`.
    """
    document = {"benchmark": name, "environment": environment(), "complete": False, "rows": []}
    for title, measured in tables:
        print(title, flush=True)
        rows = []
        for row in measured:
            rows.append(row)
            document["rows"].append(row)
            print("  " + ", ".join(f"{key}: {_cell(value)}" for key, value in row.items()), flush=True)
            _write(name, document, folder)
        print_table(title, rows)
    document["complete"] = True
    _write(name, document, folder)
    return document


def _write(name: str, document: dict[str, Any], folder: Path) -> None:
    with atomic(folder / f"{name}.json", "w") as file:
        json.dump(document, file, indent=1, default=float)


def print_table(title: str, rows: Sequence[Row]) -> None:
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
        return subprocess.run(command, cwd=ROOT, capture_output=True, text=True).stdout.strip()
    except OSError:
        return ""
