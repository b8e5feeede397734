"""Regret matching against mirror descent, per second of CPU: exploitability on games of 10 to 300 responses.

Every solver plays the same games. Its policies are measured off the clock, and the best exploitability so far
is drawn over the CPU time of its rounds.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, new_figure, style
from pgames.solver import Solver

if TYPE_CHECKING:
    from matplotlib.figure import Figure

Curve = tuple[NDArray[np.float64], NDArray[np.float64]]

FLOOR = 1e-16  # below it exploitability is rounding
SIZES = {"toy": (0.02, (5, 10, 20)), "quick": (0.5, (10, 50, 300)), "full": (5.0, (10, 100, 1000))}
FAMILY: dict[str, tuple[Solver, str]] = {
    "RM, averaged": (pg.Average(pg.RegretMatching()), "-"),
    "RM+, averaged": (pg.Average(pg.RMPlus()), "-"),
    "PRM+, averaged": (pg.Average(pg.PRMPlus()), "-"),
    "PRM+, restarts of 100": (pg.PRMPlus(restart=100), "-"),
    "MWU, averaged": (pg.Average(pg.SPPO(2.0)), "--"),
    "OMWU": (pg.ONPO(0.0, 2.0), "--"),
    "EGPO": (pg.EGPO(0.0, 2.0), "--"),
    "COMAL of MMD": (pg.MPO(0.1, 0.5, every=60), "--"),
}


def curve(solver: Solver, game: pg.PreferenceGame, seconds: float) -> Curve:
    """(CPU seconds, best exploitability so far), float64[K] each, at rounds 1, 2, 4, ... within the time."""
    arena = pg.TableArena(game)
    pg.solve(solver, arena, 2)  # compile
    state, spent, best, at = solver.init(arena), 0.0, np.inf, 1
    times, gaps = [], []
    while spent < seconds:
        start = time.process_time()
        while state.t < at:
            state = solver.step(arena.at(state.t), state)
        spent += time.process_time() - start
        best = min(best, float(np.max(arena.exploitability(state.policy))))
        times.append(spent)
        gaps.append(max(best, FLOOR))
        at = max(at + 1, int(1.3 * at))
    return np.array(times), np.array(gaps)


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    seconds, responses = SIZES[size]
    figure = new_figure(10.5, 4.2)
    panels = figure.subplots(1, len(responses), sharey=True)
    checks = []
    for axes, n in zip(panels, responses, strict=True):
        game = pg.games.random_skew(n, 0)
        for i, (name, (solver, line)) in enumerate(FAMILY.items()):
            times, gaps = curve(solver, game, seconds)
            axes.loglog(times, gaps, line, color=COLOURS[i % len(COLOURS)], lw=1.4, label=name)
            checks.append(Check(f"{name}, {n} responses, {seconds:g} CPU s", float(gaps[-1]), None))
        axes.set(title=f"{n} responses", xlabel="CPU seconds")
        axes.grid(which="major")
    panels[0].set_ylabel("exploitability, best so far")
    figure.legend(*panels[0].get_legend_handles_labels(), loc="outside lower center", ncols=4)
    return figure, checks


if __name__ == "__main__":
    main("fig17_regret_matching", draw)
