"""Trajectories over three responses, in the triangle of their mixtures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.numerics import check_distribution, real
from pgames.plot.look import look
from pgames.plot.style import INK, PALE, heading, new_figure, panels_of, short, styled, titled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

CORNERS = np.array([[0.0, 0.0], [1.0, 0.0], [0.5, np.sqrt(0.75)]])
COLUMNS = 5  # panels side by side


@styled
def simplex(
    policies: Mapping[str, ArrayLike] | ArrayLike,
    equilibrium: Mapping[str, ArrayLike] | ArrayLike | None = None,
    labels: Sequence[str] = ("0", "1", "2"),
    *,
    title: str = "",
    ax: Axes | Sequence[Axes] | None = None,
) -> Figure:
    """Trajectories of policies over three responses, one triangle for each.

    A corner is the policy that always gives that response; the centre mixes all three equally. An open circle
    marks the first policy, a dot the last, a star the equilibrium.

    Raises ValueError when there is no trajectory, or one does not hold distributions over three responses,
    and TypeError when `ax` holds another number of axes than there are trajectories.

    Parameters
    ----------
    policies : float64[T, 3] probabilities of successive rounds, or a mapping of names to them.
    equilibrium : float64[3], marked with a star; or a mapping, when every trajectory has its own.
    labels : names of the three responses.
    ax : axes to draw in, one for each trajectory; by default those of a new figure.
    """
    paths = policies if isinstance(policies, Mapping) else {"": policies}
    if not paths:
        raise ValueError("there is no trajectory to draw: pass at least one.")
    if not isinstance(labels, Sequence) or isinstance(labels, str) or len(labels) != 3:
        raise ValueError(f"a triangle has three corners: labels must be three names, got {labels!r:.60}.")
    stars = equilibrium if isinstance(equilibrium, Mapping) else dict.fromkeys(paths, equilibrium)
    if strange := [name for name in stars if name not in paths]:
        raise ValueError(
            f"there is an equilibrium for {strange[0]!r}, and no trajectory of that name: there are "
            f"{', '.join(map(str, paths))}."
        )
    columns = min(COLUMNS, len(paths))
    rows = -(-len(paths) // columns)
    if ax is None:
        figure = new_figure(2.2 * columns + 0.2, 2.3 * rows + 0.35 + (0.35 if title else 0))
        panels = [figure.add_subplot(rows, columns, i + 1) for i in range(len(paths))]
        if title:
            size = look().points(11)
            figure.suptitle(heading(title), x=0.01, ha="left", fontsize=size, fontweight="bold")
    else:
        panels = panels_of(ax, len(paths))
        figure = panels[0].get_figure(root=True)
    for i, (name, path) in enumerate(paths.items()):
        axes = panels[i]
        _frame(axes, labels)
        line = _points(str(name) or "policies", path)
        colour = look().colour(i)
        axes.plot(*line.T, color=colour, linewidth=1.1, zorder=3)
        if (star := stars.get(name)) is not None:
            axes.plot(
                *_points("equilibrium", np.atleast_2d(real("equilibrium", star)), most=1)[0],
                "*",
                color=INK,
                markersize=look().points(8),
                markeredgewidth=0,
                zorder=6,
            )
        axes.plot(*line[0], "o", color="white", markeredgecolor=colour, markeredgewidth=1.5, zorder=4)
        axes.plot(
            *line[-1], "o", color=colour, markersize=look().points(10), markeredgecolor="white", zorder=5
        )
        axes.set_title(titled(name), loc="center", fontsize=look().points(10))
    if ax is not None and title:
        own = panels[0].get_title()
        panels[0].set_title(f"{heading(title)}: {own}" if own else heading(title))
    if ax is None and look().legend:
        _explain_marks(figure, any(star is not None for star in stars.values()))
    return figure


def _points(name: str, values: ArrayLike, most: int | None = None) -> NDArray[np.float64]:
    """Positions float64[T, 2] in the plane of policies float64[T, 3], at most `most` of them."""
    path = real(name, values)
    if path.ndim != 2 or path.shape[1] != 3 or len(path) == 0:
        raise ValueError(f"{name} must have shape [T, 3], one row per round, got {path.shape}.")
    if most is not None and len(path) > most:
        raise ValueError(f"{name} must be one distribution over three responses, got {len(path)}.")
    check_distribution(name, path)
    return path @ CORNERS


def _explain_marks(figure: Figure, has_star: bool) -> None:
    from matplotlib.lines import Line2D

    grey: dict[str, Any] = {"color": "none", "markeredgecolor": "#737373"}
    marks = [
        Line2D([], [], marker="o", markerfacecolor="white", label="start", **grey),
        Line2D(
            [],
            [],
            marker="o",
            markersize=look().points(9),
            markerfacecolor="#737373",
            label="last round",
            **grey,
        ),
    ]
    if has_star:
        marks.append(
            Line2D(
                [],
                [],
                marker="*",
                color="none",
                markersize=look().points(9),
                markerfacecolor=INK,
                markeredgewidth=0,
                label="equilibrium",
            )
        )
    figure.legend(handles=marks, loc="outside lower center", ncols=len(marks))


def _frame(axes: Any, labels: Sequence[str]) -> None:
    for share in (0.25, 0.5, 0.75):
        for a, b, c in ((0, 1, 2), (1, 2, 0), (2, 0, 1)):
            ends = np.stack([CORNERS[a], CORNERS[b]]) * (1 - share) + CORNERS[c] * share
            axes.plot(*ends.T, color="#EBEBEB", linewidth=0.6, zorder=1)
    axes.fill(*CORNERS.T, facecolor="none", edgecolor=PALE, linewidth=1.2, zorder=2)
    size = look().points(8.5)
    for corner, label, (dx, dy, ha, va) in zip(
        CORNERS,
        labels,
        ((-2, -5, "center", "top"), (2, -5, "center", "top"), (0, 5, "center", "bottom")),
        strict=True,
    ):
        axes.annotate(
            short(label, 16),
            corner,
            (dx, dy),
            textcoords="offset points",
            ha=ha,
            va=va,
            fontsize=size,
        )
    axes.set(aspect="equal", xlim=(-0.12, 1.12), ylim=(-0.12, 0.98))
    axes.axis("off")
