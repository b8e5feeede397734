"""The results of checks: rows, a printable report, and one error that lists all failures."""

from __future__ import annotations

import html
import traceback
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple


class Measured(NamedTuple):
    """A measured deviation from a property, and the allowed one."""

    what: str  # the name of `got`, as the subject of a sentence
    got: float
    allowed: float
    diagnosis: str = ""  # replaces the usual meaning when the measurement is more specific

    @property
    def ok(self) -> bool:
        return self.got <= self.allowed  # False for NaN


class Property(NamedTuple):
    """A property that is checked."""

    name: str
    check: Callable[..., Measured | None]  # None: not claimed here
    meaning: str  # what a failure usually means


@dataclass(frozen=True)
class Row:
    """One property on one game. `measured` is None when the property is not claimed or the check raised."""

    promise: Property
    game: str
    measured: Measured | None = None
    error: Exception | None = None

    @property
    def status(self) -> str:
        """ "ok", "failed" or "not claimed"."""
        if self.error is not None:
            return "failed"
        if self.measured is None:
            return "not claimed"
        return "ok" if self.measured.ok else "failed"

    def told(self) -> str:
        """The failure, as one sentence."""
        if self.measured is None:
            return f"raised {type(self.error).__name__}: {self.error}"
        m = self.measured
        return f"{m.what} is {m.got:.3g}, allowed {m.allowed:.3g}"

    def why(self) -> str:
        """The usual cause of the failure, or where the error was raised."""
        if self.error is not None:
            return f"The check could not be made: the error is raised {_place(self.error)}."
        return (self.measured and self.measured.diagnosis) or self.promise.meaning


def _place(error: Exception) -> str:
    """Where an error comes from: the last line outside of pgames and installed packages, if there is one."""
    frames = traceback.extract_tb(error.__traceback__)
    ours = Path(__file__).parents[1]
    own = [f for f in frames if ours not in Path(f.filename).parents and "site-packages" not in f.filename]
    last = (own or frames)[-1] if frames else None
    return (
        "by the check" if last is None else f"in {Path(last.filename).name}, line {last.lineno}, {last.name}"
    )


@dataclass(frozen=True)
class Case:
    """One property on one game, ready to run. A call raises ConformanceError when the property fails."""

    subject: str
    promise: Property
    game: str
    measure: Callable[[], Measured | None]

    @property
    def id(self) -> str:
        return f"{self.promise.name}-{self.game}" if self.game else self.promise.name

    def row(self) -> Row:
        """Run the check; any exception counts as a failure of the subject."""
        try:
            return Row(self.promise, self.game, self.measure())
        except Exception as error:
            return Row(self.promise, self.game, error=error)

    def __call__(self) -> None:
        Report(self.subject, (self.row(),)).raise_if_failed()


class ConformanceError(AssertionError):
    """A property does not hold; `report` has every row, failed or not."""

    def __init__(self, message: str, report: Report):
        super().__init__(message)
        self.report = report


@dataclass(frozen=True, repr=False)
class Report:
    """The rows of one check; `print` it for a table."""

    subject: str
    rows: tuple[Row, ...]

    @property
    def failures(self) -> list[Row]:
        return [row for row in self.rows if row.status == "failed"]

    def raise_if_failed(self) -> Report:
        """This report. Raises ConformanceError, which lists every failure and explains each kind once."""
        failures = self.failures
        if not failures:
            return self
        games: dict[tuple[str, str, str], list[str]] = {}
        for row in failures:
            games.setdefault((row.promise.name, row.why(), row.told()), []).append(row.game)
        lines = [f"{self.subject} fails {len(failures)} of {len(self.rows)} checks:"]
        explained = ""
        for (name, why, told), where in games.items():
            if explained and why != explained:
                lines.append(f"      {explained}")
            lines.append(f"  {name}{' on ' if any(where) else ''}{', '.join(where)}: {told}")
            explained = why
        raise ConformanceError("\n".join([*lines, f"      {explained}"]), self) from failures[0].error

    def __repr__(self) -> str:
        counts = Counter(row.status for row in self.rows)
        return f"Report({self.subject}: {', '.join(f'{n} {status}' for status, n in counts.items())})"

    def _repr_html_(self) -> str:
        head, *rows = [[html.escape(cell) for cell in line] for line in self._table()]
        body = "".join(f"<tr>{''.join(f'<td>{cell}</td>' for cell in line)}</tr>" for line in rows)
        heads = "".join(f"<th>{cell}</th>" for cell in head)
        return (
            f"<details><summary>{html.escape(repr(self))}</summary>"
            f"<table><thead><tr>{heads}</tr></thead><tbody>{body}</tbody></table></details>"
        )

    def _table(self) -> list[list[str]]:
        table = [["property", "game", "status", "measured", "allowed"]]
        for row in self.rows:
            m = row.measured
            numbers = [f"{m.got:.2g}", f"{m.allowed:.2g}"] if m else ["", ""]
            table.append([row.promise.name, row.game, row.status, *numbers])
        return table

    def __str__(self) -> str:
        table = self._table()
        widths = [max(map(len, column)) for column in zip(*table, strict=True)]
        lines = ["  ".join(cell.ljust(w) for cell, w in zip(line, widths, strict=True)) for line in table]
        return "\n".join([self.subject, *(line.rstrip() for line in lines)])


def run_cases(subject: str, cases: Iterable[Case]) -> Report:
    """Run all cases and return the report. Raises ConformanceError, which lists every failure."""
    return Report(subject, tuple(case.row() for case in cases)).raise_if_failed()
