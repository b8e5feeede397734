"""How figures look: their width, font, colours, legend and bands, chosen once for the figures that follow."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from pgames.extras import need
from pgames.numerics import check_bool, number

COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#4D4D4D")  # Okabe and Ito
COLUMN, TEXT = 3.3, 6.75  # inches: one column, and both, of a page with two
Width = Literal["column", "text"] | float
FONT = 9.5  # points


@dataclass(frozen=True)
class Look:
    """The width of figures in inches, or None for a size by content; the font; colours, legend and bands."""

    width: float | None = None
    font: float = FONT
    colours: tuple[str, ...] = COLOURS
    legend: bool = True
    bands: bool = True

    def colour(self, i: int) -> str:
        """The colour of the i-th curve."""
        return self.colours[i % len(self.colours)]

    def points(self, size: float) -> float:
        """The size in points of text that has `size` at the default font."""
        return size * self.font / FONT


_LOOKS = [Look()]


def look() -> Look:
    """The look that is in use."""
    return _LOOKS[-1]


class Use:
    """The look that was chosen; as a context manager, until the end of its block."""

    def __init__(self, before: Look) -> None:
        self._before = before

    def __enter__(self) -> None:
        """The look has been in use since `use_style`."""

    def __exit__(self, *error: object) -> None:
        _LOOKS[-1] = self._before


def use_style(
    width: Width | None = None,
    *,
    font: float | None = None,
    colours: Sequence[str] | None = None,
    legend: bool = True,
    bands: bool = True,
) -> Use:
    """Choose how the figures that follow look; `with use_style(...):` chooses it for a block.

    use_style(width="column") makes figures of 3.3 inches with text of 7 points; use_style() is the default.
    Figures drawn into axes of your own (`ax=`) keep your sizes and fonts.

    Raises ValueError when a width, a font or a colour is none.

    Parameters
    ----------
    width : "column" (3.3 inches), "text" (6.75), or a number of inches; None for a size by content.
    font : in points; by default 7 for figures below 4.5 inches, 8 below 7, else 9.5.
    colours : of the curves, in their order, as matplotlib writes them.
    legend : whether figures have one. bands : whether quantiles and intervals are shaded.
    """
    inches = _inches(width)
    if font is None:
        font = FONT if inches is None or inches >= 7 else 7.0 if inches < 4.5 else 8.0
    elif isinstance(font, bool) or not 1 <= number(font) <= 100:
        raise ValueError(f"font must be a size of 1 to 100 points, got {font!r:.60}.")
    if not isinstance(colours, Sequence | None):
        raise ValueError(f"colours must be a list of colours of matplotlib, got {colours!r:.60}.")
    chosen = COLOURS if colours is None else tuple([colours] if isinstance(colours, str) else colours)
    if not chosen:
        raise ValueError("colours must be a list of at least one colour, got none.")
    check_bool("legend", legend)
    check_bool("bands", bands)
    if colours is not None:
        is_colour = need("matplotlib.colors", "plot").is_color_like
        if odd := [one for one in chosen if not is_colour(one)]:
            raise ValueError(
                f"colours must be colours of matplotlib, such as 'black' or '#0072B2', got {odd[0]!r}."
            )
    before = _LOOKS[-1]
    _LOOKS[-1] = Look(inches, float(font), chosen, legend, bands)
    return Use(before)


def _inches(width: Width | None) -> float | None:
    named = {"column": COLUMN, "text": TEXT}
    if width is None:
        return None
    if isinstance(width, str):
        if width not in named:
            raise ValueError(f"width must be 'column', 'text' or a number of inches, got {width!r}.")
        return named[width]
    if isinstance(width, bool) or not 1 <= number(width) <= 50:
        raise ValueError(f"width must be 1 to 50 inches, got {width!r:.60}.")
    return float(width)
