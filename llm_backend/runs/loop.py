"""Runs: rounds of a solver on a language model, each one measured, logged and checkpointed.

A run's folder holds config.json, log.jsonl, tensorboard/, judge.jsonl (the judge's answers), draws/
(responses of the round under way) and rounds/NNNNN/ (the solver's state). Randomness is a function of (seed,
round), so a killed run continues from its last complete round and repeats the lost rounds bit for bit.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from llm_backend.judges.base import name_of
from llm_backend.processes.workers import workers
from llm_backend.runs import attackers
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
from llm_backend.runs.roles import build_roles
from pgames.solver import State


class Finished(NamedTuple):
    """The last state of a run, the rows of its log, the arena it was measured in, and its folder."""

    state: State
    rows: list[Row]
    arena: Any
    folder: Path


class Kind(NamedTuple):
    """What the loop of a run asks of its game: one policy, or two roles.

    build : (configuration, folder) -> the parts. begun : (parts, configuration) -> the policies of other runs
    it is measured against, and lines to say first. measured : the row of a round. notes : lines to say after
    a round. page : writes the page of the run.
    """

    build: Callable[..., Any]
    begun: Callable[..., tuple[Mapping[str, Any], list[str]]]
    measured: Callable[..., Row]
    notes: Callable[..., list[str]]
    page: Callable[..., None]


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
    kind = ROLES if config.roles else ALONE
    with held(folder), enough_memory(meter):
        us.once(lambda: check_folder(folder, config, resume))
        parts = kind.build(config, folder)
        others, lines = kind.begun(parts, config)
        state, past = restored(parts, folder, config.evaluate.past)
        with reporting(config, repr(parts.solver), folder, state.t, us.first) as report:
            for line in lines:
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
                    row = kind.measured(metered, state, past, others, config.evaluate)
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
                for line in kind.notes(metered):
                    report.tell(line)
                # 5. the policies that the next ones are compared with
                past = _latest(past, state, config.evaluate.past)
            if config.evaluate.page:
                report.phase("page")
                kind.page(parts, state, folder, config.evaluate.page)
                if us.first:
                    shutil.rmtree(folder / "draws", ignore_errors=True)
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


def _begun(parts: Parts, config: Configuration) -> tuple[Mapping[str, Any], list[str]]:
    """The policies of rivals, and lines on the cost of the evaluation."""
    gap_tau(parts, config.evaluate)
    return rivals(parts, config.evaluate), told(parts, config.evaluate)


def _latest(past: Mapping[int, Any], state: State, count: int) -> dict[int, Any]:
    """The policies of the last `count` rounds, by round."""
    every = [*past.items(), (state.t, state.policy)]
    return dict(every[len(every) - count :])


ALONE = Kind(build, _begun, measured, lambda parts: [], _write_page)
ROLES = Kind(
    build_roles, lambda parts, config: ({}, []), attackers.measured, attackers.notes, attackers.write_page
)
