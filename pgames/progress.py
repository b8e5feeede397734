"""A progress bar that is seen only by people, and only when there is something to wait for."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")
PATIENCE = 1.0  # seconds without a bar


@contextmanager
def progress(label: str, total: int) -> Iterator[Callable[[int], None]]:
    """Yield `advance(done)`; after a second it draws a bar on the standard error, if that is a terminal.

    The bar is gone when the block ends, however it ends.
    """
    bar = _Bar(label, total)
    try:
        yield bar.advance if sys.stderr.isatty() else lambda done: None
    finally:
        bar.close()


def track(items: Iterable[T], label: str, total: int) -> Iterator[T]:
    """The items themselves, with a bar that counts them."""
    with progress(label, total) as advance:
        for done, item in enumerate(items, start=1):
            yield item
            advance(done)


class _Bar:
    def __init__(self, label: str, total: int):
        self.label, self.total, self.start, self.live = label, total, time.monotonic(), None

    def advance(self, done: int) -> None:
        if self.live is None:
            if time.monotonic() - self.start < PATIENCE:
                return
            self._open()
        if self.live is not None:
            self.live.update(self.task, completed=done)

    def _open(self) -> None:
        from rich.console import Console
        from rich.errors import LiveError
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

        columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
        live = Progress(*columns, console=Console(stderr=True), transient=True)
        try:
            live.start()
        except LiveError:  # inside another bar, which goes on alone
            self.start = float("inf")
            return
        self.live, self.task = live, live.add_task(self.label, total=self.total)

    def close(self) -> None:
        if self.live is not None:
            self.live.stop()
