"""Shared by the figure scripts: the command line, the table of numbers, the files and thumbnails."""

from __future__ import annotations

import argparse
import io
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from pgames.files import atomic
from pgames.plot import save_figure
from pgames.plot.style import figure_bytes

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FOLDER = Path("results") / "figures"
THUMBNAILS = Path(__file__).parent / "thumbnails"
WIDEST, PER_INCH, TONES = 1080, 109, 64  # pixels and colours of a thumbnail


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
        print(f"written: {save_thumbnail(figure, THUMBNAILS / target.name)}")
    return target


def save_thumbnail(figure: Figure, path: Path) -> Path:
    """Write the figure as a PNG of few colours and at most WIDEST pixels a line."""
    from PIL import Image

    wide, high = figure.get_size_inches()
    scale = min(PER_INCH, WIDEST / wide)
    size = round(scale * wide), round(scale * high)
    with Image.open(io.BytesIO(figure_bytes(figure, "png", 320))) as image:
        small = image.convert("RGB").resize(size, Image.Resampling.LANCZOS)
    with atomic(path) as file:
        small.quantize(TONES, dither=Image.Dither.NONE).save(file, "PNG", optimize=True)
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
