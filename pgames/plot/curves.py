"""Convergence: a gap against rounds, on logarithmic axes."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from pgames.plot.style import COLOURS, DASHES, INK, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pgames.bounds import Bound
    from pgames.loop import Run

FLOOR = 1e-17  # a gap of exactly 0 has no logarithm: it is drawn here
ROUNDING = 2.2e-16


@style()
def convergence(
    runs: Run | Sequence[Run] | Mapping[str, Run],
    metric: str | None = None,
    bound: Bound | Sequence[Bound] | None = None,
    *,
    quantiles: tuple[float, float] = (0.1, 0.9),
    title: str = "",
) -> Figure:
    """The median of a metric over runs against rounds, with the band between two quantiles.

    Parameters
    ----------
    runs : a Run, a sequence of them, or a mapping of names to them.
    metric : which of their recorded values to draw; the first by default.
    bound : a Bound of `pgames.bounds`, or several, drawn dashed with its status (proved, sketch, observed).
    """
    named = _named(runs)
    if not named:
        raise ValueError("there is no run to draw: pass at least one.")
    metric = metric or next(iter(next(iter(named.values())).values))
    figure = new_figure(7.2, 4.6)
    axes = figure.add_subplot()
    lowest, last = np.inf, 1
    for i, (name, run) in enumerate(named.items()):
        if metric not in run.values:
            recorded = ", ".join(map(repr, run.values))
            raise ValueError(
                f"run {name!r} did not record {metric!r}, only {recorded}: add it to record=[...]."
            )
        drawn = np.asarray(run.rounds) >= 1
        rounds, values = np.asarray(run.rounds)[drawn], np.maximum(run.values[metric][drawn], FLOOR)
        low, middle, high = np.quantile(values, (quantiles[0], 0.5, quantiles[1]), axis=1)
        colour = COLOURS[i % len(COLOURS)]
        # a dash pattern that differs from its neighbours' tells curves apart without colour
        axes.plot(rounds, middle, color=colour, linestyle=DASHES[i % len(DASHES)], label=name, zorder=3)
        if values.shape[1] > 1:
            axes.fill_between(rounds, low, high, color=colour, alpha=0.18, linewidth=0)
        lowest, last = min(lowest, low.min()), max(last, rounds[-1])
    axes.set(xscale="log", yscale="log", xlabel="rounds", ylabel=metric, title=title)
    axes.set_xlim(1, max(last, 2))
    _draw_bounds(axes, bound, last)
    if lowest < ROUNDING:
        axes.axhspan(FLOOR / 2, ROUNDING, color="#F2F2F2", zorder=0, linewidth=0)
        where = axes.get_yaxis_transform()  # x in fractions of the axes, y in data
        axes.text(0.01, 3e-17, "rounding error of float64", transform=where, color="#737373", fontsize=8)
        axes.set_ylim(bottom=FLOOR / 2)
    axes.grid(which="major")
    longest = max(len(str(line.get_label())) for line in axes.get_lines())
    figure.legend(loc="outside lower center", ncols=5 if longest < 18 else 2)
    return figure


def _named(runs: Run | Sequence[Run] | Mapping[str, Run]) -> Mapping[str, Run]:
    if isinstance(runs, Mapping):
        return runs
    named: dict[str, Run] = {}
    for run in runs if isinstance(runs, Sequence) else [runs]:
        name = str(run.solver)
        named[name if name not in named else f"{name} ({len(named) + 1})"] = run
    return named


def _draw_bounds(axes: Any, bound: Bound | Sequence[Bound] | None, last: int) -> None:
    if bound is None:
        return
    grid = np.unique(np.geomspace(1, max(last, 2), 200).round().astype(np.int64))
    low, high = axes.get_ylim()
    for i, one in enumerate(bound if isinstance(bound, Sequence) else [bound]):
        values = one(grid)
        label = f"bound: {one.name} ({one.status})"
        axes.plot(
            grid, values, color=INK, linestyle=(0, (2 + 3 * i, 2)), linewidth=1.2, label=label, zorder=2
        )
        high = max(high, values[np.isfinite(values)].max(initial=0) * 1.5)
    axes.set_ylim(low, high)
