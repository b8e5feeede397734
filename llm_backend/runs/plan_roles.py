"""--plan for a run of two roles: rounds of a few seeds, the measurements after one, and a fresh attacker."""

from __future__ import annotations

import dataclasses
import importlib
import tempfile
from pathlib import Path

from llm_backend.runs import attackers
from llm_backend.runs.config import Configuration
from llm_backend.runs.costs import Cost, Plan, memory, of_evaluation, of_training, on_disk
from llm_backend.runs.errors import say
from llm_backend.runs.memory import enough_memory
from llm_backend.runs.rehearsal import Rehearsal
from llm_backend.runs.roles import RoleParts, build_roles
from pgames.solver import Solver, State


def plan_roles(config: Configuration) -> Plan:
    """Play rounds of a few seeds in a temporary folder, and scale the later ones to the whole run.

    Verdicts on attacks are made up as well. Raises ConfigError and OutOfMemory as the run itself.
    """
    meter = Rehearsal(config.judge)
    with tempfile.TemporaryDirectory() as name, enough_memory(meter):
        folder, how = Path(name), config.evaluate
        parts = build_roles(config, folder, few=True).metered(meter)
        importlib.import_module("scipy.stats")  # for intervals; its import is not a cost of a round
        played, seen = parts.arena.per_round, len(parts.measured.seeds)
        say(f"measuring rounds of {played} seeds ...")
        solver, shares = _shortened(parts.solver)
        state, rounds = solver.init(parts.start), list[Cost]()
        for _ in range(2 * len(shares)):  # in the first round of a role its policy is the reference
            meter.clear()
            parts.arena.journal.clear()
            with meter.measure("fit"):
                state = solver.step(parts.arena.at(state.t), state)
            rounds.append(of_training(meter, parts.arena.journal))
        one = Cost()
        for share, cost in zip(shares, rounds[len(shares) :], strict=True):
            one = one.plus(cost.times(share))
        scales = parts.sizes[0] / played, parts.sizes[1] / seen
        evaluation = Cost()
        if how.every:
            past = {t: state.policy for t in range(how.past)}
            meter.clear()
            parts.arena.journal.clear()
            with meter.measure("evaluate"):
                attackers.measured(parts, state, past, {}, how.model_copy(update={"every": 1}))
            evaluation = of_evaluation(meter, parts.arena.journal).times(scales[1] / how.every)
        parts.arena.save(state, folder / "checkpoint")
        return Plan(
            config.run.rounds,
            (played, seen),
            one.times(scales[0]),
            evaluation,
            _page(parts, state, how.page, meter, scales) if how.page else Cost(),
            meter.judging,
            *memory(parts.arena.lm.device),
            config.run.keep * on_disk(folder / "checkpoint"),
            False,
            "seeds",
        )


def _shortened(solver: Solver) -> tuple[Solver, list[float]]:
    """The solver with turns of one round each, and the shares of such rounds in the run."""
    turns = [getattr(solver, key, None) for key in ("defend", "attack")]
    if not all(isinstance(length, int) for length in turns) or not dataclasses.is_dataclass(solver):
        return solver, [1.0]
    short = dataclasses.replace(solver, defend=1, attack=1)  # type: ignore[type-var]
    return short, [length / sum(turns) for length in turns]  # type: ignore[misc, arg-type]


def _page(
    parts: RoleParts, state: State, samples: int, meter: Rehearsal, scales: tuple[float, float]
) -> Cost:
    """The cost of the page: a fresh attacker, and the attacks of all on the defender and the base."""
    known, trained = attackers.known(parts, state.policy), Cost()
    if parts.how.fresh:
        meter.clear()
        parts.arena.journal.clear()
        with meter.measure("fit"):
            known["fresh"] = attackers.fresh(parts, state.policy, 1)
        trained = of_training(meter, parts.arena.journal).times(parts.how.fresh * scales[0])
    meter.clear()
    parts.arena.journal.clear()
    with meter.measure("fit"):
        attackers.compared(parts, state, known, samples)
    return trained.plus(of_training(meter, parts.arena.journal).times(scales[1]))
