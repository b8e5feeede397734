"""One solver on one game beside the exact equilibrium: the output of `pgames solve`."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from pgames.cli.game_files import Source
from pgames.cli.notes import print_notes
from pgames.curves import Curve
from pgames.exact.certificates import PLAIN, exploitability
from pgames.exact.equilibrium import nash
from pgames.games.preference import PreferenceGame
from pgames.loop import run
from pgames.metrics import Exploitability
from pgames.numerics import kl
from pgames.ratings.estimate import ESTIMATOR
from pgames.regularisers import Regulariser
from pgames.solver import Solver, one_target
from pgames.table.arena import TableArena
from pgames.terminal import printable

SHOWN = 20  # responses in a printed table


@dataclass(frozen=True)
class Exact:
    """The exact equilibrium and its certificate."""

    policy: list[list[float]]
    exploitability: float


@dataclass(frozen=True)
class Estimate:
    """How the game was estimated from votes."""

    method: str
    ranking_worth: float


@dataclass(frozen=True)
class Solution:
    """A solver's last policy beside the exact one, in numbers and lists for JSON."""

    game: str
    source: list[str]  # what the file was recognised as; empty for a game by name
    estimate: Estimate | None  # None for a game that is not from votes
    prompts: int
    responses: int
    labels: list[str]
    solver: str
    rounds: int
    cpu_seconds: float
    tau: float
    regulariser: str
    policy: list[list[float]]
    exploitability: dict[str, float]  # in the game of tau, and of tau = 0
    kl_from_exact: float | None  # None where it is infinite
    exact: Exact


def solve_game(game: PreferenceGame, solver: Solver, rounds: int, regulariser: Regulariser = PLAIN) -> Curve:
    """Run the solver on exact feedback, in the game of that regulariser.

    Raises ValueError when the solver asks for a verb that a table lacks, KeyboardInterrupt after a Ctrl-C.
    """
    arena = TableArena(game, regulariser=regulariser)
    try:
        solver.init(arena)
    except TypeError as error:
        raise ValueError(str(error)) from None
    tau = one_target(solver)
    metrics = [Exploitability(tau), Exploitability(0.0)] if tau > 0 else [Exploitability(0.0)]
    result = run(solver, arena, rounds, record=metrics)
    if result.stopped:
        raise KeyboardInterrupt
    return result


def solution(
    name: str, source: Source, solver: Solver, result: Curve, regulariser: Regulariser = PLAIN
) -> Solution:
    """The solver's last policy beside the exact equilibrium of its target."""
    assert result.state is not None and result.cpu_seconds is not None
    game, worth, notes = source
    policy = np.exp(result.state.policy[0])
    tau = one_target(solver)
    exact = nash(game, tau, regulariser=regulariser)
    distance = float(kl(exact.policy, policy) @ game.prompt_weights)
    return Solution(
        game=name,
        source=list(notes),
        estimate=None if worth is None else Estimate(ESTIMATOR, worth),
        prompts=game.prompts,
        responses=game.responses,
        labels=list(game.labels),
        solver=result.solver,
        rounds=int(result.rounds[-1]),
        cpu_seconds=result.cpu_seconds,
        tau=tau,
        regulariser=regulariser.name,
        policy=policy.tolist(),
        exploitability={
            "tau": float(exploitability(game, policy, tau, regulariser=regulariser)),
            "tau=0": float(exploitability(game, policy, 0.0)),
        },
        kl_from_exact=distance if np.isfinite(distance) else None,
        exact=Exact(exact.policy.tolist(), exact.exploitability),
    )


def print_solution(found: Solution) -> None:
    """Print the policy beside the exact one, and the exploitability of both."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    print_notes(found.source)
    console = Console()
    policy, exact = np.array(found.policy), np.array(found.exact.policy)
    over = f"{found.prompts} prompts" if found.prompts > 1 else "1 prompt"
    title = escape(printable(f"{found.solver} on {found.game}: {found.rounds} rounds, {over}"))
    console.print(title, style="italic", highlight=False, soft_wrap=True)
    table = Table()
    table.add_column("response")
    table.add_column("solver", justify="right")
    penalty = "" if found.regulariser == PLAIN.name else f", {found.regulariser}"
    table.add_column(f"exact Nash, tau = {found.tau:g}{penalty}", justify="right")
    mean, mean_exact = policy.mean(axis=0), exact.mean(axis=0)
    order = np.argsort(-np.maximum(mean, mean_exact), kind="stable")
    for y in order[:SHOWN]:
        table.add_row(escape(printable(found.labels[y])), f"{mean[y]:.6f}", f"{mean_exact[y]:.6f}")
    if len(order) > SHOWN:
        rest = order[SHOWN:]
        table.add_row(f"{len(rest)} others", f"{mean[rest].sum():.6f}", f"{mean_exact[rest].sum():.6f}")
    console.print(table)
    if found.estimate is not None:
        worth = f"worth {found.estimate.ranking_worth:.3g} votes a pair"
        console.print(f"win rates by {found.estimate.method}, {worth}", highlight=False, soft_wrap=True)
    gaps, distance = found.exploitability, found.kl_from_exact
    console.print(f"exploitability at tau = {found.tau:g}: {gaps['tau']:.3e}", highlight=False)
    if found.tau > 0:
        console.print(f"exploitability at tau = 0: {gaps['tau=0']:.3e}", highlight=False)
    console.print(
        f"KL(exact || solver): {'infinite' if distance is None else f'{distance:.3e}'}", highlight=False
    )
    console.print(
        f"certificate of the exact policy: {found.exact.exploitability:.1e} exploitable",
        highlight=False,
    )
    console.print(f"CPU time: {found.cpu_seconds:.3f} s", highlight=False)
