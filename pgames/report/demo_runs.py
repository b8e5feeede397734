"""The solvers, games and votes of the demo, and the runs of all solvers on all games."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import pgames as pg
from pgames.metrics import KLToNash
from pgames.solver import one_target

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
    """Exploitability in the game that the solver solves, under one name for all solvers."""

    tau: float
    name: str = "exploitability"

    def __call__(self, arena: pg.TableArena, policy: Any) -> NDArray[np.float64]:
        return arena.exploitability(policy, self.tau)


def demo_games() -> dict[str, pg.PreferenceGame]:
    """Small games; the reference favours the first response, so that no solver starts at the equilibrium."""
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
    special = [pg.games.skill_and_cycles(8, cyclic_share=0.4, seed=seed + 1 + x).skew[0] for x in range(3)]
    P = 0.5 + 0.5 * common + 0.3 * np.stack(special)
    left = rng.integers(8, size=2000)
    right = (left + rng.integers(1, 8, size=2000)) % 8
    prompt = rng.integers(3, size=2000)
    won = np.where(rng.random(2000) < P[prompt, left, right], 1, -1)
    winner = np.where(rng.random(2000) < 0.15, 0, won)
    return pg.Comparisons(left, right, winner, names, prompt, prompts)


def solve_all() -> tuple[list[Line], dict[str, pg.Curve]]:
    """The rows of the table, and the runs on the first game, whose policies are drawn.

    Raises KeyboardInterrupt after a Ctrl-C.
    """
    lines: list[Line] = []
    drawn: dict[str, pg.Curve] = {}
    for place, (name, game) in enumerate(demo_games().items()):
        arena = pg.TableArena(game)
        for label, solver in SOLVERS.items():
            tau = one_target(solver)
            pg.solve(solver, arena, 2)  # compile first, so that only rounds are timed
            metrics = [Gap(tau), KLToNash(tau)]
            if place == 0:
                metrics.append(pg.metrics.Policies())
            result = pg.run(solver, arena, ROUNDS, record=metrics, points=400)
            if result.stopped:
                raise KeyboardInterrupt
            exact = pg.nash(game, tau)
            assert result.state is not None and result.cpu_seconds is not None
            policy = arena.probs(result.state.policy)[0]
            distance = float(np.abs(policy - exact.policy).sum() / 2)
            gap = float(result.values["exploitability"][0, -1])
            lines.append(Line(name, label, tau, gap, distance, exact.exploitability, result.cpu_seconds))
            if place == 0:
                drawn[label] = result
    return lines, drawn
