"""Exact preferences: which last iterates converge on a cycle, how fast, and their bounds."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.metrics import KLToNash

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TAU, ETA = 0.1, 0.4
ROUNDS = {"toy": 20, "quick": 1000, "full": 10_000}


def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    game = pg.games.comal3().with_reference([0.6, 0.3, 0.1])
    arena, metric = pg.TableArena(game), KLToNash(TAU)
    solvers = {
        "SPPO": pg.SPPO(ETA),
        "Nash-MD, constant step": pg.NashMD(TAU, ETA),
        "Nash-MD": pg.NashMD(TAU),
        "INPO": pg.INPO(TAU, ETA),
        "EGPO": pg.EGPO(TAU, ETA),
    }
    runs = {name: pg.run(solver, arena, ROUNDS[size], [metric]) for name, solver in solvers.items()}
    start = float(runs["EGPO"].values[metric.name][0, 0])
    bounds = [pg.bounds.nash_md(TAU), pg.bounds.egpo(TAU, ETA, start)]
    figure = pg.plot.convergence(runs, metric.name, bounds, title="A cycle of three, exact preferences")
    finals = {name: float(run.values[metric.name][0, -1]) for name, run in runs.items()}
    sources = ("spirals", "biased", "slope -2", "linear", "linear")
    return figure, [
        Check(f"{name}: KL to the Nash", value, None, source)
        for (name, value), source in zip(finals.items(), sources, strict=True)
    ]


if __name__ == "__main__":
    main("fig7_spirals", draw)
