"""Ratings side by side: one row per item, one panel per rating, bars with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pgames.numerics import number, real
from pgames.plot.look import look
from pgames.plot.style import INK, heading, new_figure, numbers_of, panels_of, short, styled, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


class Bars(NamedTuple):
    """One rating: values float64[Y], the ends of their intervals float64[Y], and where the bars start."""

    values: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    baseline: float = 0.0


@styled
def ratings(
    bars: Mapping[str, Bars],
    items: Sequence[str],
    order: ArrayLike | None = None,
    *,
    title: str = "",
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Bars with intervals for every item, one panel per rating, all in the same order of items.

    Raises ValueError when there is no rating, one does not have one finite value per item or one end of an
    interval without the other, or `order` does not hold numbers of items; TypeError when `ax` holds another
    number of axes than there are ratings.

    Parameters
    ----------
    bars : name of the rating -> Bars.
    items : Y names.
    order : int64[N], which items to draw, first at the top; by default all of them, by the first rating.
    ax : axes to draw in, one for each rating; by default those of a new figure.
    """
    if not isinstance(bars, Mapping) or not bars:
        raise ValueError("there is no rating to draw: pass at least one, as {'Elo': Bars(scores)}.")
    bars = {str(name): _checked(str(name), one, items) for name, one in bars.items()}
    first = np.asarray(next(iter(bars.values())).values)
    by_score = np.argsort(-first, kind="stable")
    shown = by_score if order is None else numbers_of("order", order, len(items))
    rows = np.arange(len(shown))
    if ax is None:
        figure = new_figure(2.2 + 2.5 * len(bars), 1.0 + 0.2 * max(len(shown), 4) + (0.3 if title else 0))
        panels: Any = figure.subplots(1, len(bars), sharey=True, squeeze=False)[0]
        if title:
            size = look().points(11)
            figure.suptitle(heading(title), x=0.01, ha="left", fontsize=size, fontweight="bold")
    else:
        panels = panels_of(ax, len(bars))
        figure = panels[0].get_figure(root=True)
    for i, (axes, (name, (values, low, high, baseline))) in enumerate(zip(panels, bars.items(), strict=True)):
        values = np.asarray(values, dtype=np.float64)[shown]
        axes.barh(rows, values - baseline, left=baseline, height=0.66, color=look().colour(i), alpha=0.55)
        if low is not None and high is not None:
            axes.hlines(
                rows, np.asarray(low)[shown], np.asarray(high)[shown], color=INK, linewidth=look().points(1.2)
            )
        axes.axvline(baseline, color="#8C8C8C", linewidth=0.8)
        axes.set_title(titled(name), fontsize=look().points(10))
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=5)
    panels[0].set_yticks(
        rows, [short(items[int(y)]) for y in shown], fontsize=look().points(8 if len(shown) > 20 else 9)
    )
    for axes in panels:
        axes.set_ylim(len(shown) - 0.4, -0.6)  # the first item at the top
    if ax is not None and title:
        panels[0].set_title(f"{heading(title)}: {panels[0].get_title()}")
    return figure


def _checked(name: str, bars: Bars, items: Sequence[str]) -> Bars:
    """The bars as arrays. Raises ValueError when they are not those of the items."""
    if not isinstance(bars, Bars):
        raise ValueError(f"rating {name!r} must be pgames.plot.Bars(values), got {type(bars).__name__}.")
    values, low, high = (
        None if part is None else real(f"rating {name!r}", part)
        for part in (bars.values, bars.low, bars.high)
    )
    if (low is None) != (high is None):
        raise ValueError(f"rating {name!r} has one end of its intervals: pass low and high, or neither.")
    for part in (values, low, high):
        if part is not None and (part.shape != (len(items),) or not part.size):
            raise ValueError(
                f"rating {name!r} must have one value for each of {len(items)} items, got {part.shape}."
            )
    assert values is not None
    if not np.isfinite(values).all():
        worst = int(np.argmin(np.isfinite(values)))
        raise ValueError(
            f"rating {name!r} must be finite, got {values[worst]} for {items[worst]}: leave that item out."
        )
    if not np.isfinite(number(bars.baseline)):
        raise ValueError(f"rating {name!r}: its baseline must be a finite number, got {bars.baseline!r:.60}.")
    return Bars(values, low, high, float(bars.baseline))
