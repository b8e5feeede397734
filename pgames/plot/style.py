"""The style of every figure: colours that colour-blind readers can tell apart, and light axes."""

from __future__ import annotations

import functools
import io
import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any, ParamSpec

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.extras import need
from pgames.files import atomic
from pgames.numerics import number
from pgames.plot.look import COLOURS as COLOURS
from pgames.plot.look import FONT, look

if TYPE_CHECKING:
    from matplotlib.figure import Figure

P = ParamSpec("P")
DASHES = ("-", (0, (5, 1.5)), (0, (3, 1, 1, 1)), (0, (1.2, 1.2)), (0, (7, 1.5, 1.2, 1.5)))
LONGEST = 100  # characters of a line of a title
INK = "#222222"
PALE = "#D9D9D9"

STYLE: dict[Any, Any] = {
    "figure.facecolor": "white",
    "savefig.facecolor": "white",
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
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
    "lines.solid_capstyle": "round",
    "svg.fonttype": "none",  # text stays text: searchable, and drawn with the reader's fonts
    "svg.hashsalt": "pgames",  # the same figure gives the same bytes
    "pdf.fonttype": 42,
}
SIZES: dict[Any, float] = {  # at the default font
    "font.size": FONT,
    "axes.titlesize": 11,
    "axes.titlepad": 9,
    "axes.labelsize": FONT,
    "xtick.labelsize": FONT,
    "ytick.labelsize": FONT,
    "legend.fontsize": 9,
    "lines.linewidth": 1.8,
}


@contextmanager
def style() -> Iterator[None]:
    """Draw in the style of this project and the look in use; a context manager and a decorator."""
    sizes = {name: look().points(size) for name, size in SIZES.items()}
    with need("matplotlib", "plot").rc_context({**STYLE, **sizes}):
        yield


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """A function that draws in this style, unless it is given axes, whose style is the caller's."""

    @functools.wraps(draw)
    def drawn(*args: P.args, **kwargs: P.kwargs) -> Figure:
        need("matplotlib", "plot")
        with style() if kwargs.get("ax") is None else nullcontext():
            return draw(*args, **kwargs)

    return drawn


def new_figure(width: float, height: float) -> Figure:
    """An empty figure of that many inches, or of the width in use and the same shape.

    It is apart from any global state of pyplot.
    """
    need("matplotlib", "plot")
    from pgames.plot.figure import ShownFigure

    chosen = look().width
    if chosen is not None:
        width, height = chosen, height * max(chosen / width, 0.55)
    figure = ShownFigure(figsize=(width, height), layout="constrained")
    figure.encode = figure_bytes
    return figure


def own_axes(ax: Any, width: float, height: float) -> tuple[Figure, Any]:
    """The figure and the axes to draw in: those of `ax`, or new ones of that many inches.

    Raises TypeError when `ax` is not a matplotlib Axes.
    """
    if ax is None:
        figure = new_figure(width, height)
        return figure, figure.add_subplot()
    if not _is_axes(ax):
        raise TypeError(
            f"ax must be the Axes of a matplotlib figure, got {type(ax).__name__}: fig, ax = plt.subplots()."
        )
    return ax.get_figure(root=True), ax


def panels_of(ax: Any, count: int) -> list[Any]:
    """The axes passed as `ax`, as a list of `count`. Raises TypeError for another number of them."""
    panels = [ax] if _is_axes(ax) else list(np.ravel(ax))
    if not all(map(_is_axes, panels)):
        raise TypeError(
            f"ax must be {count} Axes, got {type(ax).__name__}: fig, ax = plt.subplots(1, {count})."
        )
    if len(panels) != count:
        raise TypeError(
            f"ax must be {count} Axes, one for each panel, got {len(panels)}: plt.subplots(1, {count})."
        )
    return panels


def numbers_of(name: str, values: ArrayLike, count: int) -> NDArray[np.int64]:
    """The values as int64[N], the numbers of some of `count` items.

    Raises ValueError, whose message calls them `name`, when they are anything else, or none.
    """
    try:
        found = np.asarray(values)
    except ValueError:  # lists of different lengths
        found = np.zeros(0)
    if found.ndim != 1 or not found.size or found.dtype.kind not in "iu":
        raise ValueError(f"{name} must be a list of numbers of items, 0 to {count - 1}, got {values!r:.60}.")
    if found.min() < 0 or found.max() >= count:
        worst = found[(found < 0) | (found >= count)][0]
        raise ValueError(f"{name} must hold numbers of items, 0 to {count - 1}, got {worst}.")
    return found.astype(np.int64)


def _is_axes(ax: Any) -> bool:
    """Whether it is an Axes with straight axes: neither a polar one nor one of three dimensions."""
    return isinstance(ax, need("matplotlib.axes", "plot").Axes) and ax.name == "rectilinear"


def short(name: str, longest: int = 30) -> str:
    """A name for a figure: one line of at most `longest` characters, printed literally, dollar signs too.

    A name that begins with "_", which matplotlib leaves out of legends, is set off by a blank.
    """
    line = " ".join("".join(c if c.isprintable() else " " for c in str(name)).split())
    if len(line) > longest:
        line = line[: longest - 1].rstrip() + "…"
    return (" " + line if line.startswith("_") else line).replace("$", r"\$")


MATHEMATICS = re.compile(r"(?<![\\$])\$(?=[^\s$])([^$]*[^\s$\\])\$(?![\d$])")


def titled(name: str, longest: int = 44) -> str:
    """A name that is written in code, of a curve, a metric or a bound: `$...$` in it is mathematics.

    Dollar signs around text that begins or ends with a space, as in "$5 to $10", and what matplotlib cannot
    read, are printed literally. Names from data are always literal: see `short`.
    """
    name = str(name)
    if not MATHEMATICS.search(name) or len(name) > 4 * longest:
        return short(name, longest)
    parser = need("matplotlib.mathtext", "plot").MathTextParser("agg")
    parts, end = [], 0
    for found in MATHEMATICS.finditer(name):
        try:
            parser.parse(found[0])
        except ValueError:
            return short(name, longest)
        parts += [name[end : found.start()].replace("$", r"\$"), found[0]]
        end = found.end()
    return "".join([*parts, name[end:].replace("$", r"\$")])


def heading(title: object) -> str:
    """A title in its own lines, each cut at LONGEST; unreadable mathematics is printed literally."""
    return "\n".join(titled(line, LONGEST) for line in str(title or "").splitlines())


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

    Raises ValueError when `kind` is another one or `dpi` is none, and TypeError when `figure` is no figure.
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
    if not hasattr(figure, "savefig"):
        raise TypeError(
            f"a matplotlib Figure is needed, got {type(figure).__name__}: pass what plot() returns."
        )
    if not 1 <= number(dpi) <= 10_000:
        raise ValueError(f"dpi must be a number of dots per inch, 1 to 10000, got {dpi!r:.60}.")
    buffer = io.BytesIO()
    with style(), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")  # drawn as a box
        warnings.filterwarnings("ignore", message="constrained_layout not applied")  # a title wider than it
        figure.savefig(buffer, format=kind, dpi=dpi, metadata=undated[kind])
    return buffer.getvalue()
