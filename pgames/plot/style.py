"""The style of every figure: colours that colour-blind readers can tell apart, and light axes."""

from __future__ import annotations

import io
import os
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pgames.extras import need
from pgames.files import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")  # Okabe and Ito
DASHES = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1.2, 1.2)), (0, (7, 1.5, 1.2, 1.5)))
INK = "#222222"
PALE = "#D9D9D9"

STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "font.size": 9.5,
    "axes.titlesize": 11,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.titlepad": 9,
    "axes.labelsize": 9.5,
    "axes.labelcolor": INK,
    "axes.edgecolor": "#8C8C8C",
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "grid.color": "#E6E6E6",
    "grid.linewidth": 0.7,
    "text.color": INK,
    "xtick.color": "#595959",
    "ytick.color": "#595959",
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",  # text stays text: searchable, and drawn with the reader's fonts
    "svg.hashsalt": "pgames",  # the same figure gives the same bytes
    "pdf.fonttype": 42,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of this project; a context manager and a decorator."""
    with need("matplotlib", "plot").rc_context(STYLE):
        yield


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches, apart from any global state of pyplot."""
    return need("matplotlib.figure", "plot").Figure(figsize=(width, height), layout="constrained")


def short(name: str, longest: int = 30) -> str:
    """A name for a figure: one line of at most `longest` characters, with dollar signs escaped."""
    line = " ".join("".join(c if c.isprintable() else " " for c in name).split())
    if len(line) > longest:
        line = line[: longest - 1].rstrip() + "…"
    return line.replace("$", r"\$")


def save_figure(figure: Figure, path: str | os.PathLike[str], dpi: int = 160) -> Path:
    """Write a figure atomically, in the format of the file's suffix: .png, .svg or .pdf.

    Raises ValueError when the suffix is another one.
    """
    target = Path(path)
    content = figure_bytes(figure, target.suffix[1:].lower(), dpi)
    with atomic(target) as file:
        file.write(content)
    return target


def figure_bytes(figure: Figure, kind: str, dpi: int = 160) -> bytes:
    """The bytes of the figure as a "png", "svg" or "pdf" file; equal figures give equal bytes.

    Raises ValueError when `kind` is another one.
    """
    undated: dict[str, dict[str, str | None]] = {
        "png": {"Software": None},
        "svg": {"Date": None},
        "pdf": {"CreationDate": None},
    }
    if kind not in undated:
        raise ValueError(
            f"a figure is written as .png, .svg or .pdf, got {kind!r}: change the file's ending."
        )
    buffer = io.BytesIO()
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # drawn as a box
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=undated[kind])
    return buffer.getvalue()
