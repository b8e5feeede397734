"""The whole demo: the torch-free half, then the same solver object on a table and on a tiny Llama.

python -m llm_backend.demo [--out FOLDER]
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

import pgames as pg
from llm_backend import TextArena, judges
from llm_backend.tiny import tiny_language_model
from pgames.report.demo import run_demo
from pgames.report.html import grid, paragraph, picture

if TYPE_CHECKING:
    from matplotlib.figure import Figure
    from rich.table import Table

Floats = NDArray[np.float64]

TAU, ROUNDS = 0.1, 30
SOLVER = pg.EGPO(tau=TAU, eta=2.0)
PROMPT, MOVES = "Your move:", ("rock", "paper", "scissors")
SHOWN = (0, 1, 2, 4, 8, 16, 24, 30)


class Played(NamedTuple):
    """Policies float64[T + 1, 3] after each round, and the exact equilibrium float64[3]."""

    table: Floats
    llama: Floats
    nash: Floats
    seconds: float  # of CPU, of the Llama's rounds

    def distance(self, policies: Floats) -> Floats:
        """Total variation to the equilibrium, float64[T + 1]."""
        return np.abs(policies - self.nash).sum(axis=1) / 2


def play(rounds: int = ROUNDS) -> Played:
    """Play one solver object on a table and on a Llama; the reference is the untrained Llama's policy."""
    lm = tiny_language_model(lora=8, texts=[*MOVES * 3, PROMPT])
    judge = judges.Table(pg.games.comal3().P[0], MOVES)
    text = TextArena(lm, [PROMPT], judge, samples=None, responses=MOVES, chat=False)
    game = text.to_game()
    table = pg.TableArena(game)
    start = time.process_time()
    llama = [text.probs(state.policy)[0] for state in _rounds(text, rounds)]
    seconds = time.process_time() - start
    exact = [table.probs(state.policy)[0, 0] for state in _rounds(table, rounds)]
    return Played(np.array(exact), np.array(llama), pg.nash(game, TAU).policy[0], seconds)


def _rounds(arena: Any, rounds: int) -> list[pg.State]:
    states = [SOLVER.init(arena)]
    for _ in range(rounds):
        states.append(SOLVER.step(arena.at(states[-1].t), states[-1]))
    return states


def _rows(played: Played) -> list[list[str]]:
    far, near = played.distance(played.table), played.distance(played.llama)
    between = np.abs(played.table - played.llama).sum(axis=1) / 2
    return [
        [str(t), _mix(played.table[t]), _mix(played.llama[t]), *(f"{d[t]:.1e}" for d in (far, near, between))]
        for t in SHOWN
        if t < len(far)
    ]


def _mix(policy: Floats) -> str:
    return " ".join(f"{p:.2f}" for p in policy)


COLUMNS = ("round", "table", "Llama", "table to Nash", "Llama to Nash", "apart")


def table_of(played: Played) -> Table:
    """The table for the terminal."""
    from rich import box
    from rich.table import Table

    table = Table(
        title=f"One solver object, two worlds: {SOLVER}",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
        caption=f"{', '.join(MOVES)}, and total variation. Exact Nash: {_mix(played.nash)}",
        caption_justify="left",
    )
    for column in COLUMNS:
        table.add_column(column, justify="right", no_wrap=True)
    for row in _rows(played):
        table.add_row(*row)
    return table


def figures_of(played: Played) -> dict[str, Figure]:
    """Figures of the trajectories (`two_worlds`) and of the distances to the Nash (`two_distances`)."""
    from pgames import plot
    from pgames.plot.style import COLOURS, DASHES, new_figure, style

    paths = {"a table": played.table, "a Llama": played.llama}
    with style():
        figure = new_figure(6.4, 3.8)
        axes = figure.add_subplot()
        for i, (name, policies) in enumerate(paths.items()):
            width = 5 if i == 0 else 1.8
            colour = COLOURS[5] if i == 0 else COLOURS[1]
            axes.plot(
                played.distance(policies), color=colour, ls=DASHES[i], lw=width, label=f"EGPO on {name}"
            )
        between = np.abs(played.table - played.llama).sum(axis=1)[1:] / 2
        axes.plot(np.arange(1, len(played.table)), between, color=COLOURS[6], lw=1, label="between the two")
        axes.set(
            yscale="log", xlabel="rounds", ylabel="total variation", title="EGPO: distance to the exact Nash"
        )
        axes.grid(which="major")
        axes.legend()
    return {"two_worlds": plot.simplex(paths, played.nash, MOVES), "two_distances": figure}


def second_half(console: Any) -> tuple[dict[str, Figure], list[str]]:
    """Play and print the table; returns the figures and the parts of the page."""
    played = play()
    console.print(table_of(played))
    figures = figures_of(played)
    parts = [
        "<h1>The same solver on a language model</h1>",
        paragraph(
            "A two-layer Llama with random weights is asked for its move. The solver is the same object as "
            "on the table; on the Llama its verbs ask a judge and fit an adapter. The untrained Llama's "
            "policy is the reference of both.",
            "lead",
        ),
        picture(
            figures["two_worlds"],
            "Two triangles, the trajectory of the table and that of the Llama",
            f"{SOLVER} for {ROUNDS} rounds on comal3, whose responses are now texts. The star is the exact "
            "equilibrium of the regularised game.",
        ),
        picture(
            figures["two_distances"],
            "Distance to the equilibrium against rounds, of the table and of the Llama",
            "Both converge linearly along the same line. The thin line is the distance between the two "
            "policies, which is the error left by the gradient steps of the fit.",
        ),
        grid(COLUMNS, _rows(played), names=(1, 2)),
        paragraph(
            f"Probabilities of {', '.join(MOVES)}; distances are total variation. The Llama's rounds took "
            f"{played.seconds:.0f} s of CPU. Real runs draw responses and ask a judge: "
            "python -m llm_backend run.toml, docs/how-to/training-runs.md.",
            "quiet",
        ),
    ]
    return figures, parts


def main(arguments: Sequence[str] | None = None) -> Path:
    """Run both halves and write them to one page."""
    parser = argparse.ArgumentParser(prog="python -m llm_backend.demo")
    parser.add_argument("--out", type=Path, default=Path("results/demo"), help="folder for figures and page")
    options = parser.parse_args(arguments)
    torch.set_num_threads(1)
    return run_demo(options.out, second_half)


if __name__ == "__main__":
    main()
