"""Regret against rounds or bits: means with bootstrap bands, medians dashed, bounds with their status."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np

from pgames.plot.style import COLOURS, INK, new_figure, short, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pgames.bounds import Bound
    from pgames.regret.curve import RegretCurve

MARKERS = "osD^vPX"
HEAVY = 2.0  # mean / median above which the plot warns
BOUND_DASHES: dict[str, Any] = {
    "proved": "-",
    "sketch": (0, (1, 2)),
    "observed": (0, (5, 2, 1, 2)),
    "order": (0, (8, 3)),
}


@style()
def compare(
    curves: RegretCurve | Sequence[RegretCurve] | Mapping[str, RegretCurve],
    by: Literal["rounds", "bits"] = "rounds",
    bound: Bound | Sequence[Bound] | None = None,
    *,
    title: str = "",
) -> Figure:
    """Regret curves of several learners on logarithmic axes.

    Solid lines are means over seeds with their 95 % bootstrap band, dashed lines medians. Where a mean is
    more than twice its median the figure says that means are heavy-tailed.

    Parameters
    ----------
    curves : a RegretCurve, a sequence of them, or a mapping of names to them.
    by : "rounds", or "bits", the judgements asked for: learners differ in how many a round costs.
    bound : a Bound of `pgames.bounds`, or several, in rounds; the legend gives the status: proved, sketch,
        observed, or order, which is a slope to compare with and no limit.
    """
    if by not in ("rounds", "bits"):
        raise ValueError(f"by must be 'rounds' or 'bits', got {by!r}.")
    bounds = [] if bound is None else list(bound) if isinstance(bound, Sequence) else [bound]
    if bounds and by == "bits":
        raise ValueError("a bound counts rounds, got by='bits': leave out the bound, or plot by rounds.")
    named = _named(curves)
    if not named:
        raise ValueError("there is no curve to draw: pass at least one.")
    figure = new_figure(7.4, 4.5)
    axes = figure.add_subplot()
    heavy: list[str] = []
    for i, (name, curve) in enumerate(named.items()):
        tail = _draw(axes, name, curve, by, i)
        if tail > HEAVY:
            heavy.append(f"{name} {tail:.3g}")
    label = "rounds T" if by == "rounds" else "judgements asked for (bits)"
    some = any((curve.regret > 0).any() for curve in named.values())  # 0 alone has no logarithm
    axes.set(xscale="log", yscale="log" if some else "linear", xlabel=label, ylabel="regret", title=title)
    ends = [getattr(curve, by)[[0, -1]] for curve in named.values()]
    axes.set_xlim(max(min(first for first, _ in ends), 1), max(2, *(last for _, last in ends)) * 1.05)
    _draw_bounds(axes, bounds, max(int(curve.rounds[-1]) for curve in named.values()))
    axes.plot([], [], color="#8C8C8C", linestyle="--", linewidth=1.2, label="median")
    axes.grid(which="major")
    axes.legend(loc="center left", bbox_to_anchor=(1.01, 0.5))
    if heavy:
        note = "means are heavy-tailed here (mean / median: " + ", ".join(heavy) + ")"
        figure.supxlabel(note, fontsize=8.5, color="#8A2B06", x=0.01, ha="left", wrap=True)
    return figure


def _draw(axes: Any, name: str, curve: RegretCurve, by: str, i: int) -> float:
    """One curve; mean / median at its end."""
    table = curve.summary()
    x = table.rounds if by == "rounds" else table.bits
    colour = COLOURS[i % len(COLOURS)]
    mean, low, median = (np.where(row > 0, row, np.nan) for row in (table.mean, table.low, table.median))
    axes.plot(
        x,
        mean,
        color=colour,
        marker=MARKERS[i % len(MARKERS)],  # tells curves apart without colour
        markersize=4.5,
        markevery=(2 * i % 12, 12),
        label=name,
        zorder=3,
    )
    axes.plot(x, median, color=colour, linestyle="--", linewidth=1.2, zorder=3)
    if curve.seeds > 1:
        axes.fill_between(x, low, table.high, color=colour, alpha=0.18, linewidth=0)
    return table.tail


def _draw_bounds(axes: Any, bounds: Sequence[Bound], last: int) -> None:
    grid = np.unique(np.geomspace(1, max(last, 2), 200).round().astype(np.int64))
    for i, one in enumerate(bounds):
        if one.quantity != "regret":
            raise ValueError(f"the bound {one.name!r} is on {one.quantity}, not on regret: leave it out.")
        dash, shade = BOUND_DASHES[one.status], (INK, "#8C8C8C", "#8C6D46", "#B3B3B3")[i % 4]
        label = f"{short(one.name, 44)} ({one.status}{', lower' if one.side == 'lower' else ''})"
        values = one(grid)
        axes.plot(
            grid,
            np.where(values > 0, values, np.nan),
            color=shade,
            linestyle=dash,
            linewidth=1.3,
            label=label,
            zorder=2,
        )


def _named(curves: RegretCurve | Sequence[RegretCurve] | Mapping[str, RegretCurve]) -> dict[str, RegretCurve]:
    if isinstance(curves, Mapping):
        return {short(name, 44): curve for name, curve in curves.items()}
    named: dict[str, RegretCurve] = {}
    for curve in curves if isinstance(curves, Sequence) else [curves]:
        name = short(curve.learner, 44)
        named[name if name not in named else f"{name} ({len(named) + 1})"] = curve
    return named
