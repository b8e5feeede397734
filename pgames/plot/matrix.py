"""Coloured matrices: win rates with marked cycles, and the mixtures of several prompts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike

from pgames.games.preference import PreferenceGame, as_game
from pgames.numerics import check_distribution, real
from pgames.plot.look import look
from pgames.plot.style import heading, numbers_of, own_axes, short, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKS = (
    "#000000",
    "#009E73",
    "#CC79A7",
    "#E69F00",
)  # of cycles; these colours differ from those of the cells
NUMBERED = 12  # the most responses with which every cell shows its number
LIKELIEST = 20  # items that are drawn where none is played often


@styled
def heatmap(
    game: PreferenceGame | ArrayLike,
    order: ArrayLike | None = None,
    cycles: Sequence[Sequence[int]] = (),
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Figure:
    """The probability that the response of a row beats that of a column, averaged over prompts.

    Raises ValueError when `order` or `cycles` do not hold numbers of responses.

    Parameters
    ----------
    game : a PreferenceGame, or its table P float64[Y, Y] or float64[X, Y, Y].
    order : int64[N], which responses to draw, first at the top left; by default all of them by mean win rate,
        so that in a game without cycles everything above the diagonal is a win.
    cycles : index tuples (a, b, c, ...) where each beats the next and the last beats a; their cells are
        framed.
    ax : axes to draw in, with their own style; by default those of a new figure.
    """
    game = as_game(game)
    P = np.tensordot(game.prompt_weights, game.P, axes=1)
    ranked = np.argsort(-P.mean(axis=1), kind="stable")
    shown = ranked if order is None else numbers_of("order", order, game.responses)
    if not isinstance(cycles, Sequence | np.ndarray):
        raise ValueError(f"cycles must be a list of cycles, each a list of numbers, got {cycles!r:.60}.")
    cycles = [numbers_of("a cycle", cycle, game.responses).tolist() for cycle in cycles]
    count = len(shown)
    size = np.clip(0.15 * count + 1.5, 3.2, 9.2)
    figure, axes = own_axes(ax, size + 2.6, size + 1.4 + 0.2 * len(cycles))
    image = axes.imshow(P[np.ix_(shown, shown)], cmap="RdBu", vmin=0, vmax=1, interpolation="nearest")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, aspect=25, pad=0.02)
    narrow = ax is not None or figure.get_size_inches()[0] < 4.5
    bar.set_label("P(row beats column)" if narrow else "probability that the row beats the column")
    bar.outline.set_visible(False)
    names = [short(game.labels[int(y)], 24) for y in shown]
    _name_axes(axes, names, names)
    axes.set_title(heading(title), pad=10)
    if count <= NUMBERED:
        size = look().points(8)
        for row, y in enumerate(shown):
            for column, z in enumerate(shown):
                colour = "white" if abs(P[y, z] - 0.5) > 0.3 else "#222222"
                axes.text(
                    column,
                    row,
                    f"{P[y, z]:.2f}",
                    ha="center",
                    va="center",
                    color=colour,
                    fontsize=look().points(8),
                )
    _frame_cycles(axes, cycles, shown, game.labels, mine=ax is None)
    return figure


@styled
def prompts(
    policies: ArrayLike,
    items: Sequence[str],
    names: Sequence[str],
    *,
    title: str = "",
    ax: Axes | None = None,
) -> Figure:
    """The probability of each item (rows) on each prompt (columns) in policies float64[X, Y].

    Items with at most 0.5 % on every prompt are left out, or all but the 20 likeliest where none has more.
    `ax` are axes to draw in, those of a new figure by default. Raises ValueError when the shape does not fit
    the names of the prompts and items, or a prompt has no distribution.
    """
    pi = real("policies", policies)
    if pi.shape != (len(names), len(items)) or not pi.size:
        raise ValueError(f"policies must have shape [{len(names)}, {len(items)}], got {list(pi.shape)}.")
    check_distribution("policies", pi)
    played = np.flatnonzero(pi.max(axis=0) > 0.005)
    if not len(played):
        played = np.argsort(-pi.mean(axis=0), kind="stable")[:LIKELIEST]
    order = played[np.argsort(-pi[:, played].mean(axis=0), kind="stable")]
    figure, axes = own_axes(ax, 3.4 + 0.36 * len(names), 1.6 + 0.21 * len(order))
    image = axes.imshow(pi[:, order].T, cmap="Blues", vmin=0, aspect="auto", interpolation="nearest")
    bar = figure.colorbar(image, ax=axes, shrink=0.8, aspect=25, pad=0.02)
    bar.set_label("probability")
    bar.outline.set_visible(False)
    _name_axes(axes, [short(items[int(y)]) for y in order], [short(name, 18) for name in names])
    axes.set_title(heading(title), pad=10)
    return figure


def _name_axes(axes: Any, rows: list[str], columns: list[str]) -> None:
    size = look().points(7 if max(len(rows), len(columns)) > 30 else 8.5)
    axes.set_yticks(range(len(rows)), rows, fontsize=size)
    upright = max(map(len, columns), default=0) > 4
    axes.set_xticks(
        range(len(columns)), columns, fontsize=size, rotation=90 if upright else 0,
        ha="center", va="top",
    )  # fmt: skip
    axes.tick_params(length=0)
    axes.spines[:].set_visible(False)
    axes.set_xticks(np.arange(len(columns) + 1) - 0.5, minor=True)
    axes.set_yticks(np.arange(len(rows) + 1) - 0.5, minor=True)
    axes.grid(which="minor", color="#F0F0F0", linewidth=0.5)
    axes.tick_params(which="minor", length=0)


def _frame_cycles(
    axes: Any, cycles: Sequence[Sequence[int]], order: Any, labels: Sequence[str], mine: bool
) -> None:
    from matplotlib.patches import Rectangle

    place = {int(y): i for i, y in enumerate(order)}
    for i, cycle in enumerate(cycles):
        colour = MARKS[i % len(MARKS)]
        for winner, loser in zip(cycle, [*cycle[1:], cycle[0]], strict=True):
            if winner in place and loser in place:
                corner = (place[loser] - 0.5, place[winner] - 0.5)
                axes.add_patch(Rectangle(corner, 1, 1, fill=False, edgecolor=colour, linewidth=2))
        names = " > ".join(short(labels[y], 20) for y in [*cycle, cycle[0]])
        axes.plot([], [], "s", markerfacecolor="none", markeredgecolor=colour, markeredgewidth=2, label=names)
    if cycles and look().legend:
        place: Any = {"loc": "outside lower left"}
        if not mine:
            place = {"loc": "upper left", "bbox_to_anchor": (0, -0.15)}
        (axes.figure if mine else axes).legend(
            **place,
            title="Cycles, each beating the next",
            fontsize=look().points(8.5),
            title_fontsize=look().points(9),
            alignment="left",
        )
