"""Convergence: a metric against rounds, as a median with a band of quantiles over runs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pgames.plot.curves import (
    LABELS,
    By,
    along,
    check_quantiles,
    checked_bounds,
    draw_band,
    draw_bounds,
    draw_legend,
    drawable,
    gaps,
    named,
)
from pgames.plot.look import look
from pgames.plot.recorded import Recorded
from pgames.plot.style import DASHES, heading, own_axes, styled, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pgames.plot.bounded import Bound


FLOOR = 1e-17  # a gap of 0, which has no logarithm, is drawn here
ROUNDING = 2.2e-16


@styled
def convergence(
    curves: Recorded | Sequence[Recorded] | Mapping[str, Recorded],
    metric: str | None = None,
    bound: Bound | Sequence[Bound] | None = None,
    *,
    by: By = "rounds",
    quantiles: tuple[float, float] = (0.1, 0.9),
    title: str = "",
    ax: Axes | None = None,
) -> Figure:
    """The median of a metric over runs, with the band between two quantiles, on logarithmic axes.

    Rounds in which a value is NaN or infinite are left out, and the legend says how many. Raises ValueError
    when there is no curve, one did not record the metric or holds no finite number, a bound is on another
    quantity, or the quantiles are none; TypeError for anything that is no curve or no bound.

    Parameters
    ----------
    curves : a Curve, a sequence of them, or a mapping of names to them.
    metric : the quantity to draw; the first by default.
    bound : a Bound of `pgames.bounds`, or several, drawn with its status (proved, sketch, observed, order).
        It must be on the metric: "kl" on `KLToNash`, "exploitability" on `Exploitability`.
    by : "rounds", or "bits", the verdicts asked for.
    quantiles : ends of the band, in [0, 1].
    ax : axes to draw in, with their own style; by default those of a new figure.
    """
    shown = named(curves)
    metric = metric or next(iter(next(iter(shown.values())).values), "")
    check_quantiles(quantiles)
    bounds = checked_bounds(bound, by, metric, shown.values())
    figure, axes = own_axes(ax, 7.2, 4.6)
    lowest, last = np.inf, 1
    for i, (name, curve) in enumerate(shown.items()):
        x, values = along(curve, by), drawable(curve, metric)
        x, values = x[x >= 1], values[:, x >= 1]  # round 0 has no logarithm
        if not x.size:
            raise ValueError(
                f"{name} holds round 0 alone, which has no place on a logarithmic axis: run it for a round "
                "or more."
            )
        missing = gaps(values)
        values = np.where(np.isfinite(values).all(axis=0), np.maximum(values, FLOOR), np.nan)
        low, middle, high = np.quantile(values, (quantiles[0], 0.5, quantiles[1]), axis=0)
        name += missing
        colour = look().colour(i)
        # neighbouring curves also differ in their dashes, for readers who do not see the colours
        axes.plot(x, middle, color=colour, linestyle=DASHES[i % len(DASHES)], label=name, zorder=3)
        if x.size == 1:
            axes.plot(x, middle, "o", color=colour, zorder=3)
        if curve.seeds > 1:
            draw_band(axes, x, low, high, colour)
        lowest = min(lowest, float(low[np.isfinite(low)].min(initial=np.inf)))
        last = max(last, int(x[-1]))
    axes.set(xscale="log", yscale="log", xlabel=LABELS[by], ylabel=titled(metric, 99), title=heading(title))
    axes.set_xlim(1, max(last, 2))
    if bounds:
        low, high = axes.get_ylim()
        axes.set_ylim(low, max(high, 1.5 * draw_bounds(axes, bounds, last)))
    if lowest < ROUNDING:
        _shade_rounding(axes)
    axes.grid(which="major")
    draw_legend(figure, axes, mine=ax is None)
    return figure


def _shade_rounding(axes: Any) -> None:
    axes.axhspan(FLOOR / 2, ROUNDING, color="#F2F2F2", zorder=0, linewidth=0)
    where = axes.get_yaxis_transform()  # x in fractions of the axes, y in data
    axes.text(
        0.01, 3e-17, "rounding error of float64", transform=where, color="#737373", fontsize=look().points(8)
    )
    axes.set_ylim(bottom=FLOOR / 2)
