"""Shared by the figure scripts: the command line, the table of numbers, the files and thumbnails."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pgames.files import atomic
from pgames.plot import save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path("results") / "figures"
THUMBNAILS = Path(__file__).parent / "thumbnails"
WIDEST, SMALLER = 1080, 0.68  # pixels of a thumbnail, and their share of the figure's


class Check(NamedTuple):
    """A number of the figure, the expected number and its source."""

    what: str
    measured: float
    expected: float | None
    source: str = ""


Size = Literal["toy", "quick", "full"]  # seconds, as a smoke test; CI; the setting of the paper
Draw = Callable[[Size], "tuple[Figure, Sequence[Check]]"]


def main(name: str, draw: Draw, arguments: Sequence[str] | None = None) -> Path:
    """Draw one figure, write it as PNG and PDF, and print its numbers beside the expected ones."""
    parser = argparse.ArgumentParser(prog=f"python -m paper_figures.{name}")
    sizes = parser.add_mutually_exclusive_group()
    sizes.add_argument("--full", action="store_true", help="the setting of the paper (minutes), not of CI")
    sizes.add_argument("--toy", action="store_true", help="a few rounds and seeds: the numbers mean nothing")
    parser.add_argument("--thumbnail", action="store_true", help="also replace the picture of the gallery")
    parser.add_argument("--out", type=Path, default=FOLDER, help=f"folder to write to ({FOLDER})")
    options = parser.parse_args(arguments)
    start = time.process_time()
    figure, checks = draw("full" if options.full else "toy" if options.toy else "quick")
    target = save_figure(figure, options.out / f"{name}.png")
    save_figure(figure, options.out / f"{name}.pdf")
    show(name, checks, time.process_time() - start)
    print(f"written: {target}")
    if options.thumbnail:
        print(f"written: {save_thumbnail(target, THUMBNAILS / target.name)}")
    return target


def save_thumbnail(picture: Path, path: Path) -> Path:
    """Write a small copy of a PNG, of at most 256 colours and WIDEST pixels a line."""
    from PIL import Image

    with Image.open(picture) as image:
        scale = min(SMALLER, WIDEST / image.width)
        size = round(scale * image.width), round(scale * image.height)
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    # maximum coverage keeps the colours of thin lines, which a median cut mixes with others
    few = small.quantize(256, Image.Quantize.MAXCOVERAGE, dither=Image.Dither.NONE)
    with atomic(path) as file:
        few.save(file, "PNG", optimize=True)
    return path


def show(name: str, checks: Sequence[Check], seconds: float) -> None:
    """Print the numbers of a figure as one table."""
    from rich.console import Console
    from rich.table import Table

    table = Table("number", "measured", "expected", "source", title=f"{name} ({seconds:.1f} CPU s)")
    for check in checks:
        expected = "" if check.expected is None else f"{check.expected:.4g}"
        table.add_row(check.what, f"{check.measured:.4g}", expected, check.source)
    Console().print(table)
