"""An attacker against a defender, beside the exact pair: the output of `pgames adversary`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgames.curves import Curve
from pgames.loop import run
from pgames.metrics import DualityGap
from pgames.roles.arena import RoleArena
from pgames.roles.equilibrium import nash_roles
from pgames.roles.matrix import MatrixRoles
from pgames.roles.prompts import PromptRoles
from pgames.solver import Solver, target_of
from pgames.solvers.adversary import Rivals, Turns
from pgames.terminal import printable

SHOWN = 20  # rows of a printed table
Game = MatrixRoles | PromptRoles


@dataclass(frozen=True)
class Sides:
    """A number or a strategy for each role."""

    attacker: Any
    defender: Any


@dataclass(frozen=True)
class Outcome:
    """A solver's last pair beside the exact one, in numbers and lists for JSON."""

    game: str
    solver: str
    rounds: int
    cpu_seconds: float
    names: Sides  # of attacks and defences, or of prompts and answers
    policy: Sides  # probabilities; of the defender of prompts, one list per prompt
    value: float  # how often the attack succeeds
    tau: Sides  # of each role's solver; 0 for a solver without a target
    gain: dict[str, Sides]  # of a best response of each role, at its tau and at tau = 0
    exact: Sides
    exact_tau: Sides  # those of `tau`, or 0 where one of them is 0 and the other is not
    exact_value: float
    certificate: Sides  # the gains of the exact pair


def chosen_solver(
    pair: str | None,
    roles: tuple[str | None, str | None],
    rounds: tuple[int | None, int | None],
    read: Callable[[str], Solver],
) -> Solver:
    """The solver of the pair, or of one for each role: `Turns` where rounds are given, else `Rivals`.

    Raises ValueError when a role lacks a solver or its number of rounds, or has two solvers.
    """
    (attacker, defender), (attack, defend) = roles, rounds
    if (attacker is None) != (defender is None):
        raise ValueError("each role needs a solver: pass --attacker and --defender, or --solver.")
    if attacker is None or defender is None:
        if attack is not None or defend is not None:
            raise ValueError("--attack and --defend are for two solvers: pass --attacker and --defender too.")
        return read(pair or "EGPO")
    if pair is not None:
        raise ValueError("--solver plays both roles: leave it out, or leave out --attacker and --defender.")
    if attack is None and defend is None:
        return Rivals(read(attacker), read(defender))
    if attack is None or defend is None:
        raise ValueError("turns need the rounds of both roles: pass --attack and --defend.")
    return Turns(read(attacker), read(defender), attack, defend)


def play(game: Game, solver: Solver, rounds: int) -> Curve:
    """Run the solver on exact feedback.

    Raises ValueError when the solver asks for a verb that an arena of roles lacks, KeyboardInterrupt after a
    Ctrl-C.
    """
    arena = RoleArena(game)
    try:
        solver.init(arena)
    except TypeError as error:
        raise ValueError(str(error)) from None
    result = run(solver, arena, rounds, record=[DualityGap(0.0)])
    if result.stopped:
        raise KeyboardInterrupt
    return result


def outcome(name: str, game: Game, solver: Solver, result: Curve) -> Outcome:
    """The solver's last pair beside the exact one at the tau of each role."""
    assert result.state is not None and result.cpu_seconds is not None
    arena, policy = RoleArena(game), result.state.policy
    taus = _taus(solver)
    alike = isinstance(game, PromptRoles) or (taus.attacker == 0) == (taus.defender == 0)
    solved = taus if alike else Sides(0.0, 0.0)
    exact = nash_roles(game, (solved.attacker, solved.defender))
    attacker, defender = arena.halves(policy)
    own = Sides(
        float(arena.gains(policy, taus.attacker).attacker[0]),
        float(arena.gains(policy, taus.defender).defender[0]),
    )
    rates = game.halves(game.rates(policy)[0])[0]
    return Outcome(
        game=name,
        solver=result.solver,
        rounds=int(result.rounds[-1]),
        cpu_seconds=result.cpu_seconds,
        names=Sides(*([list(names) for names in _names(game)])),
        policy=Sides(attacker[0].tolist(), defender[0].tolist()),
        value=float(attacker[0] @ rates),
        tau=taus,
        gain={"tau": own, "tau=0": Sides(*(float(gain[0]) for gain in arena.gains(policy)))},
        exact=Sides(exact.attacker.tolist(), exact.defender.tolist()),
        exact_tau=solved,
        exact_value=exact.value,
        certificate=Sides(*exact.gains),
    )


def print_outcome(found: Outcome) -> None:
    """Print both strategies beside the exact ones, the value, and the gain of each role."""
    from rich.console import Console

    console = Console()
    attacks, defences = found.names.attacker, found.names.defender
    asked, exact = np.array(found.policy.attacker), np.array(found.exact.attacker)
    defended, best = np.array(found.policy.defender), np.array(found.exact.defender)
    title = f"{found.solver} on {found.game}: {found.rounds} rounds"
    _show(console, title, "attack", found.exact_tau.attacker, attacks, asked, exact)
    if defended.ndim == 2:
        rows = [
            (x, y) for x in np.argsort(-np.maximum(asked, exact), kind="stable") for y in range(len(defences))
        ]
        names = [f"{attacks[x]}: {defences[y]}" for x, y in rows]
        parts = (np.array([part[x, y] for x, y in rows]) for part in (defended, best))
        _show(console, "", "answer", found.exact_tau.defender, names, *parts, ranked=False)
    else:
        _show(console, "", "defence", found.exact_tau.defender, defences, defended, best)
    if found.exact_tau != found.tau:
        console.print(
            f"the exact pair is that of tau = 0: no exact pair is known for tau = {found.tau.attacker:g} of "
            f"the attacker and {found.tau.defender:g} of the defender",
            highlight=False,
            soft_wrap=True,
        )
    lines = [f"value: the attack succeeds {found.value:.6f} of the time, exact {found.exact_value:.6f}"]
    for role in ("attacker", "defender"):
        tau, zero = getattr(found.tau, role), getattr(found.gain["tau=0"], role)
        own = f"{getattr(found.gain['tau'], role):.3e} at tau = {tau:g}, " if tau > 0 else ""
        lines.append(f"gain of a best response of the {role}: {own}{zero:.3e} at tau = 0")
    certificate = found.certificate
    lines.append(
        f"certificate of the exact pair: gains {certificate.attacker:.1e} and {certificate.defender:.1e}"
    )
    lines.append(f"CPU time: {found.cpu_seconds:.3f} s")
    for line in lines:
        console.print(line, highlight=False, soft_wrap=True)


def _show(
    console: Any,
    title: str,
    head: str,
    tau: float,
    names: list[str],
    policy: NDArray[np.float64],
    exact: NDArray[np.float64],
    *,
    ranked: bool = True,
) -> None:
    from rich.markup import escape
    from rich.table import Table

    if title:
        console.print(escape(printable(title)), style="italic", highlight=False, soft_wrap=True)
    table = Table()
    table.add_column(head)
    table.add_column("solver", justify="right")
    table.add_column(f"exact, tau = {tau:g}", justify="right")
    order = np.argsort(-np.maximum(policy, exact), kind="stable") if ranked else np.arange(len(names))
    for i in order[:SHOWN]:
        table.add_row(escape(printable(names[i])), f"{policy[i]:.6f}", f"{exact[i]:.6f}")
    if len(order) > SHOWN:
        rest = order[SHOWN:]
        mass = (f"{policy[rest].sum():.6f}", f"{exact[rest].sum():.6f}") if ranked else ("", "")
        table.add_row(f"{len(rest)} others", *mass)
    console.print(table)


def _names(game: Game) -> tuple[tuple[str, ...], tuple[str, ...]]:
    return (game.attacks, game.defences) if isinstance(game, MatrixRoles) else (game.prompts, game.answers)


def _taus(solver: Solver) -> Sides:
    """The target of each role's solver, 0 where there is none.

    Raises ValueError when a target is not one number.
    """
    roles = (solver.attacker, solver.defender) if isinstance(solver, Turns | Rivals) else (solver, solver)
    targets = [target_of(one) for one in roles]
    if any(isinstance(target, np.ndarray) for target in targets):
        raise ValueError("a tau for each run has no meaning here: pass one number for each role.")
    return Sides(*(0.0 if target is None else float(target) for target in targets))
