"""--plan: what a run will cost, measured on two rounds of a few prompts before the first real one.

Nothing is written to the run's folder. Answers are made up in place of the judge's; a judge on this machine
is timed on a few pairs.
"""

from __future__ import annotations

import importlib
import math
import tempfile
from pathlib import Path

from llm_backend.runs.build import Parts, build
from llm_backend.runs.config import Configuration, EvaluateSettings
from llm_backend.runs.costs import Cost, Plan, memory, of_evaluation, of_training, on_disk
from llm_backend.runs.folder import say
from llm_backend.runs.logs import Row
from llm_backend.runs.measuring import gap_tau, measured
from llm_backend.runs.memory import enough_memory
from llm_backend.runs.plan_roles import plan_roles
from llm_backend.runs.rehearsal import Rehearsal
from pgames.solver import State

GROWTH = 1.2  # from this ratio of two rounds on, the cost of a round is said to grow


def plan(config: Configuration) -> Plan:
    """Play two rounds of a few prompts in a temporary folder, and scale the second to the whole run.

    Raises ConfigError and OutOfMemory as the run itself.
    """
    if config.roles:
        return plan_roles(config)
    meter = Rehearsal(config.judge)
    with tempfile.TemporaryDirectory() as name, enough_memory(meter):
        folder, how = Path(name), config.evaluate
        parts = build(config, folder, few=True)
        gap_tau(parts, how)
        importlib.import_module("scipy.stats")  # for intervals; its import is not a cost of a round
        say(f"measuring two rounds of {parts.arena.context.per_round} prompts ...")
        parts = parts.metered(meter)
        arena, other = parts.arena, parts.measured
        state, trained, one = parts.solver.init(other), [], Cost()
        for _ in range(2):  # in the first round many policies are the reference
            meter.clear()
            arena.journal.clear()
            with meter.measure("fit"):
                state = parts.solver.step(arena.at(state.t), state)
            one = of_training(meter, arena.journal)
            trained.append(one.trained)
        row = meter.row(arena.journal)
        evaluation = _evaluation(parts, state, how, meter)
        other.save(state, folder / "checkpoint")
        played, seen = arena.context.per_round, len(other.prompts)
        return Plan(
            config.run.rounds,
            (played, seen),
            one.times(parts.sizes[0] / played),
            evaluation.times(parts.sizes[1] / seen),
            _page(row, parts.sizes[1], how.page),
            meter.judging,
            *memory(arena.lm.device),
            config.run.keep * on_disk(folder / "checkpoint"),
            trained[1] > GROWTH * trained[0],
        )


def _evaluation(parts: Parts, state: State, how: EvaluateSettings, meter: Rehearsal) -> Cost:
    """The cost of the measurements after a round, averaged over rounds."""
    total, past = Cost(), {t: state.policy for t in range(how.past)}
    for key, every in (("every", how.every), ("gap_every", how.gap_every)):
        if every:
            meter.clear()
            parts.arena.journal.clear()
            only = how.model_copy(update={"every": 0, "gap_every": 0, key: 1})
            with meter.measure("evaluate"):
                measured(parts, state, past, {}, only)
            total = total.plus(of_evaluation(meter, parts.arena.journal).times(1 / every))
    return total


def _page(row: Row, prompts: int, samples: int) -> Cost:
    """The cost of the page of a run: replies of two policies, each judged against all of the other."""
    drawn = 2 * prompts * samples * (row["drawn_length"] or 0)
    return Cost(drawn, 0, prompts * samples**2, drawn / (row["tokens_per_second"] or math.inf))
