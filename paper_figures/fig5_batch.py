"""Panel e: the batch threshold. Passive NLHF escapes only with m >= tau e^(kappa/tau) / (2 g) labels."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, INK, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXPECTED = {  # final gap / gap(reference) by m = 2, 8, 32, 128, 512, 2048
    20: (1.0, 0.14, 0.03, 0.0, 0.0, 0.0),
    25: (1.0, 0.64, 0.04, 0.01, 0.0, 0.0),
    30: (1.0, 1.01, 0.05, 0.01, 0.0, 0.0),
    35: (1.0, 1.01, 1.17, 0.05, 0.0, 0.02),
    40: (1.0, 1.01, 1.1, 1.86, 0.08, 0.09),
}
BATCHES = (2, 8, 32, 128, 512, 2048)
ADVANTAGE = 0.4  # g: the rare response beats the cycle with 1/2 + g
SIZES = {"toy": (10, 2, 2), "quick": (1500, 4, 5), "full": (3000, 16, 6)}  # rounds, seeds, values of m


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    rounds, seeds, values = SIZES[size]
    batches = BATCHES[:values]
    figure = new_figure(6.6, 4.2)
    axes = figure.add_subplot()
    checks = []
    for i, (inverse, expected) in enumerate(EXPECTED.items()):
        tau = 1 / inverse
        game = pg.games.hidden_rps(tau)
        start = float(pg.exploitability(game, game.reference, tau))
        shares = []
        for m, published in zip(batches, expected, strict=False):
            learner = pg.Passive(tau, pairs=m, labels=m, keep=False, ridge=1e-6)
            curve = pg.simulate(learner, game, rounds, seeds, record=5)
            shares.append(curve.gap[:, -1].mean() / start)
            checks.append(Check(f"1/tau = {inverse}, m = {m}: gap / gap(ref)", shares[-1], published))
        axes.plot(batches, np.maximum(shares, 1e-3), color=COLOURS[i], marker="o", label=f"1/tau = {inverse}")
        threshold = pg.bounds.batch_threshold(tau, float(game.reference[0, -1]), ADVANTAGE)
        axes.axvline(threshold, color=COLOURS[i], ls=(0, (1, 2)), lw=1.2)
        checks.append(Check(f"1/tau = {inverse}: threshold m*", threshold, None, "dotted"))
    axes.axhline(1, color=INK, lw=0.8)
    axes.set(xscale="log", yscale="log", xlabel="labels a round m", ylabel="final gap / gap of the reference")
    axes.grid(which="major")
    axes.legend(loc="lower left", title="dotted: predicted m*", frameon=True, framealpha=1, edgecolor="none")
    return figure, checks


if __name__ == "__main__":
    main("fig5_batch", draw)
