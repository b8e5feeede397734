"""Regret against rounds or bits: means with bootstrap bands, medians dashed, bounds with their status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pgames.plot.curves import (
    LABELS,
    By,
    along,
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
from pgames.plot.style import heading, own_axes, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

    from pgames.plot.bounded import Bound


MARKERS = "osD^vPX"
HEAVY = 2.0  # mean / median above which the plot warns


@styled
def compare(
    curves: Recorded | Sequence[Recorded] | Mapping[str, Recorded],
    by: By = "rounds",
    bound: Bound | Sequence[Bound] | None = None,
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Figure:
    """Regret of several learners on logarithmic axes.

    Solid lines are means over seeds with their 95 % bootstrap band, dashed lines medians. Where a mean is
    more than twice its median the figure says that means are heavy-tailed. Rounds in which a value is NaN or
    infinite are left out, and the legend says how many. Raises ValueError when there is no curve, one did not
    record regret or holds no finite number, or a bound is on another quantity; TypeError for anything that is
    no curve or no bound.

    Parameters
    ----------
    curves : a Curve of `pgames.simulate`, a sequence of them, or a mapping of names to them.
    by : "rounds", or "bits", the verdicts asked for, of which a round costs some learners more than others.
    bound : a Bound of `pgames.bounds` on regret, or several, in rounds. The legend gives the status: proved,
        sketch, observed, or order, which is a slope to compare with, not a limit.
    ax : axes to draw in, with their own style; by default those of a new figure.
    """
    shown = {name: curve.only("regret") for name, curve in named(curves).items()}
    bounds = checked_bounds(bound, by, "regret", shown.values())
    figure, axes = own_axes(ax, 7.4, 4.5)
    heavy: list[str] = []
    for i, (name, curve) in enumerate(shown.items()):
        tail = _draw(axes, name, curve, by, i)
        if tail > HEAVY:
            heavy.append(f"{name} {tail:.3g}")
    some = any((curve.recorded("regret") > 0).any() for curve in shown.values())  # 0 alone has no logarithm
    axes.set(
        xscale="log",
        yscale="log" if some else "linear",
        xlabel=LABELS[by],
        ylabel="regret",
        title=heading(title),
    )
    ends = [along(curve, by)[[0, -1]] for curve in shown.values()]
    axes.set_xlim(max(min(first for first, _ in ends), 1), max(2, *(last for _, last in ends)) * 1.05)
    draw_bounds(axes, bounds, max(int(curve.rounds[-1]) for curve in shown.values()))
    axes.plot([], [], color="#8C8C8C", linestyle="--", linewidth=1.2, label="median")
    axes.grid(which="major")
    note = f"means are heavy-tailed here (mean / median: {', '.join(heavy)})" if heavy else ""
    if ax is None and look().width is None and look().legend:
        axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    else:
        draw_legend(figure, axes, mine=ax is None, note=note)
    if note and ax is None:
        figure.supxlabel(note, fontsize=look().points(8.5), color="#8A2B06", x=0.01, ha="left", wrap=True)
    elif note and not look().legend:
        axes.text(0, 1, note, transform=axes.transAxes, va="top", fontsize="small", color="#8A2B06")
    return figure


def _draw(axes: Any, name: str, curve: Recorded, by: By, i: int) -> float:
    """Draw one curve; return mean / median at its end."""
    values = drawable(curve, "regret")
    with np.errstate(invalid="ignore"):  # infinite values, whose rounds are left out
        table, x = curve.summary(), along(curve, by)
    colour = look().colour(i)
    kept = np.isfinite(values).all(axis=0)
    mean, low, median = (
        np.where(kept & (row > 0), row, np.nan) for row in (table.mean, table.low, table.median)
    )
    axes.plot(
        x,
        mean,
        color=colour,
        marker=MARKERS[i % len(MARKERS)],  # tells curves apart without colour
        markersize=4.5,
        markevery=(2 * i % 12, 12) if len(x) > 12 else None,
        label=name + gaps(values),
        zorder=3,
    )
    axes.plot(x, median, color=colour, linestyle="--", linewidth=1.2, zorder=3)
    if curve.seeds > 1:
        draw_band(axes, x, low, table.high, colour)
    return table.tail
