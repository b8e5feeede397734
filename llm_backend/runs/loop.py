"""Runs: rounds of a solver on a language model, each one measured, logged and checkpointed.

A run's folder holds config.json, log.jsonl, tensorboard/, judge.jsonl (the judge's answers), draws/
(responses of the round under way) and rounds/NNNNN/ (the solver's state). Randomness is a function of (seed,
round), so a killed run continues from its last complete round and repeats the lost rounds bit for bit.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from llm_backend.arena import TextArena
from llm_backend.judges.base import name_of
from llm_backend.policies.handles import Policy
from llm_backend.processes.workers import workers
from llm_backend.runs.build import Parts, build
from llm_backend.runs.config import Configuration
from llm_backend.runs.folder import check_folder, restored, save_round
from llm_backend.runs.lock import held
from llm_backend.runs.logs import Row, rows
from llm_backend.runs.measuring import gap_tau, measured, rivals, told
from llm_backend.runs.memory import enough_memory
from llm_backend.runs.meter import Meter
from llm_backend.runs.page import write_page
from llm_backend.runs.replies import compare
from llm_backend.runs.report import reporting
from pgames.solver import State


class Finished(NamedTuple):
    """The last state of a run, the rows of its log, the arena it was measured in, and its folder."""

    state: State
    rows: list[Row]
    arena: TextArena
    folder: Path


def run(
    config: Configuration | Mapping[str, object] | str | os.PathLike[str],
    tiny: bool = False,
    resume: bool = False,
) -> Finished:
    """Play a run to its end.

    Parameters
    ----------
    config : a configuration, its dictionaries, or the path of a TOML file.
    tiny : the same run at a toy's scale: a random model, eight prompts, a rule as judge, at most two rounds.
    resume : continue from the last intact checkpoint in the run's folder, if there is one.

    Raises ConfigError naming the key for a configuration that cannot be run, or that differs from that of the
    run in its folder; OutOfMemory naming the setting to lower; JudgeError when the judge fails. Ctrl-C raises
    KeyboardInterrupt and keeps the last round.
    """
    config = configured(config, tiny)
    folder, us, meter = Path(config.run.out), workers(), Meter()
    with held(folder), enough_memory(meter):
        us.once(lambda: check_folder(folder, config, resume))
        parts = build(config, folder)
        gap_tau(parts, config.evaluate)
        others = rivals(parts, config.evaluate)
        state, past = restored(parts, folder, config.evaluate.past)
        with reporting(config, repr(parts.solver), folder, state.t, us.first) as report:
            for line in told(parts, config.evaluate):
                report.tell(line)
            meter.say = report.phase
            metered = parts.metered(meter)
            while state.t < config.run.rounds:
                # 1. the solver's step: draw, judge, fit
                metered.arena.journal.clear()
                with meter.measure("fit"):
                    state = parts.solver.step(metered.arena.at(state.t), state)
                played = meter.row(metered.arena.journal)
                # 2. measure the policy
                with meter.measure("evaluate"):
                    row = measured(metered, state, past, others, config.evaluate)
                # 3. the row of the log
                if row:
                    row["evaluation"] = dict(meter.evaluation)
                row = {"round": state.t, "processes": us.size, **played, **row, "seconds": meter.clear()}
                report.log(row)
                # 4. the checkpoint, from which a killed run continues
                with meter.measure("checkpoint"):
                    save_round(parts, state, folder, config.run.keep)
                us.wait()
                report.show(row)
                # 5. the policies that the next ones are compared with
                past = _latest(past, state, config.evaluate.past)
            if config.evaluate.page:
                report.phase("page")
                _write_page(parts, state, folder, config.evaluate.page)
    return Finished(state, rows(folder / "log.jsonl"), parts.measured, folder)


def configured(
    config: Configuration | Mapping[str, object] | str | os.PathLike[str], tiny: bool
) -> Configuration:
    """The configuration of a file or of dictionaries, at a toy's scale if `tiny`.

    Raises ConfigError naming the key that is wrong.
    """
    if isinstance(config, str | os.PathLike):
        config = Configuration.read(config)
    elif not isinstance(config, Configuration):
        config = Configuration.parse(config)
    return config.tiny() if tiny else config


def _write_page(parts: Parts, state: State, folder: Path, samples: int) -> None:
    """Compare the last policy with the reference on fresh replies, and write the page of the run."""
    replies = compare(parts.measured, state.policy, state.t, samples)
    if workers().first:
        title = f"{parts.solver!r}, {state.t} rounds, judged by {name_of(parts.measured.judge)}"
        write_page(folder, title, rows(folder / "log.jsonl"), replies)
        shutil.rmtree(folder / "draws", ignore_errors=True)


def _latest(past: Mapping[int, Policy], state: State, count: int) -> dict[int, Policy]:
    """The policies of the last `count` rounds, by round."""
    every = [*past.items(), (state.t, state.policy)]
    return dict(every[len(every) - count :])
