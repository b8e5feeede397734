"""Equilibria along tau: where responses enter and leave, for KL and for L2.

Three games whose support changes: a cycle of three with a fourth response that loses to two of them, a
ranking that a strong regulariser hides, and a random game of seven responses, one of which leaves and
enters again. With KL every response is played at tau > 0, and a change is the crossing of 1 in 1000; with
L2 it is exact.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.plot.paths import SIDES, tau_path
from pgames.plot.style import new_figure, style
from pgames.regularisers import KL, L2

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = {"toy": 6, "quick": 60, "full": 240}  # taus


def outsider() -> pg.PreferenceGame:
    """Rock, paper and scissors, and a fourth response that loses to rock and to paper."""
    P = np.full((4, 4), 0.5)
    for y, z, p in ((0, 1, 0.75), (1, 2, 0.75), (2, 0, 0.75), (0, 3, 0.6), (1, 3, 0.55), (3, 2, 0.52)):
        P[y, z], P[z, y] = p, 1 - p
    return pg.PreferenceGame(P, labels=["rock", "paper", "scissors", "outsider"])


GAMES = {
    "cycle and outsider": outsider(),
    "six rankers": pg.games.six_rankers(),
    "random, n = 7": pg.games.uniform_random(7, seed=7),
}
LOW, HIGH = 3e-3, 3.0
EXACT = {  # an L2 change between two supports of size 1 and 2 is at the margin of the duel
    "six rankers, L2: D leaves": 0.04,
}


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    figure = new_figure(10.5, 6.3)
    panels = figure.subplots(2, 3, sharey=True)
    checks, sides = [], {}
    for column, (name, game) in enumerate(GAMES.items()):
        taus = np.geomspace(LOW, HIGH, SIZES[size])
        for row, (regulariser, above) in enumerate(((KL(), 1e-3), (L2(), 0.0))):
            path = pg.nash(game, tau=taus, regulariser=regulariser)
            changes = path.changes(above)
            axes = panels[row, column]
            marks = [(one.tau, one.label, one.enters) for one in changes]
            tau_path(path.tau, path.policy[:, 0], path.labels, marks, ax=axes)
            axes.set_title(f"{name}, {regulariser.name}")
            shown = dict(zip(*axes.get_legend_handles_labels()[::-1], strict=True))
            sides |= {meaning: shown.pop(meaning) for _, meaning in SIDES.values() if meaning in shown}
            axes.legend(shown.values(), shown.keys(), fontsize=7.5, loc="upper right")
            if column:
                axes.set_ylabel("")
            if row == 0:
                axes.set_xlabel("")
            checks += [
                Check(f"{name}, {regulariser.name}: worst exploitability", path.exploitability.max(), 0.0),
                Check(f"{name}, {regulariser.name}: changes of support", len(changes), None),
            ]
            for one in changes:
                what = f"{name}, {regulariser.name}: {one.label} {'enters' if one.enters else 'leaves'}"
                source = "the margin of the duel" if what in EXACT else ""
                checks.append(Check(what, one.tau, EXACT.get(what), source))
        limit = pg.nash(game).policy[0]
        low = pg.nash(game, LOW, regulariser=L2()).policy[0]
        what = f"{name}: support at the smallest tau (L2)"
        checks.append(Check(what, float((low > 0).sum()), float((limit > 0).sum()), "tau = 0"))
    figure.legend(sides.values(), sides.keys(), loc="outside lower center", ncols=2)
    return figure, checks


if __name__ == "__main__":
    main("fig18_tau_paths", draw)
