"""Panel b: iterative learners on hidden_rps. ENPO grows like sqrt(T), passive and DENPO linearly."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, DASHES, INK, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEARNERS = {"passive": pg.Passive, "DENPO": pg.DENPO, "ENPO": pg.ENPO}
EXPECTED = {  # late slope, and regret at 1e4 rounds
    ("passive", 20): (0.33, 321),
    ("passive", 30): (1.00, 1977),
    ("passive", 40): (1.00, 2008),
    ("DENPO", 20): (0.29, 298),
    ("DENPO", 30): (0.99, 1971),
    ("DENPO", 40): (1.00, 2007),
    ("ENPO", 20): (0.54, 157),
    ("ENPO", 30): (0.52, 317),
    ("ENPO", 40): (0.53, 473),
}
SIZES = {"toy": (40, 2), "quick": (10_000, 12), "full": (50_000, 32)}  # rounds, seeds


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    rounds, seeds = SIZES[size]
    figure = new_figure(10.5, 3.9)
    panels = figure.subplots(1, 3, sharey=True)
    checks = []
    for axes, inverse in zip(panels, (20, 30, 40), strict=True):
        tau = 1 / inverse
        for i, (name, learner) in enumerate(LEARNERS.items()):
            curve = pg.simulate(learner(tau), pg.games.hidden_rps(tau), rounds, seeds)
            mean = curve.regret.mean(axis=0)
            spread = 1.96 * curve.regret.std(axis=0) / np.sqrt(seeds)
            axes.plot(curve.rounds, mean, color=COLOURS[i], ls=DASHES[i], label=name)
            axes.fill_between(curve.rounds, mean - spread, mean + spread, color=COLOURS[i], alpha=0.2, lw=0)
            slope, regret = EXPECTED[name, inverse]
            checks.append(
                Check(f"{name}, 1/tau = {inverse}: Reg(1e4)", np.interp(1e4, curve.rounds, mean), regret)
            )
            late = f"late slope (T = {rounds:.0e})"
            checks.append(Check(f"{name}, 1/tau = {inverse}: {late}", curve.late_slope().slope, slope))
        axes.plot(curve.rounds, 5 * np.sqrt(curve.rounds), color=INK, ls=(0, (1, 2)), label="sqrt(T)")
        axes.set(xscale="log", yscale="log", xlabel="rounds T", title=f"1/tau = {inverse}")
        axes.grid(which="major")
    panels[0].set_ylabel("regret, mean over seeds")
    panels[0].legend(loc="upper left", handlelength=3)
    return figure, checks


if __name__ == "__main__":
    main("fig2_square_root", draw)
