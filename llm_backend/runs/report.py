"""The reports of a run: rows of the log; on the terminal, a line per round and the current phase."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Protocol

from llm_backend.runs.config import Configuration
from llm_backend.runs.folder import say, write_config
from llm_backend.runs.logs import Log, Row
from llm_backend.runs.reading import keep_clock
from llm_backend.runs.terminal import Show, shown


class Report(Protocol):
    """Where the first process of a run reports; the others report nowhere."""

    def phase(self, name: str) -> None:
        """Show the phase under way."""
        ...

    def tell(self, line: str) -> None:
        """Print a line."""
        ...

    def log(self, row: Row) -> None:
        """Write the row of a finished round to the log."""
        ...

    def show(self, row: Row) -> None:
        """Print the line of a round whose checkpoint is written."""
        ...


class Silent:
    """The report of the other processes."""

    def phase(self, name: str) -> None:
        pass

    def tell(self, line: str) -> None:
        pass

    def log(self, row: Row) -> None:
        pass

    def show(self, row: Row) -> None:
        pass


class Written:
    """A report to the log, the trackers and the terminal."""

    def __init__(self, log: Log, show: Show):
        self._log, self._show = log, show

    def phase(self, name: str) -> None:
        self._show(None, name)

    def tell(self, line: str) -> None:
        say(line)

    def log(self, row: Row) -> None:
        self._log.write(row)

    def show(self, row: Row) -> None:
        self._show(row, "")


@contextmanager
def reporting(config: Configuration, solver: str, folder: Path, t: int, first: bool) -> Iterator[Report]:
    """The report of this process, which continues after round `t`; the first one also writes config.json."""
    if not first:
        yield Silent()
        return
    write_config(folder, config)
    keep_clock(folder)
    log = Log(folder, config.log, t, config.dump())
    if log.missing:
        some = ", ".join(map(str, log.missing[:8])) + (", ..." if log.missing[8:] else "")
        say(f"{log.path} has no row of round {some}; the run continues, and only plots lack them.")
    try:
        with shown(solver, config.run.rounds, t) as show:
            yield Written(log, show)
    finally:
        log.close()
