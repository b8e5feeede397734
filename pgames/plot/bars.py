"""Ratings side by side: one row per item, one panel per rating, bars with intervals."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike

from pgames.plot.style import COLOURS, INK, new_figure, short, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure


class Bars(NamedTuple):
    """One rating: values float64[Y], the ends of their intervals float64[Y], and where the bars start."""

    values: ArrayLike
    low: ArrayLike | None = None
    high: ArrayLike | None = None
    baseline: float = 0.0


@style()
def ratings(
    bars: Mapping[str, Bars], items: Sequence[str], order: ArrayLike | None = None, *, title: str = ""
) -> Figure:
    """Bars with intervals for every item, one panel per rating, all in the same order of items.

    Raises ValueError when there is no rating, or one does not have one value per item.

    Parameters
    ----------
    bars : name of the rating -> Bars.
    items : Y names.
    order : int64[N], which items to draw, first at the top; by default all of them, by the first rating.
    """
    if not bars:
        raise ValueError("there is no rating to draw: pass at least one.")
    for name, (values, *_) in bars.items():
        if np.shape(values) != (len(items),):
            raise ValueError(
                f"rating {name!r} must have one value for each of {len(items)} items, got {np.shape(values)}."
            )
    first = np.asarray(next(iter(bars.values())).values)
    shown = np.argsort(-first, kind="stable") if order is None else np.asarray(order)
    rows = np.arange(len(shown))
    figure = new_figure(2.2 + 2.5 * len(bars), 1.0 + 0.2 * max(len(shown), 4) + (0.3 if title else 0))
    if title:
        figure.suptitle(title, x=0.01, ha="left", fontsize=11, fontweight="bold")
    panels: Any = figure.subplots(1, len(bars), sharey=True, squeeze=False)[0]
    for i, (axes, (name, (values, low, high, baseline))) in enumerate(zip(panels, bars.items(), strict=True)):
        values = np.asarray(values, dtype=np.float64)[shown]
        axes.barh(
            rows, values - baseline, left=baseline, height=0.66, color=COLOURS[i % len(COLOURS)], alpha=0.55
        )
        if low is not None and high is not None:
            axes.hlines(rows, np.asarray(low)[shown], np.asarray(high)[shown], color=INK, linewidth=1.2)
        axes.axvline(baseline, color="#8C8C8C", linewidth=0.8)
        axes.set_title(name, fontsize=10)
        axes.grid(axis="x")
        axes.tick_params(axis="y", length=0)
        axes.spines["left"].set_visible(False)
        axes.locator_params(axis="x", nbins=5)
    panels[0].set_yticks(rows, [short(items[int(y)]) for y in shown], fontsize=8 if len(shown) > 20 else 9)
    panels[0].set_ylim(len(shown) - 0.4, -0.6)  # the first item at the top
    return figure
