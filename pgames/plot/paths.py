"""Equilibria along tau: one line for each response, and marks where responses enter or leave."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pgames.plot.look import look
from pgames.plot.style import INK, PALE, own_axes, short, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

SIDES = {False: (">", "played above this tau"), True: ("<", "played below this tau")}  # by `enters`


@styled
def tau_path(
    tau: NDArray[np.float64],
    policy: NDArray[np.float64],
    labels: Sequence[str],
    changes: Sequence[tuple[float, str, bool]] = (),
    *,
    ax: Axes | None = None,
) -> Figure:
    """The probabilities of responses along tau, on a log scale; tau = 0 is drawn at the left edge.

    tau float64[T], policy float64[T, Y]. A dotted line in the colour of the response marks the tau of a
    change (tau, label, enters as tau falls), and a triangle points to the side on which the response is
    played. The responses with the largest probability anywhere have the colours of the style in use. The
    others are grey, and their changes have names. Draws on `ax` when one is given, and returns its figure.
    Raises TypeError when `ax` is not an Axes.
    """
    colour_of = look().colours
    count = len(colour_of)  # responses with a colour of their own
    figure, axes = own_axes(ax, 5.2, 3.4)
    order = np.argsort(tau)
    at, p = tau[order], policy[order]
    positive = at[at > 0]
    least = positive.min() if positive.size else 1.0
    shown = np.where(at > 0, at, least / 2)
    ranked = np.argsort(-p.max(axis=0), kind="stable")
    for rank in range(len(ranked))[::-1]:
        y = int(ranked[rank])
        named = rank < count and p[:, y].max() > 0
        axes.plot(
            shown,
            p[:, y],
            marker="o" if len(shown) == 1 else "",
            color=colour_of[rank] if named else PALE,
            linewidth=look().points(1.8 if named else 0.9),
            zorder=4 if named else 2,
            label=short(labels[y]) if named else None,
        )
    moved = [(where or least / 2, label, enters) for where, label, enters in changes]
    _mark(axes, moved, {labels[int(y)]: colour_of[rank] for rank, y in enumerate(ranked[:count])})
    axes.set(xscale="log", xlabel="tau", ylabel="probability at equilibrium", ylim=(-0.02, 1.02))
    if (at == 0).any():
        axes.axvline(least / 2, color=PALE, linewidth=0.8, zorder=1)
        axes.annotate(
            "tau = 0",
            (least / 2, 0),
            (2, 8),
            textcoords="offset points",
            fontsize=look().points(7.5),
            color=INK,
        )
    axes.grid(which="major", axis="y")
    if ax is None and look().legend:
        figure.legend(*_handles(axes), loc="outside right center")
    return figure


def _mark(axes: Axes, changes: Sequence[tuple[float, str, bool]], colours: dict[str, str]) -> None:
    for where, label, enters in sorted(changes):
        colour = colours.get(label, INK)
        axes.axvline(where, color=colour, linewidth=0.9, linestyle=(0, (1, 1.5)), zorder=1)
        axes.plot(where, 0, SIDES[enters][0], color=colour, markersize=6, zorder=6, clip_on=False)
        if label not in colours:
            axes.annotate(
                short(label, 12),
                (where, 0),
                (2, 8),
                textcoords="offset points",
                rotation=90,
                fontsize=look().points(7.5),
            )
    for side in sorted({enters for *_, enters in changes}, reverse=True):
        mark, meaning = SIDES[side]
        axes.plot([], [], mark, color=INK, markersize=5, label=meaning)


def _handles(axes: Axes) -> tuple[list, list[str]]:
    handles, names = axes.get_legend_handles_labels()
    return handles[::-1], names[::-1]
