"""Shared by the figures of curves: names, the horizontal axis, bands over runs, bounds with their status."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pgames.plot.look import look
from pgames.plot.recorded import Recorded
from pgames.plot.style import INK, titled

if TYPE_CHECKING:
    from pgames.plot.bounded import Bound


By = Literal["rounds", "bits"]
LABELS = {"rounds": "rounds", "bits": "verdicts asked for (bits)"}
NAMED = 44  # characters of a name in a legend
# the start of the names of the metrics over which a bound on a quantity may be drawn
BOUNDED = {"kl": "KL to the Nash", "exploitability": "exploitability", "log_ratio": "log-ratio"}
TAU = re.compile(r"\(tau (?:= )?([^)]+)\)")  # in the name of a metric: a number, or "per run"
BOUND_DASHES: dict[str, Any] = {
    "proved": "-",
    "sketch": (0, (1, 2)),
    "observed": (0, (5, 2, 1, 2)),
    "order": (0, (8, 3)),
}
BOUND_SHADES = (INK, "#8C8C8C", "#8C6D46", "#B3B3B3")


def named(curves: Recorded | Sequence[Recorded] | Mapping[str, Recorded]) -> dict[str, Recorded]:
    """Curves by name in the legend; repeated solvers are numbered. Raises ValueError when there is none."""
    found: dict[str, Recorded] = {}
    if isinstance(curves, Mapping):
        found = {titled(name, NAMED): curve for name, curve in curves.items()}
    else:
        for curve in curves if isinstance(curves, Sequence) else [curves]:
            name = titled(curve.solver, NAMED)
            found[name if name not in found else f"{name} ({len(found) + 1})"] = curve
    if not found:
        raise ValueError("there is no curve to draw: pass at least one.")
    return found


def along(curve: Recorded, by: By) -> NDArray[np.int64]:
    """The horizontal axis int64[R]. Raises ValueError when the curve counts no verdicts."""
    if by == "rounds":
        return np.asarray(curve.rounds)
    if curve.bits is None:
        raise ValueError(f"{curve.solver} counts no verdicts, got by='bits': plot by rounds.")
    return np.asarray(curve.bits)


def checked_bounds(
    bound: Bound | Sequence[Bound] | None, by: By, metric: str, curves: Collection[Recorded]
) -> list[Bound]:
    """The bounds as a list.

    The tau of the metric is in its name, "exploitability (tau = 0.1)", or that of the curves.

    Raises ValueError when `by` is unknown, or a bound is on another quantity or tau than the metric, or on
    another game than a curve.
    """
    if by not in LABELS:
        raise ValueError(f"by must be 'rounds' or 'bits', got {by!r}.")
    bounds = [] if bound is None else list(bound) if isinstance(bound, Sequence) else [bound]
    if bounds and by == "bits":
        raise ValueError("a bound counts rounds, got by='bits': leave out the bound, or plot by rounds.")
    for one in bounds:
        drawable = BOUNDED.get(one.quantity, one.quantity)
        if not metric.startswith(drawable):
            raise ValueError(
                f"the bound {one.name!r} is on {one.quantity}, not on {metric}: draw it over a metric named "
                f"{drawable!r}, or leave it out."
            )
        named = TAU.search(metric)
        drawn = {named[1]} if named else {f"{curve.tau:g}" for curve in curves if curve.tau is not None}
        if one.tau is not None and drawn and f"{one.tau:g}" not in drawn:
            there = "tau per run" if "per run" in drawn else f"tau = {', '.join(sorted(drawn))}"
            raise ValueError(
                f"the bound {one.name!r} is on {one.quantity} at tau = {one.tau:g}, and drawn is {there}: "
                f"draw it over {one.quantity} at its own tau, or leave it out."
            )
        for curve in curves:
            _check_setting(one, curve)
    return bounds


def _check_setting(bound: Bound, curve: Recorded) -> None:
    """Raises ValueError when the bound assumes another game or feedback than that of the curve."""
    setting = curve.setting
    if setting is None:
        return
    who = titled(curve.solver, NAMED)
    if bound.regulariser not in (None, setting.regulariser):
        raise ValueError(
            f"the bound {bound.name!r} is on games regularised by {bound.regulariser}, and {who} played one "
            f"regularised by {setting.regulariser}: run it with {bound.regulariser}, or leave the bound out."
        )
    if bound.exact and setting.samples is not None:
        raise ValueError(
            f"the bound {bound.name!r} is for exact win rates, and those that {who} saw are means of "
            f"{setting.samples} duels: run it with samples=None, or leave the bound out."
        )
    if bound.exact and setting.anchored:
        raise ValueError(
            f"the bound {bound.name!r} is on games regularised to their own reference, and {who} was "
            "anchored to another policy: run it on game.with_reference(policy), or leave the bound out."
        )


def draw_band(axes: Any, x: NDArray[Any], low: NDArray[Any], high: NDArray[Any], colour: str) -> None:
    """Shade between low and high float64[R] at x [R], where bands are wanted."""
    if not look().bands:
        return
    axes.fill_between(x, low, high, color=colour, alpha=0.18, linewidth=0)


def draw_bounds(axes: Any, bounds: Sequence[Bound], last: int) -> float:
    """Draw bounds on rounds 1 to `last`, the dash and the legend by status; return their largest value."""
    grid = np.unique(np.geomspace(1, max(last, 2), 200).round().astype(np.int64))
    highest = 0.0
    for i, one in enumerate(bounds):
        values = one(grid)
        label = f"{titled(one.name, NAMED)} ({one.status}{', lower' if one.side == 'lower' else ''})"
        axes.plot(
            grid,
            np.where(values > 0, values, np.nan),  # 0 has no logarithm
            color=BOUND_SHADES[i % len(BOUND_SHADES)],
            linestyle=BOUND_DASHES[one.status],
            linewidth=1.3,
            label=label,
            zorder=2,
        )
        highest = max(highest, float(values[np.isfinite(values)].max(initial=0)))
    return highest


def draw_legend(figure: Any, axes: Any, mine: bool, note: str = "") -> None:
    """A legend below a figure of one's own, which grows by its lines; inside axes that were passed."""
    if not look().legend:
        return
    if not mine:
        axes.legend(loc="best", title=note or None, title_fontsize="small")
        return
    lines = [line for line in axes.get_lines() if not str(line.get_label()).startswith("_")]
    longest = max((len(str(line.get_label())) for line in lines), default=1)
    letter = look().points(9) / 72 / 2  # inches
    width, height = figure.get_size_inches()
    columns = int(np.clip(width / (letter * (longest + 6)), 1, 5))
    if look().width is not None:
        figure.set_size_inches(width, height + 3.4 * letter * -(-len(lines) // columns))
    figure.legend(loc="outside lower center", ncols=columns)
