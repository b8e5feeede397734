"""A run's folder: checking which run it holds, saving a round, and restoring the last one."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol

from llm_backend.processes.workers import workers
from llm_backend.runs import checkpoint
from llm_backend.runs.bits import bits_of_torch, tell_other_bits
from llm_backend.runs.config import Configuration
from llm_backend.runs.errors import ConfigError, say
from pgames.files import atomic, parse_json
from pgames.solver import Solver, State

FREE = {  # keys that may change when a run is resumed
    "model.device",
    "run.rounds",
    "run.keep",
    "run.out",
    "run.shard",
    "evaluate.page",
    "judge.wait",  # of people: when they answer, not what
    "judge.seconds",
    "log.tensorboard",
    "log.wandb",
    "log.trackio",
}


class Stored(Protocol):
    """An arena that writes the states of a solver and reads them."""

    def save(self, state: State, folder: Path) -> None:
        """Write a state to a folder."""
        ...

    def load(self, folder: Path) -> State:
        """The state of a folder."""
        ...


class Played(Protocol):
    """What a folder keeps of a run: the solver, the arenas it starts in and is stored by, a digest."""

    @property
    def solver(self) -> Solver:
        """The solver."""
        ...

    @property
    def start(self) -> Any:
        """The arena in which the solver begins."""
        ...

    @property
    def measured(self) -> Stored:
        """The arena that writes and reads states."""
        ...

    @property
    def digest(self) -> str:
        """A digest of all prompts."""
        ...


def check_folder(folder: Path, config: Configuration, resume: bool) -> None:
    """Raises ConfigError, naming the key, when the folder holds another run, or any run without `resume`."""
    path = folder / "config.json"
    if not path.is_file():
        if next((folder / "rounds").glob("[0-9]*"), None) is not None:
            raise ConfigError(
                f"{folder} holds rounds of a run but no config.json: set run.out to another folder."
            )
        return
    if not resume:
        raise ConfigError(f"{folder} holds a run already: pass --resume to continue it, or set run.out.")
    try:
        there = _flat(parse_json(path.read_text(encoding="utf-8")))
    except (ValueError, RecursionError) as error:
        raise ConfigError(f"{path} is damaged ({error}): set run.out to another folder.") from None
    except AttributeError:
        raise ConfigError(f"{path} is damaged (it is no table): set run.out to another folder.") from None
    here = _flat(json.loads(json.dumps(config.dump())))
    for key in (*there, *here):
        if key not in FREE and there.get(key) != here.get(key):
            raise ConfigError(
                f"{key} is {json.dumps(there.get(key))} in {folder} and {json.dumps(here.get(key))} now: a "
                "run keeps its configuration. Change it back, or set run.out to another folder."
            )


def write_config(folder: Path, config: Configuration) -> None:
    """Write config.json, atomically."""
    with atomic(folder / "config.json", "w") as file:
        json.dump(config.dump(), file, indent=1)


def save_round(parts: Played, state: State, folder: Path, keep: int) -> None:
    """Write the checkpoint of a round and keep the last `keep`. All processes call it; the first writes."""
    if not workers().first:
        parts.measured.save(state, folder)  # contributes this process's shards
        return
    about = {"solver": repr(parts.solver), **bits_of_torch(), "data": parts.digest}
    write = lambda target: parts.measured.save(state, target)  # noqa: E731
    checkpoint.save(folder / "rounds", state.t, write, about, keep)
    shutil.rmtree(folder / "draws", ignore_errors=True)


def restored(parts: Played, folder: Path, count: int) -> tuple[State, dict[int, Any]]:
    """The state of the last intact checkpoint, or a new one, and the policies of the last `count` rounds.

    Raises ConfigError when the checkpoint was made with other prompts, or the solver cannot play this arena.
    """
    states: list[State] = []
    for found in checkpoint.intact(folder / "rounds", say):
        tell_other_bits(found, say)
        if found.about.get("data", parts.digest) != parts.digest:
            raise ConfigError(
                f"[data] {folder} was played with other prompts or tokens: a run keeps its prompts. "
                "Put them back, or set run.out to another folder."
            )
        states.append(parts.measured.load(found.folder))
        if len(states) >= max(count, 1):
            break
    past = {state.t: state.policy for state in reversed(states[:count])}
    if states:
        return states[0], past
    try:
        return parts.solver.init(parts.start), past
    except (TypeError, ValueError, AttributeError) as error:  # a verb that an arena of texts lacks
        raise ConfigError(f"[solver] {error}") from None


def _flat(values: Mapping[str, object], prefix: str = "") -> dict[str, object]:
    out: dict[str, object] = {}
    for key, value in values.items():
        if isinstance(value, list) and any(isinstance(one, dict) for one in value):
            out |= _flat({f"[{i}]": one for i, one in enumerate(value)}, prefix + key)
        elif isinstance(value, dict):
            out |= _flat(value, f"{prefix}{key}.")
        else:
            out[prefix + key] = value
    return out
