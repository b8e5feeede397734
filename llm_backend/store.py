"""A solver's state on disk: a JSON file of its structure and numbers, and a safetensors file per adapter."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError, safe_open

from llm_backend.data import identity
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import BASE, Adapter, Answers, Base, Blend, Mixture, Policy
from llm_backend.processes.workers import workers
from llm_backend.spaces.draws import Draws
from llm_backend.spaces.protocol import ListedSpace
from llm_backend.verbs.evidence import Buffer, Duels, Labels, Samples
from pgames.arena import Pair
from pgames.files import atomic, parse_json
from pgames.meetings import Meetings
from pgames.roles.meetings import RoleMeetings
from pgames.solver import State
from pgames.solvers.exploiters import Roster

VERSION = 1
ARRAYS = ("bool", "int64", "int32", "float64", "float32")  # types of the arrays of a state
RECORDS: dict[str, type] = {
    kind.__name__: kind
    for kind in (
        Blend,
        Mixture,
        Answers,
        Pair,
        Duels,
        Samples,
        Buffer,
        Labels,
        Draws,
        State,
        Meetings,
        RoleMeetings,
        Roster,
    )
}
OLD_NAMES: dict[str, type] = {"League": Mixture}  # names of records in files of earlier versions


def digest(prompts: Sequence[str], listed: ListedSpace | None) -> str:
    """A digest of the prompts and listed responses, which rows of evidence index."""
    texts = listed.texts if listed else None
    return hashlib.sha256(json.dumps([[identity(prompt) for prompt in prompts], texts]).encode()).hexdigest()


def save(lm: LanguageModel, state: State, folder: Path, asked: str) -> None:
    """Write `state` to folder/state.json and the adapters it needs to folder/<id>.safetensors.

    asked : the `digest` of the prompts and responses that the rows of its evidence index.

    All of several processes must call it, with their shards of the weights; the first one writes.
    Raises TypeError for a state that holds anything but policies, numbers, text, evidence and their tuples.
    """
    adapters: dict[str, Adapter] = {}
    shared: dict[int, int] = {}
    draws: list[Any] = []

    def kept(value: Any) -> Any:
        if isinstance(value, Draws):  # one set of rows may be shared by several records
            if id(value) not in shared:
                shared[id(value)] = len(draws)
                draws.append(_plain(value, kept))
            return {"rows": shared[id(value)]}
        if isinstance(value, Adapter):
            adapters[value.id] = value
            return {"adapter": value.id}
        return _plain(value, kept)

    plain: dict[str, Any] = {"version": VERSION, "asked": asked, "state": kept(state), "draws": draws}
    us = workers()
    us.once(lambda: folder.mkdir(parents=True, exist_ok=True))
    saved = us.once(lambda: {name for name in adapters if _holds(folder / f"{name}.safetensors", name)})
    for name, adapter in adapters.items():
        if name not in saved:
            lm.save(adapter, folder / f"{name}.safetensors")
    if us.first:
        with atomic(folder / "state.json", "w") as file:
            json.dump(plain, file)


def load(lm: LanguageModel, folder: Path, asked: str, known: Draws | None = None) -> State:
    """The state that `save` wrote to a folder.

    asked : the digest that was passed to `save`.
    known : rows that replace equal rows of the state, so that evidence shares them.

    Raises FileNotFoundError for a missing file, and ValueError for a damaged one or for evidence or answers
    to other prompts than those `asked`.
    """
    path = folder / "state.json"
    try:
        plain = parse_json(path.read_text(encoding="utf-8"))
        version, tree, rows = plain["version"], plain["state"], plain["draws"]
    except FileNotFoundError:
        raise FileNotFoundError(
            f"{folder} holds no state.json: pass a folder that arena.save wrote."
        ) from None
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{path} is not a saved state or is cut short ({error}): use an earlier one."
        ) from None
    if version != VERSION:
        raise ValueError(f"{path} has version {version}, this program reads {VERSION}: run it again.")
    adapters: dict[str, Adapter] = {}
    draws: list[Draws] = []

    def restored(value: Any) -> Any:
        if isinstance(value, dict) and "adapter" in value:
            name = value["adapter"]
            if name not in adapters:
                adapters[name] = lm.load(folder / f"{name}.safetensors")
            return adapters[name]
        if isinstance(value, dict) and "rows" in value:
            return draws[value["rows"]]
        return _restored(value, restored)

    try:
        for one in rows:
            some = restored(one)
            draws.append(known if known is not None and _same(known, some) else some)
        state = restored(tree)
        if not (isinstance(state, State) and type(state.t) is int and _is_policy(state.policy)):
            raise TypeError("it holds no round and policy")
    except FileNotFoundError as error:
        raise FileNotFoundError(
            f"{path} needs a file that is missing ({error}): use an earlier one."
        ) from None
    except (LookupError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is not a complete saved state ({error}): use an earlier one.") from None
    if plain.get("asked", asked) != asked and _indexes(state):
        raise ValueError(
            f"{path} holds evidence or answers to other prompts or responses than this arena's: load it into "
            "an arena with the same prompts and responses."
        )
    return state


def _is_policy(value: Any) -> bool:
    """Whether a value is a policy, or a pair of them."""
    return all(isinstance(one, Policy) for one in (value if isinstance(value, Pair) else [value]))


def _holds(path: Path, name: str) -> bool:
    """Whether the file holds this adapter and is complete."""
    try:
        with safe_open(path, "np") as file:
            return (file.metadata() or {}).get("id") == name
    except (SafetensorError, OSError):
        return False


def _indexes(value: Any) -> bool:
    """Whether a part of a state refers to prompts or responses by their index."""
    if isinstance(value, Answers) or (isinstance(value, Draws) and len(value)):
        return True
    if isinstance(value, tuple | list):
        return any(map(_indexes, value))
    return type(value).__name__ in RECORDS and any(_indexes(getattr(value, name)) for name in _fields(value))


def _plain(value: Any, kept: Callable[[Any], Any]) -> Any:
    """A value as JSON; `kept` converts its parts."""
    if value is None or isinstance(value, bool | int | float | str):
        return value
    if isinstance(value, Base):
        return {"base": True}
    if isinstance(value, np.ndarray):
        return {"array": value.tolist(), "type": str(value.dtype), "shape": value.shape}
    if isinstance(value, np.generic):
        return value.item()
    kind = type(value).__name__
    if kind in RECORDS:
        return {"record": kind, "fields": {name: kept(getattr(value, name)) for name in _fields(value)}}
    if isinstance(value, tuple | list):
        return [kept(part) for part in value]
    raise TypeError(f"a state holds policies, numbers, text, evidence and tuples of them, got {kind}.")


def _restored(value: Any, restored: Callable[[Any], Any]) -> Any:
    """The value that `_plain` converted; `restored` converts its parts."""
    if isinstance(value, list):
        return tuple(restored(part) for part in value)
    if not isinstance(value, dict):
        return value
    if "base" in value:
        return BASE
    if "array" in value:
        if value["type"] not in ARRAYS:
            raise TypeError(f"an array of type {value['type']!r:.40}")
        try:
            return np.array(value["array"], dtype=value["type"]).reshape(value["shape"])
        except (ValueError, OverflowError) as error:
            raise TypeError(str(error)) from None
    name = value["record"]
    return (OLD_NAMES.get(name) or RECORDS[name])(
        **{field: restored(part) for field, part in value["fields"].items()}
    )


def _fields(value: Any) -> tuple[str, ...]:
    return getattr(value, "_fields", None) or tuple(value.__dataclass_fields__)


def _same(first: Draws, second: Draws) -> bool:
    return first.texts == second.texts and np.array_equal(first.prompt, second.prompt)
