"""The demo: five solvers in one loop, compared with exact equilibria; then a report on votes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pgames as pg
from pgames import plot
from pgames.extras import need
from pgames.files import atomic
from pgames.folders import held
from pgames.metrics import KLToNash
from pgames.plot import save_figure
from pgames.report.analyse import analyse
from pgames.report.demo_page import demo_page, demo_table
from pgames.report.demo_runs import (
    DUELS,
    ROUNDS,
    SAMPLED_RUNS,
    SOLVERS,
    TAU,
    Gap,
    demo_games,
    demo_votes,
    solve_all,
)
from pgames.solver import one_target

SecondHalf = Callable[[Any], tuple[dict[str, Any], list[str]]]


def run_demo(out: str | os.PathLike[str], second_half: SecondHalf | None = None) -> Path:
    """Solve, print a table, and write figures and a page into `out`; return the path of the page.

    second_half : prints to the console and returns further figures and parts of the page.

    Raises ValueError when `out` is a file or another process writes to it, OSError when it cannot be written,
    and KeyboardInterrupt after a Ctrl-C.
    """
    console = need("rich.console", "votes").Console()
    need("matplotlib", "plot")  # before the work
    with held(out) as folder:
        return _run(folder, second_half, console)


def _run(folder: Path, second_half: SecondHalf | None, console: Any) -> Path:
    start = time.monotonic()
    lines, runs = solve_all()
    console.print(demo_table(lines))
    figures = _figures(runs)
    numbers = analyse(demo_votes())
    more, parts = second_half(console) if second_half else ({}, [])
    page = demo_page(lines, figures, numbers, parts).encode()
    figures |= more
    written = [save_figure(figure, folder / f"{name}.png") for name, figure in figures.items()]
    votes = json.dumps(numbers.plain(), indent=1).encode()
    for name, content in {"votes.json": votes, "index.html": page}.items():
        with atomic(folder / name) as file:
            file.write(content)
        written.append(folder / name)
    console.print(f"Done in {time.monotonic() - start:.1f} s. Written:", highlight=False)
    for path in written:
        print(f"  {path}")
    print(f"Open {written[-1]} in a browser: it explains the figures.")
    return written[-1]


def _figures(runs: dict[str, pg.Curve]) -> dict[str, Any]:
    """simplex, convergence, sampled and bound: the figures of the page."""
    game = demo_games()["comal3"]
    nash = {name: pg.nash(game, one_target(solver)).policy[0] for name, solver in SOLVERS.items()}
    paths = {name: result.values["policy"][0, :, 0] for name, result in runs.items()}
    sampled = pg.TableArena(game, runs=SAMPLED_RUNS, seed=0, samples=DUELS)
    noisy = {
        name: pg.run(SOLVERS[name], sampled, ROUNDS, record=[Gap(one_target(SOLVERS[name]))])
        for name in ("SPPO", "NashMD", "EGPO")
    }
    initial = float(runs["EGPO"].values[KLToNash(TAU).name][0, 0])
    bounds = [pg.bounds.nash_md(TAU), pg.bounds.egpo(TAU, 0.5, initial)]
    return {
        "simplex": plot.simplex(paths, nash, game.labels),
        "convergence": plot.convergence(runs, "exploitability"),
        "sampled": plot.convergence(noisy, "exploitability"),
        "bound": plot.convergence(
            {name: runs[name] for name in ("NashMD", "EGPO")}, KLToNash(TAU).name, bounds
        ),
    }
