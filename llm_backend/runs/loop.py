"""Runs: rounds of a solver on a language model, each one measured, logged and checkpointed.

A run's folder holds config.json, log.jsonl, tensorboard/, judge.jsonl (what the judge said), draws/ (what was
sampled in the round under way) and rounds/NNNNN/ (the solver's state). Randomness is a function of (seed,
round), so a run that was killed anywhere goes on from its last whole round and repeats what was lost bit for
bit.
"""

from __future__ import annotations

import json
import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import torch

from llm_backend import evaluate
from llm_backend.policies.handles import Policy
from llm_backend.processes.workers import workers
from llm_backend.runs import checkpoint
from llm_backend.runs.build import Made, build
from llm_backend.runs.config import ConfigError, Configuration
from llm_backend.runs.logs import Log, Row, rows, shown
from llm_backend.runs.meter import Meter
from pgames.arena import State, one_target
from pgames.files import atomic

FREE = {
    "run.rounds",
    "run.keep",
    "run.out",
    "run.shard",
    "log.tensorboard",
    "log.wandb",
    "log.trackio",
}  # may change at resume
REMEDIES = {
    "": "lower model.lora, or set model.dtype to bfloat16",
    "collect": "lower arena.max_new_tokens, then fit.rows (four times as many are drawn at once)",
    "judge": "lower judge.batch, or judge with a smaller model",
    "score": "lower fit.rows",
    "fit": "lower fit.rows, then arena.samples (a prompt's responses are one pass), or model.lora",
    "evaluate": "lower evaluate.samples or evaluate.prompts",
    "checkpoint": "lower run.keep or model.lora",
}

NO_MEMORY = ("allocate memory", "out of memory", "not enough memory")  # in what torch says


class OutOfMemory(RuntimeError):
    """The device or the host ran out of memory; says which setting to lower."""


class Finished(NamedTuple):
    """The state the run ended in, the rows of its log, the arena it was played on, and its folder."""

    state: State
    rows: list[Row]
    arena: Any
    folder: Path


def run(
    config: Configuration | Mapping[str, Any] | str | os.PathLike[str],
    tiny: bool = False,
    resume: bool = False,
) -> Finished:
    """Play a run to its end and return where it ended.

    Parameters
    ----------
    config : a configuration, its dictionaries, or the path of a TOML file.
    tiny : the same run at a toy's scale: a random model, eight prompts, a rule as judge, at most two rounds.
    resume : go on from the last whole checkpoint in the run's folder, if there is one.

    Raises ConfigError naming the key for a configuration that cannot be run, or that differs from that of the
    run in its folder; OutOfMemory naming the setting to lower; JudgeError when the judge fails. Ctrl-C raises
    KeyboardInterrupt and keeps the last round.
    """
    if isinstance(config, str | os.PathLike):
        config = Configuration.read(config)
    elif not isinstance(config, Configuration):
        config = Configuration.parse(config)
    if tiny:
        config = config.tiny()
    folder = Path(config.run.out)
    us, meter = workers(), Meter()
    us.once(lambda: check_folder(folder, config, resume))
    with enough_memory(meter):
        made = build(config, folder)
        state, past = _restored(made, folder, config.evaluate.past)
        if not us.first:
            last = state
            for last, _ in _rounds(made, state, past, config, meter):
                made.measured.save(last, folder)  # what it has of the weights; the first process writes
                us.wait()
            return Finished(last, rows(folder / "log.jsonl"), made.measured, folder)
        with atomic(folder / "config.json", "w") as file:
            json.dump(config.dump(), file, indent=1)
        log = Log(folder, config.log, state.t, config.dump())
        if log.lacks:
            some = ", ".join(map(str, log.lacks[:8])) + (", ..." if log.lacks[8:] else "")
            say(f"{log.path} has no row of round {some}; the run goes on without, it only lacks in plots.")
        try:
            with shown(repr(made.solver), config.run.rounds, state.t) as show:
                meter.say = lambda phase: show(None, phase)
                for state, row in _rounds(made, state, past, config, meter):  # noqa: B020
                    log.write(row)
                    with meter.measure("checkpoint"):
                        _save(made, state, folder, config)
                        shutil.rmtree(folder / "draws", ignore_errors=True)
                    us.wait()
                    show(row, "")
        finally:
            log.close()
    return Finished(state, rows(log.path), made.measured, folder)


def _rounds(
    made: Made, state: State, past: dict[int, Policy], config: Configuration, meter: Meter
) -> Iterator[tuple[State, Row]]:
    """(state, row) after every round that is left. `past` are the policies to be met, by round."""
    made = made._replace(arena=meter.watch(made.arena), measured=meter.watch(made.measured))
    arena = made.arena
    while state.t < config.run.rounds:
        arena.journal.clear()
        with meter.measure("fit"):
            state = made.solver.step(arena.at(state.t), state)
        noted = meter.row(arena.journal)
        with meter.measure("evaluate"):
            measured = _measured(made, state, past, config)
        yield (
            state,
            {"round": state.t, "processes": workers().size, **noted, **measured, "seconds": meter.clear()},
        )
        latest = [*past.items(), (state.t, state.policy)]
        past = dict(latest[len(latest) - config.evaluate.past :])


def _measured(made: Made, state: State, past: dict[int, Policy], config: Configuration) -> dict[str, Any]:
    """What [evaluate] asks for after this round."""
    how, arena = config.evaluate, made.measured.at(state.t)
    row: dict[str, Any] = {}
    if how.every and state.t % how.every == 0:
        row |= evaluate.measure(arena, state.policy, past, how.samples)
    if how.gap_every and state.t % how.gap_every == 0 and evaluate.scored(arena, state.policy):
        tau = how.tau or one_target(made.solver)
        if not tau > 0:
            raise ConfigError("evaluate.tau is missing: the solver has no tau to measure the gap at.")
        trained = made.arena.at(evaluate.EVALUATION + state.t)
        best = trained.mirror_step(trained.reference, state.policy, 1 / tau)
        gain = evaluate.exploitability(arena, state.policy, tau, how.samples, best)
        row["exploitability"] = {"mean": gain.mean, "margin": gain.margin, "tau": tau}
    return row


# -- what is on disk ------------------------------------------------------------------------------------


def check_folder(folder: Path, config: Configuration, resume: bool) -> None:
    """Refuse a folder that holds another run, or any run without `resume`: ConfigError names the key."""
    path = folder / "config.json"
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"run.out = '{folder}': it is a file; set run.out to a folder.")
    if not path.is_file():
        if next((folder / "rounds").glob("[0-9]*"), None) is not None:
            raise ConfigError(
                f"{folder} holds rounds of a run but no config.json: set run.out to another folder."
            )
        return
    if not resume:
        raise ConfigError(f"{folder} holds a run already: pass --resume to go on with it, or set run.out.")
    try:
        there = _flat(json.loads(path.read_text(encoding="utf-8")))
    except (ValueError, AttributeError) as error:
        raise ConfigError(f"{path} is damaged ({error}): set run.out to another folder.") from None
    here = _flat(json.loads(json.dumps(config.dump())))
    for key in (*there, *here):
        if key not in FREE and there.get(key) != here.get(key):
            raise ConfigError(
                f"{key} is {json.dumps(there.get(key))} in {folder} and {json.dumps(here.get(key))} now: a "
                "run goes on as it began. Change it back, or set run.out to another folder."
            )


def _save(made: Made, state: State, folder: Path, config: Configuration) -> None:
    about = {"solver": repr(made.solver), "torch": torch.__version__, "data": made.data}
    checkpoint.save(
        folder / "rounds", state.t, lambda target: made.measured.save(state, target), about, config.run.keep
    )


def _restored(made: Made, folder: Path, count: int) -> tuple[State, dict[int, Policy]]:
    """The state to go on from, or a new one, and the policies of the last `count` rounds."""
    states = []
    for found in checkpoint.whole(folder / "rounds", say):
        if (version := found.about.get("torch")) != torch.__version__:
            say(f"round {found.t} was played with torch {version}: bits may differ from now on.")
        if found.about.get("data", made.data) != made.data:
            raise ConfigError(
                f"[data] {folder} was played on other prompts or tokens than these: a run goes on with what "
                "it began with. Put them back, or set run.out to another folder."
            )
        states.append(made.measured.load(found.folder))
        if len(states) >= max(count, 1):
            break
    past = {state.t: state.policy for state in reversed(states[:count])}
    if states:
        return states[0], past
    try:
        return made.solver.init(made.measured), past
    except (TypeError, ValueError, AttributeError) as error:  # a verb that an arena of texts lacks
        raise ConfigError(f"[solver] {error}") from None


def say(text: str) -> None:
    """A line on the standard error."""
    print(f"llm_backend: {text}", file=sys.stderr)


def _flat(values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    out: dict[str, Any] = {}
    for key, value in values.items():
        out |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return out


@contextmanager
def enough_memory(meter: Meter) -> Iterator[None]:
    """Turn running out of memory into one line that says which setting to lower."""
    try:
        yield
    except (torch.OutOfMemoryError, MemoryError) as error:
        raise _out_of_memory(meter, error) from error
    except RuntimeError as error:
        if not any(sign in str(error).lower() for sign in NO_MEMORY):
            raise
        raise _out_of_memory(meter, error) from error


def _out_of_memory(meter: Meter, error: BaseException) -> OutOfMemory:
    doing = meter.failed or "loading the model"
    told = " ".join(str(error).split())[:160]
    return OutOfMemory(
        f"out of memory at {doing}: {REMEDIES[meter.failed]} ({told or type(error).__name__})."
    )
