"""Panel c: with a minimax oracle the regret is a + b ln T, b = 0.106 / tau on hidden_rps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = {"toy": (3000, 2), "quick": (10**6, 200), "full": (10**7, 1000)}  # rounds, seeds


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    rounds, seeds = SIZES[size]
    figure = new_figure(6.6, 4.2)
    axes = figure.add_subplot()
    checks = []
    for i, tau in enumerate((0.2, 0.1, 0.05)):
        game = pg.games.hidden_rps(tau)
        curve = pg.simulate(pg.Optimistic(tau), game, rounds, seeds, refresh=1.02)
        mean, spread = curve.regret.mean(axis=0), 1.96 * curve.regret.std(axis=0) / np.sqrt(seeds)
        axes.plot(curve.rounds, mean, color=COLOURS[i], label=f"optimistic, tau = {tau}")
        axes.fill_between(curve.rounds, mean - spread, mean + spread, color=COLOURS[i], alpha=0.2, lw=0)
        fit = curve.fit_log()
        late = curve.rounds >= 1000
        line = mean[late][-1] + 0.106 / tau * (np.log(curve.rounds[late]) - np.log(rounds))
        axes.plot(curve.rounds[late], line, color=COLOURS[i], ls=(0, (1, 2)), label="slope 0.106 / tau")
        checks += [
            Check(f"tau = {tau}: b tau", fit.b * tau, 0.106, "measured; 0.113 predicted for this game"),
            Check(f"tau = {tau}: predicted b tau", pg.bounds.oracle_rate(game, tau) * tau, 0.113),
            Check(f"tau = {tau}: R^2", fit.r2, 0.999, "above"),
        ]
    axes.set(
        xscale="log", xlabel="rounds T (log scale: a + b ln T is a line)", ylabel="regret, mean over seeds"
    )
    axes.grid(which="major")
    axes.legend(loc="upper left")
    return figure, checks


if __name__ == "__main__":
    main("fig3_logarithm", draw)
