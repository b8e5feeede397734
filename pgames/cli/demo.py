"""The demo: five solvers through one loop, checked against exact equilibria; then a report on a few votes."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import pgames as pg
from pgames.cli.solving import temperature
from pgames.files import atomic
from pgames.metrics import KLToNash

SecondHalf = Callable[[Any], tuple[dict[str, Any], list[str]]]

ROUNDS = 2000
TAU = 0.1
SOLVERS = {
    "SPPO": pg.SPPO(eta=0.5),
    "FictitiousPlay": pg.FictitiousPlay(),
    "NashMD": pg.NashMD(TAU),
    "EGPO": pg.EGPO(TAU, eta=0.5),
    "COMAL": pg.COMAL(tau=0.05, eta=1.0, every=50),
}
SAMPLED_RUNS, DUELS = 20, 32


class Line(NamedTuple):
    """One row of the table."""

    game: str
    solver: str
    tau: float
    gap: float  # exploitability in the game of that tau
    distance: float  # total variation to the exact equilibrium of that tau
    certificate: float  # exploitability of the exact equilibrium
    cpu_seconds: float


@dataclass(frozen=True)
class Gap:
    """Exploitability in the game that the solver plays, under one name for all solvers."""

    tau: float
    name: str = "exploitability"

    def __call__(self, arena: pg.TableArena, policy: Any) -> NDArray[np.float64]:
        return arena.exploitability(policy, self.tau)


def demo_games() -> dict[str, pg.PreferenceGame]:
    """Small games; the reference leans to the first response, so that no solver starts at the answer."""
    games = {
        "comal3": pg.games.comal3(),
        "perturbed_rps": pg.games.perturbed_rps(),
        "cyclic(5, p=0.9)": pg.games.cyclic(5, p=0.9),
        "blotto(5, 3)": pg.games.blotto(5, 3),
        "skill_and_cycles": pg.games.skill_and_cycles(100, cyclic_share=0.3),
    }
    return {name: game.with_reference(_leaning(game.responses)) for name, game in games.items()}


def _leaning(responses: int) -> NDArray[np.float64]:
    weights = 1 / np.arange(1, responses + 1)
    return weights / weights.sum()


def demo_votes(seed: int = 0) -> pg.Comparisons:
    """2,000 votes on 8 invented assistants and 3 prompts: a game of skill and cycles, 15 % ties."""
    names = ("Amber", "Birch", "Cedar", "Dune", "Ember", "Fjord", "Grove", "Heath")
    prompts = ("code", "facts", "poems")
    rng = np.random.default_rng(seed)
    common = pg.games.skill_and_cycles(8, cyclic_share=0.4, seed=seed).skew[0]
    own = [pg.games.skill_and_cycles(8, cyclic_share=0.4, seed=seed + 1 + x).skew[0] for x in range(3)]
    P = 0.5 + 0.5 * common + 0.3 * np.stack(own)
    left = rng.integers(8, size=2000)
    right = (left + rng.integers(1, 8, size=2000)) % 8
    prompt = rng.integers(3, size=2000)
    won = np.where(rng.random(2000) < P[prompt, left, right], 1, -1)
    winner = np.where(rng.random(2000) < 0.15, 0, won)
    return pg.Comparisons(left, right, winner, names, prompt, prompts)


def run_demo(out: str | os.PathLike[str], second_half: SecondHalf | None = None) -> Path:
    """Solve, print a table, write figures and a page into `out`, and say where they are; the page's path.

    second_half : prints more to the console, and returns more figures and parts of the page.
    """
    from rich.console import Console

    from pgames.cli.demo_page import demo_page, demo_table
    from pgames.plot import save_figure
    from pgames.report.analyse import analyse

    start = time.monotonic()
    folder = Path(out)
    if folder.exists() and not folder.is_dir():
        raise ValueError(f"{folder} is a file, and a folder is needed: pass another --out.")
    console = Console()
    lines, runs = solve_all()
    console.print(demo_table(lines))
    figures = _figures(runs)
    numbers = analyse(demo_votes())
    more, parts = second_half(console) if second_half else ({}, [])
    page = demo_page(lines, figures, numbers, parts).encode()
    figures |= more
    written = [save_figure(figure, folder / f"{name}.png") for name, figure in figures.items()]
    for name, content in {"votes.json": json.dumps(numbers, indent=1).encode(), "index.html": page}.items():
        with atomic(folder / name) as file:
            file.write(content)
        written.append(folder / name)
    console.print(f"Done in {time.monotonic() - start:.1f} s. Written:", highlight=False)
    for path in written:
        print(f"  {path}")
    print(f"Open {written[-1]} in a browser: it explains what is to be seen.")
    return written[-1]


def solve_all() -> tuple[list[Line], dict[str, pg.Run]]:
    """The table, and the runs on the first game, whose policies are drawn."""
    lines: list[Line] = []
    drawn: dict[str, pg.Run] = {}
    for place, (name, game) in enumerate(demo_games().items()):
        arena = pg.TableArena(game)
        for label, solver in SOLVERS.items():
            tau = temperature(solver)
            pg.solve(
                solver, arena, 2
            )  # compile what is not yet compiled, so that the time is that of the work
            metrics = [Gap(tau), KLToNash(tau)]
            if place == 0:
                metrics.append(pg.metrics.Policies())
            result = pg.run(solver, arena, ROUNDS, record=metrics, points=400)
            if result.stopped:
                raise KeyboardInterrupt
            exact = pg.nash(game, tau)
            assert result.state is not None
            policy = arena.probs(result.state.policy)[0]
            distance = float(np.abs(policy - exact.policy).sum() / 2)
            gap = float(result.values["exploitability"][-1, 0])
            lines.append(Line(name, label, tau, gap, distance, exact.exploitability, result.cpu_seconds))
            if place == 0:
                drawn[label] = result
    return lines, drawn


def _figures(runs: dict[str, pg.Run]) -> dict[str, Any]:
    """simplex, convergence, sampled and bound: the figures of the page."""
    from pgames import plot

    game = demo_games()["comal3"]
    nash = {name: pg.nash(game, temperature(solver)).policy[0] for name, solver in SOLVERS.items()}
    paths = {name: result.values["policy"][:, 0, 0] for name, result in runs.items()}
    sampled = pg.TableArena(game, runs=SAMPLED_RUNS, seed=0, samples=DUELS)
    noisy = {
        name: pg.run(SOLVERS[name], sampled, ROUNDS, record=[Gap(temperature(SOLVERS[name]))])
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
