"""A progress bar on a terminal for work of more than a second."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 1.0  # seconds before a bar appears


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield `advance(done)`, which draws a bar with the time left after a second of work.

    Nothing is drawn where the standard error is no terminal, or rich is not installed.
    """
    if not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        yield lambda done: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    bar = Progress(*columns, console=Console(stderr=True), transient=True)
    task = bar.add_task(label, total=total)
    begun = time.monotonic()

    def advance(done: int) -> None:
        if not bar.live.is_started and time.monotonic() - begun > PATIENCE:
            bar.start()
        bar.update(task, completed=done)

    try:
        yield advance
    finally:
        bar.stop()


def track(items: Iterable[T], label: str, total: int) -> Iterator[T]:
    """The items, one by one, under a bar."""
    with progress(label, total) as advance:
        for done, item in enumerate(items, start=1):
            yield item
            advance(done)
