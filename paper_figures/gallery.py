"""What every figure script shares: its command line, its table of numbers, where its picture goes."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from pgames.plot import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path("results") / "figures"


class Check(NamedTuple):
    """A number read off the figure, beside the one expected and its source."""

    what: str
    measured: float
    expected: float | None
    source: str = ""


Draw = Callable[[bool], "tuple[Figure, Sequence[Check]]"]


def main(name: str, draw: Draw, arguments: Sequence[str] | None = None) -> Path:
    """Draw one figure, write it as PNG and PDF, and print its numbers beside the expected ones."""
    parser = argparse.ArgumentParser(prog=f"python -m paper_figures.{name}")
    parser.add_argument("--full", action="store_true", help="the setting of the paper (minutes), not of CI")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder to write to ({FOLDER})")
    options = parser.parse_args(arguments)
    start = time.process_time()
    figure, checks = draw(options.full)
    target = save_figure(figure, options.out / f"{name}.png")
    save_figure(figure, options.out / f"{name}.pdf")
    show(name, checks, time.process_time() - start)
    print(f"written: {target}")
    return target


def show(name: str, checks: Sequence[Check], seconds: float) -> None:
    """Print the numbers of a figure as one table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("number", "measured", "expected", "source", title=f"{name} ({seconds:.1f} CPU s)")
    for check in checks:
        expected = "" if check.expected is None else f"{check.expected:.4g}"
        table.add_row(check.what, f"{check.measured:.4g}", expected, check.source)
    Console().print(table)
