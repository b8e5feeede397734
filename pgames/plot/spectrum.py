"""Eigenvalues in the complex plane, with the unit circle that separates stable from unstable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pgames.plot.look import look
from pgames.plot.style import INK, PALE, own_axes, short, styled

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


@styled
def spectrum(values: NDArray[np.complex128], name: str = "", *, ax: Axes | None = None) -> Figure:
    """Eigenvalues complex128[K] beside the unit circle; those outside it are drawn in another colour.

    Draws on `ax` when one is given, and returns its figure. Raises TypeError when `ax` is not an Axes.
    """
    figure, axes = own_axes(ax, 3.4, 3.4)
    turn = np.linspace(0, 2 * np.pi, 241)
    axes.fill(np.cos(turn), np.sin(turn), facecolor="#F7F7F7", edgecolor=PALE, linewidth=1.2, zorder=1)
    outside = np.abs(values) > 1
    for chosen, i, label in ((~outside, 0, "inside"), (outside, 1, "outside")):
        if chosen.any():
            axes.plot(
                values[chosen].real,
                values[chosen].imag,
                "o",
                color=look().colour(i),
                ms=look().points(5),
                label=label,
                zorder=3,
            )
    radius = float(np.abs(values).max(initial=0.0))
    limit = 1.12 * max(1.0, radius)
    axes.set(xlim=(-limit, limit), ylim=(-limit, limit), aspect="equal", xlabel="real", ylabel="imaginary")
    axes.axhline(0, color=PALE, linewidth=0.7, zorder=0)
    axes.axvline(0, color=PALE, linewidth=0.7, zorder=0)
    axes.set_title(short(name, 40), fontsize=look().points(9))
    axes.annotate(
        f"radius {radius:.4f}",
        (0.02, 0.02),
        xycoords="axes fraction",
        fontsize=look().points(8),
        color=INK,
    )
    return figure
