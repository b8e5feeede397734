"""Shared by the figures of curves: names, the horizontal axis, bands over runs, bounds with their status."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
from numpy.typing import NDArray

from pgames.numerics import number
from pgames.plot.look import look
from pgames.plot.recorded import Recorded
from pgames.plot.style import INK, titled

if TYPE_CHECKING:
    from pgames.plot.bounded import Bound


By = Literal["rounds", "bits"]
LABELS = {"rounds": "rounds", "bits": "verdicts asked for (bits)"}
NAMED = 44  # characters of a name in a legend
NAMELESS = "(no name)"
BOUND = ("name", "quantity", "status", "side", "tau", "regulariser", "exact")  # what a bound has
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


def named(curves: Recorded | Iterable[Recorded] | Mapping[str, Recorded]) -> dict[str, Recorded]:
    """Curves by name in the legend; names that look alike there are numbered.

    Raises ValueError when there is no curve, and TypeError for anything that is none.
    """
    pairs: list[tuple[str | None, Any]]
    if isinstance(curves, Mapping):
        pairs = [(str(name), curve) for name, curve in curves.items()]
    elif isinstance(curves, Iterable) and not isinstance(curves, str):
        pairs = [(None, curve) for curve in curves]
    else:
        pairs = [(None, curves)]
    found: dict[str, Recorded] = {}
    for given, curve in pairs:
        if not all(hasattr(curve, part) for part in ("solver", "rounds", "recorded")):
            raise TypeError(
                f"a Curve is needed, got {type(curve).__name__}: pass what pgames.run or pgames.simulate "
                "returns, several in a list or by name."
            )
        name = base = titled(curve.solver if given is None else given, NAMED) or NAMELESS
        place = len(found) + 1
        while name in found:
            name, place = f"{base} ({place})", place + 1
        found[name] = curve
    if not found:
        raise ValueError("there is no curve to draw: pass at least one.")
    return found


def drawable(curve: Recorded, metric: str) -> NDArray[np.float64]:
    """The quantity float64[S, R] of that name.

    Raises ValueError when it was not recorded, has further axes, or holds no finite number.
    """
    values = np.asarray(curve.recorded(metric), dtype=np.float64)
    if values.ndim != 2:
        raise ValueError(
            f"{metric!r} has shape {list(values.shape)}, and a curve needs one number per run and round: "
            "draw another quantity."
        )
    if not np.isfinite(values).any():
        raise ValueError(f"{metric!r} of {curve.solver} holds no finite number, so there is nothing to draw.")
    return values


def gaps(values: NDArray[np.float64]) -> str:
    """What to add to the name of a curve whose values float64[S, R] are NaN or infinite in some rounds."""
    R = values.shape[1]
    parts = {"NaN": np.isnan(values), "infinite": np.isinf(values)}
    said = [f"{word} in {int(n)} of {R}" for word, at in parts.items() if (n := at.any(axis=0).sum())]
    return f", {', '.join(said)} rounds" if said else ""


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
    if not isinstance(by, str) or by not in LABELS:
        raise ValueError(f"by must be 'rounds' or 'bits', got {by!r}.")
    bounds = [] if bound is None else list(bound) if isinstance(bound, Sequence) else [bound]
    for one in bounds:
        if not callable(one) or not all(hasattr(one, part) for part in BOUND):
            raise TypeError(
                f"a bound is one of pgames.bounds, such as nash_md(tau=0.1), got {one!r:.60}: put a function "
                "of your own into pgames.bounds.Bound(...)."
            )
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


def check_quantiles(quantiles: tuple[float, float]) -> None:
    """Raises ValueError unless they are two numbers in [0, 1], the smaller first."""
    pair = quantiles if isinstance(quantiles, tuple | list) and len(quantiles) == 2 else (np.nan, np.nan)
    if not 0 <= number(pair[0]) <= number(pair[1]) <= 1:
        raise ValueError(
            f"quantiles must be two numbers in [0, 1], such as (0.1, 0.9), got {quantiles!r:.60}."
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
