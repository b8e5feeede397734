"""The progress bar of every loop: drawn on a terminal after a second of work, and cleared at the end."""

from __future__ import annotations

import importlib.util
import sys
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from rich.progress import Progress

T = TypeVar("T")
PATIENCE = 1.0  # seconds before a bar appears
_SILENT = ContextVar("silent", default=False)


class Bar:
    """A progress bar: call it with the units done so far and an optional note for the end of the bar."""

    def __init__(self, label: str, total: int, done: int, columns: Progress | None, above: list[str]):
        self._columns, self._begun, self._above = columns, time.monotonic(), above
        if columns is not None:
            self._task = columns.add_task(label, total=total, completed=done, note="")

    @property
    def watched(self) -> bool:
        """Whether the bar can be seen."""
        return self._columns is not None

    def __call__(self, done: int, note: str = "") -> None:
        """Move the bar to `done` units; it appears once the work has lasted longer than a second."""
        if self._columns is None:
            return
        if not self._columns.live.is_started and time.monotonic() - self._begun > PATIENCE:
            self._columns.start()
        self._columns.update(self._task, completed=done, note=note)

    def print(self, line: str) -> None:
        """Write one line to the standard error, above the bar where there is one."""
        if self._columns is None:
            print(line, file=sys.stderr)
        else:
            self._columns.console.print(line, soft_wrap=True, highlight=False, markup=False)

    def board(self, lines: Sequence[str]) -> None:
        """Show a table of text above the bar, in place of the one before; without a bar, print it."""
        if self._columns is None:
            print("\n".join(lines), file=sys.stderr)
        else:
            self._above[:] = lines
            self._columns.refresh()


@contextmanager
def progress(label: str, total: int, done: int = 0) -> Iterator[Bar]:
    """Yield a Bar of `total` units, `done` of them finished before the start.

    Nothing is drawn when the standard error is not a terminal, when rich is not installed, or inside
    `silent`.
    """
    if _SILENT.get() or not sys.stderr.isatty() or importlib.util.find_spec("rich") is None:
        yield Bar(label, total, done, None, [])
        return
    from rich.console import Console, RenderableType
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
    from rich.text import Text

    above: list[str] = []

    class Boarded(Progress):
        def get_renderables(self) -> Iterator[RenderableType]:
            if above:
                yield Text("\n".join(above), no_wrap=True)
            yield self.make_tasks_table(self.tasks)

    columns = Boarded(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[note]}"),
        console=Console(stderr=True),
        transient=True,
    )
    try:
        yield Bar(label, total, done, columns, above)
    finally:
        columns.stop()
        if above:  # the last table stays
            columns.console.print("\n".join(above), highlight=False, markup=False)


@contextmanager
def silent() -> Iterator[None]:
    """Draw no bars inside the block; for work that another bar already counts."""
    token = _SILENT.set(True)
    try:
        yield
    finally:
        _SILENT.reset(token)


def track(items: Iterable[T], label: str, total: int) -> Iterator[T]:
    """Yield the items one by one under a bar of `total` units."""
    with progress(label, total) as bar:
        for done, item in enumerate(items, start=1):
            yield item
            bar(done)
