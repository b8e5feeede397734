"""A run as a TOML file. A section holds the parameters of what it makes, and is checked before that is made.

[model] LanguageModel.from_pretrained   [data] prompts   [judge] a class of judges   [solver] one of pgames
[arena] TextArena   [fit] Fit   [evaluate] [run] [log] the classes below
"""

from __future__ import annotations

import dataclasses
import difflib
import inspect
import json
import os
import tomllib
import types
import typing
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, TypeVar, get_args, get_origin

from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

STRICT = ConfigDict(extra="forbid", strict=True, frozen=True)
M = TypeVar("M", bound=BaseModel)
TINY = "tiny"  # the name of a model and of prompts made on the spot


class ConfigError(ValueError):
    """One line that names the key, what it was and what is allowed."""


class RunSettings(BaseModel):
    """Rounds to play, where everything is written, and how many rounds' checkpoints are kept.

    `shard`: of several processes each holds a share of the weights (FSDP2): of the base's layers while it
    trains adapters, of everything when all weights are trained.
    """

    model_config = STRICT
    rounds: int = Field(3, ge=1)
    out: str = ""  # "" is runs/NAME for NAME.toml
    keep: int = Field(2, ge=1)
    shard: bool = False


class EvaluateSettings(BaseModel):
    """What is measured after a round, on fresh samples that never feed back into training.

    Every `every` rounds (0: never) the policy meets the reference and the policies of the last `past` rounds,
    `samples` responses to a prompt; every `gap_every` rounds (0: never) a best response is trained against
    it, at `tau` (the solver's by default). The prompts are the last `held_out` of the data, which are not
    trained on, or the first `prompts` that are.
    """

    model_config = STRICT
    every: int = Field(1, ge=0)
    held_out: int = Field(0, ge=0)
    prompts: int = Field(64, ge=1)
    samples: int = Field(2, ge=2)
    past: int = Field(1, ge=0)
    gap_every: int = Field(0, ge=0)
    tau: float | None = Field(None, gt=0)


class LogSettings(BaseModel):
    """Where numbers go beside log.jsonl; `wandb` and `trackio` are names of projects, "" is off."""

    model_config = STRICT
    tensorboard: bool = True
    wandb: str = ""
    trackio: str = ""


class Configuration(BaseModel):
    """A whole run. The sections that are tables here are checked against the signature of what they make."""

    model_config = STRICT
    model: dict[str, Any]
    data: dict[str, Any]
    judge: dict[str, Any]
    solver: dict[str, Any]
    arena: dict[str, Any] = {}
    fit: dict[str, Any] = {}
    evaluate: EvaluateSettings = EvaluateSettings()  # type: ignore[call-arg]
    run: RunSettings = RunSettings()  # type: ignore[call-arg]
    log: LogSettings = LogSettings()  # type: ignore[call-arg]

    @classmethod
    def parse(cls, values: Mapping[str, Any], name: str = "run") -> Configuration:
        """A configuration from nested dictionaries. Raises ConfigError naming the key that is wrong."""
        typed = {"evaluate": EvaluateSettings, "run": RunSettings, "log": LogSettings}
        sections: dict[str, Any] = {}
        for key, value in values.items():
            if key not in cls.model_fields:
                raise ConfigError(_unknown(key, "the file", [f"[{name}]" for name in cls.model_fields]))
            if not isinstance(value, Mapping):
                raise ConfigError(f"{key} must be a table, [{key}], got {value!r}.")
            sections[key] = checked(typed[key], key, value) if key in typed else dict(value)
        for key in ("model", "data", "judge", "solver"):
            if key not in sections:
                raise ConfigError(f"[{key}] is missing: a run needs [model], [data], [judge] and [solver].")
        run = sections.get("run", RunSettings())  # type: ignore[call-arg]
        past = sections.get("evaluate", EvaluateSettings()).past  # type: ignore[call-arg]
        if past > run.keep:
            raise ConfigError(
                f"evaluate.past = {past}: it must be at most run.keep = {run.keep}, to be there after a kill."
            )
        sections["run"] = run if run.out else run.model_copy(update={"out": os.path.join("runs", name)})
        return cls(**sections)

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Configuration:
        """The configuration of a TOML file. Raises ConfigError naming file and key."""
        file = Path(path)
        try:
            values = tomllib.loads(file.read_text(encoding="utf-8"))
        except FileNotFoundError:
            raise ConfigError(f"{file} does not exist: pass the path of a .toml file.") from None
        except IsADirectoryError:
            raise ConfigError(f"{file} is a folder: pass the path of a .toml file.") from None
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ConfigError(f"{file} is not TOML: {error}.") from None
        try:
            return cls.parse(values, file.stem)
        except ConfigError as error:
            raise ConfigError(f"{file}: {error}") from None

    def tiny(self) -> Configuration:
        """The same run at a toy's scale: a random model, eight prompts, the shorter response wins."""

        def at_most(values: Mapping[str, Any], **limits: int) -> dict[str, Any]:
            return {**values, **{key: min(values.get(key) or top, top) for key, top in limits.items()}}

        return self.model_copy(
            update={
                "model": {"name": TINY, "lora": min(self.model.get("lora", 4), 4)},
                "data": {
                    "source": TINY,
                    **{k: v for k, v in self.data.items() if k in ("chat", "truncate")},
                    **({"per_round": 4} if "per_round" in self.data else {}),
                },
                "judge": {"kind": "Rule", "score": "shorter", "cache": True},
                "arena": at_most(
                    {key: value for key, value in self.arena.items() if key != "engine"},
                    samples=3,
                    max_new_tokens=6,
                ),
                "fit": at_most(self.fit, epochs=2, batch=4),
                "evaluate": self.evaluate.model_copy(update={"held_out": 0, "prompts": 4, "samples": 2}),
                "run": self.run.model_copy(
                    update={"rounds": min(self.run.rounds, 2), "out": f"{self.run.out}-tiny"}
                ),
                "log": self.log.model_copy(update={"wandb": "", "trackio": ""}),
            }
        )

    def dump(self) -> dict[str, Any]:
        """The configuration as JSON takes it."""
        return self.model_dump(mode="json")


def checked(model: type[M], section: str, values: Any) -> M:
    """An instance of `model` from the table [section]. Raises ConfigError naming `section.key`."""
    if not isinstance(values, Mapping):
        raise ConfigError(f"{section} must be a table, [{section}], got {values!r}.")
    for key in values:
        if key not in model.model_fields:
            raise ConfigError(_unknown(f"{section}.{key}", f"[{section}]", list(model.model_fields)))
    try:
        return model.model_validate_json(json.dumps(values))  # as JSON, lists are tuples too
    except TypeError as error:
        raise ConfigError(f"[{section}] holds what is no number, text, list or table: {error}.") from None
    except ValidationError as error:
        first = error.errors()[0]
        key = f"{section}.{first['loc'][0]}"
        if first["type"] == "missing":
            raise ConfigError(f"{key} is missing: [{section}] needs it.") from None
        wanted = first["msg"].removeprefix("Input should be ").replace("an object", "a table")
        raise ConfigError(f"{key} = {values[first['loc'][0]]!r}: it must be {wanted}.") from None


def _unknown(key: str, where: str, allowed: Sequence[str]) -> str:
    near = difflib.get_close_matches(key.rpartition(".")[2], allowed, 1)
    hint = f" Did you mean {near[0]}?" if near else ""
    return f"{key} is unknown: {where} takes {', '.join(allowed) or 'nothing'}.{hint}"


# -- what a section may hold: the parameters of what it makes -------------------------------------------

Reader = Callable[[str, Any], Any]  # (section.key, what the file says) -> the argument
Special = Callable[[Any], "tuple[Any, Reader] | None"]  # a type -> (the type in the file, how to read it)


def settings(
    section: str,
    make: Callable[..., Any],
    values: Mapping[str, Any],
    given: Sequence[str] = (),
    special: Special = lambda hint: None,
) -> dict[str, Any]:
    """The keyword arguments of `make` in a section, checked against its signature; `given` are set elsewhere.

    A parameter that is a dataclass is a table inside the section; `special` says how to read other types.
    """
    fields: dict[str, Any] = {}
    readers: dict[str, Reader] = {}
    hints = _hints(make)
    for name, parameter in inspect.signature(make).parameters.items():
        if name in given or parameter.kind in (parameter.VAR_KEYWORD, parameter.VAR_POSITIONAL):
            continue
        kind, reader = _readable(hints.get(name)), None
        if (found := special(hints.get(name)) or _nested(hints.get(name), special)) is not None:
            kind, reader = found
        if kind is not None:
            fields[name] = (kind, ... if parameter.default is parameter.empty else None)
        if reader is not None:
            readers[name] = reader
    read = checked(create_model(_name(make), __config__=STRICT, **fields), section, values)
    out = {name: getattr(read, name) for name in values}
    return {k: readers[k](f"{section}.{k}", v) if k in readers else v for k, v in out.items()}


def made(
    section: str,
    make: Callable[..., Any],
    values: Mapping[str, Any],
    special: Special = lambda hint: None,
    **others: Any,
) -> Any:
    """make(**settings, **others); what `make` refuses is told as a ConfigError of the section."""
    arguments = settings(section, make, values, tuple(others), special)
    try:
        return make(**arguments, **others)
    except ConfigError:
        raise
    except (ValueError, TypeError, OSError) as error:
        raise ConfigError(f"[{section}] {error}") from error


def _name(make: Callable[..., Any]) -> str:
    return getattr(make, "__name__", type(make).__name__)


def _hints(make: Callable[..., Any]) -> dict[str, Any]:
    plain = inspect.isclass(make) and not dataclasses.is_dataclass(make)
    return typing.get_type_hints(make.__init__ if plain else make)  # type: ignore[misc]


def _nested(hint: Any, special: Special) -> tuple[Any, Reader] | None:
    if inspect.isclass(hint) and dataclasses.is_dataclass(hint):
        return dict[str, Any], lambda section, values: made(section, hint, values, special)
    return None


def _readable(hint: Any) -> Any:
    """The part of a type that TOML can hold, or None when there is none."""
    origin, inside = get_origin(hint), get_args(hint)
    if hint in (bool, int, float, str, type(None)) or origin is Literal:
        return hint
    if origin in (typing.Union, types.UnionType):
        kept = [part for part in map(_readable, inside) if part not in (None, type(None))]
        return typing.Union[(*kept, None)] if kept else None
    if origin in (tuple, list, Sequence):
        kept = [_readable(part) for part in inside if part is not Ellipsis]
        if None in kept:
            return None
        return tuple[tuple(kept)] if origin is tuple and Ellipsis not in inside else list[kept[0]]
    return dict[str, Any] if origin in (dict, Mapping) else None
