"""Regret against a problem parameter: the win probability in a cyclic game (requested in SMPyBandits#149).

On a cycle of three with win probability 1/2 + D the Nash is uniform for every D, and so is the reference.
The regret of learning that is plotted against D and against the number of responses.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, DASHES, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TAU = 0.05
CROWDED = 0.4  # a margin whose label would lie on that of 0.45
LEARNERS = {"greedy": pg.Greedy, "optimistic": pg.Optimistic, "enhancer": pg.Enhancer}

SIZES = {  # rounds, seeds, numbers of responses
    "toy": (200, 2, (3, 5)),
    "quick": (10**5, 40, (3, 5, 9, 15)),
    "full": (10**6, 200, (3, 5, 9, 15, 25)),
}


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    from matplotlib.ticker import LogFormatter

    rounds, seeds, responses = SIZES[size]
    margins = np.array([0.02, 0.05, 0.1, 0.2, 0.3, 0.4, 0.45])
    sizes = np.array(responses)
    figure = new_figure(9.6, 4.0)
    left, right = figure.subplots(1, 2)
    checks = []
    for i, (name, learner) in enumerate(LEARNERS.items()):

        def regret(game: pg.PreferenceGame, learner=learner) -> tuple[float, float]:
            curve = pg.simulate(learner(TAU), game, rounds, seeds, refresh=1.02, record=5)
            final = curve.regret[:, -1]
            return final.mean(), 1.96 * final.std() / np.sqrt(seeds)

        for axes, x, games in (
            (left, margins, [pg.games.cyclic(3, 0.5 + D) for D in margins]),
            (right, sizes, [pg.games.cyclic(n, 0.9) for n in sizes]),
        ):
            mean, error = np.array([regret(game) for game in games]).T
            axes.errorbar(
                x, mean, error, color=COLOURS[i], ls=DASHES[i], marker="o", ms=4, capsize=2, label=name
            )
        checks.append(Check(f"{name}: d ln Reg / d ln K", np.polyfit(np.log(x), np.log(mean), 1)[0], None))
    left.set(xscale="log", yscale="log", xlabel="margin D: the winner wins 1/2 + D", ylabel="regret")
    right.set(xscale="log", yscale="log", xlabel="responses K (cycle, p = 0.9)")
    for axes, ticks in ((left, margins), (right, sizes)):
        axes.set_xticks(ticks, ["" if tick == CROWDED else f"{tick:g}" for tick in ticks])
        axes.set_xticks([], minor=True)
        axes.yaxis.set_major_formatter(LogFormatter())  # 20, not 2 x 10^1
        axes.yaxis.set_minor_formatter(LogFormatter(minor_thresholds=(2, 0.5)))
        axes.grid(which="major")
    left.legend(loc="best")
    figure.suptitle(f"Regret after {rounds:.0e} duels, tau = {TAU}", x=0.01, ha="left", fontsize=11)
    return figure, checks


if __name__ == "__main__":
    main("fig6_parameter", draw)
