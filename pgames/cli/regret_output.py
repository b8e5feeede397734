"""The regret of learners as a printed table, a CSV of curves and a JSON of last values."""

from __future__ import annotations

import csv
import json
import math
import sys
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import pgames as pg
from pgames.files import atomic
from pgames.plot.regret import HEAVY


class Row(NamedTuple):
    """A learner as named on the command line, its curve, its refresh and its CPU seconds."""

    name: str
    curve: pg.Curve
    refresh: float | None
    cpu_seconds: float


def _facts(row: Row) -> dict[str, Any]:
    """The last row of a curve and its late slope, for JSON and the table; None where there is none."""
    last = row.curve.at(row.curve.rounds[-1])
    assert last.bits is not None  # simulate counts verdicts
    facts: dict[str, Any] = {name: float(value[0]) for name, value in last._asdict().items()}
    facts |= {
        "rounds": int(last.rounds[0]),
        "bits": int(last.bits[0]),
        "gap": float(row.curve.gap[:, -1].mean()),
    }
    try:
        slope = row.curve.late_slope()
        facts |= {"slope": slope.slope, "slope_low": slope.low, "slope_high": slope.high}
    except ValueError:  # too few rounds, or no regret at all
        facts |= {"slope": math.nan, "slope_low": math.nan, "slope_high": math.nan}
    return {name: value if math.isfinite(value) else None for name, value in facts.items()}


def write_json(path: Path, rows: list[Row], configuration: dict[str, Any]) -> None:
    """The last values of every learner, with the configuration of the command."""
    learners = [
        {
            "name": row.name,
            "learner": row.curve.solver,
            "refresh": row.refresh,
            "cpu_seconds": round(row.cpu_seconds, 3),
            "stopped": row.curve.stopped,
            **_facts(row),
        }
        for row in rows
    ]
    with atomic(path, "w") as file:
        content = {"pgames": pg.__version__, **configuration, "learners": learners}
        json.dump(content, file, indent=2, allow_nan=False)


def write_csv(path: Path, rows: list[Row]) -> None:
    """One line for each recorded round of every learner."""
    with atomic(path, "w") as file:
        writer = csv.writer(file, lineterminator="\n")
        for i, row in enumerate(rows):
            table = row.curve.summary()
            if i == 0:
                writer.writerow(["learner", *table._fields])
            writer.writerows(
                [row.name, *line] for line in zip(*(c.tolist() for c in table if c is not None), strict=True)
            )


def print_table(title: str, rows: list[Row]) -> None:
    """One line for each learner, and a warning where a mean rests on few seeds."""
    table = Table(title=escape(title), title_justify="left")
    for heading in ("learner", "rounds", "Reg mean", "95 %", "median", "late slope", "gap", "bits", "CPU s"):
        table.add_column(heading, justify="left" if heading == "learner" else "right")
    heavy = []
    for row in rows:
        f = _facts(row)
        table.add_row(
            escape(row.name),
            f"{f['rounds']}",
            f"{f['mean']:.4g}",
            _range(f["low"], f["high"]),
            f"{f['median']:.4g}",
            "-" if f["slope"] is None else f"{f['slope']:.2f} {_range(f['slope_low'], f['slope_high'])}",
            f"{f['gap']:.2g}",
            f"{f['bits']}",
            f"{row.cpu_seconds:.2f}",
        )
        if (tail := row.curve.at(row.curve.rounds[-1]).tail) > HEAVY:
            heavy.append(f"{row.name} (mean / median {tail:.3g})")
    # in a file or a pipe, wide enough not to wrap
    console = Console(width=None if sys.stdout.isatty() else 160)
    console.print(table)
    if heavy:
        console.print(f"means are heavy-tailed here: {', '.join(heavy)}", highlight=False, markup=False)


def _range(low: float | None, high: float | None) -> str:
    return "" if low is None or high is None else f"({low:.3g} to {high:.3g})"
