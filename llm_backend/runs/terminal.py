"""The terminal of a run: the phase under way on a bar, and a line per finished round."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from llm_backend.runs.logs import Row

Show = Callable[[Row | None, str], None]  # (the row of a finished round, the phase under way)


@contextmanager
def shown(solver: str, rounds: int, done: int) -> Iterator[Show]:
    """Yield `show(row, phase)`, which updates the bar and prints a line for a row."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    console = Console(stderr=True, highlight=False)
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bar = Progress(
        *columns, TextColumn("{task.fields[phase]}"), console=console, disable=not sys.stderr.isatty()
    )
    began = time.monotonic()

    def show(row: Row | None, phase: str) -> None:
        bar.update(task, phase=phase)
        if row is not None:
            line = f"round {row['round']}/{rounds}  {numbers_of(row)}  {time.monotonic() - began:.1f} s"
            console.print(line, soft_wrap=True)
            bar.update(task, completed=row["round"])

    with bar:
        task = bar.add_task(solver, total=rounds, completed=done, phase="")
        yield show


def numbers_of(row: Row) -> str:
    """The numbers of a row that a line has room for."""
    values = ((name, read(row)) for name, read in COLUMNS.items())
    return "  ".join(f"{name} {value}" for name, value in values if value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _estimate(value: Mapping[str, float] | None) -> str:
    return "" if value is None else f"{value['mean']:.3f} ± {value['margin']:.3f}"


COLUMNS: dict[str, Callable[[Row], str]] = {
    "win rate": lambda row: _estimate(row.get("win_rate_reference")),
    "gap >=": lambda row: _estimate(row.get("exploitability")),
    "KL": lambda row: _estimate(row.get("kl_reference")),
    "loss": lambda row: _number(row.get("loss")),
    "tokens/s": lambda row: _number(row.get("tokens_per_second")),
    "length": lambda row: _number(row.get("length")),
    "truncated": lambda row: _number(row.get("truncated")),
}
