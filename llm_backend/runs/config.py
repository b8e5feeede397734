"""The configuration of a run, a TOML file. Each section holds the parameters of the object it constructs.

[model] LanguageModel.from_pretrained   [data] prompts   [judge] a class of judges   [solver] one of pgames
[arena] TextArena   [roles] TextRoleArena, instead of [arena]   [fit] Fit
[evaluate] [run] [log] the classes below
"""

from __future__ import annotations

import os
import tomllib
from collections.abc import Mapping
from pathlib import Path

from pydantic import BaseModel, Field

from llm_backend.runs.errors import ConfigError
from llm_backend.runs.sections import FINITE, STRICT, unknown, validated

TINY = "tiny"  # the name of a model, and of prompts, generated on the spot


class RunSettings(BaseModel):
    """The number of rounds, the output folder, and the number of checkpoints to keep.

    With `shard`, each of several processes holds a shard of the weights (FSDP2): of the base's layers when
    adapters are trained, of everything when all weights are trained.
    """

    model_config = FINITE
    rounds: int = Field(default=3, ge=1)
    out: str = ""  # "" is runs/NAME for NAME.toml
    keep: int = Field(default=2, ge=1)
    shard: bool = False


class EvaluateSettings(BaseModel):
    """The measurements after a round, on fresh draws that never enter training.

    Every `every` rounds (0: never) the policy is compared with the reference and the policies of the last
    `past` rounds, with `samples` responses per prompt. The prompts are the last `held_out` of the data, which
    are not trained on, or the first `prompts` of those that are; by default so many that the evaluation draws
    at most half as many responses as the round, and at most 64.

    Every `gap_every` rounds (0: never) the exploitability is bounded from below at `tau` (by default the
    solver's target): best responses are trained, and these, the past policies, the reference and the last
    policies of the runs in the folders `rivals` are its opponents.

    At the end a page is written, with `page` replies per prompt of the last policy and of the reference
    (0: no page).
    """

    model_config = FINITE
    every: int = Field(default=1, ge=0)
    held_out: int = Field(default=0, ge=0)
    prompts: int | None = Field(default=None, ge=1)
    samples: int = Field(default=2, ge=2)
    past: int = Field(default=1, ge=0)
    gap_every: int = Field(default=0, ge=0)
    tau: float | None = Field(default=None, gt=0)
    page: int = Field(default=0, ge=0)
    rivals: list[str] = []


class LogSettings(BaseModel):
    """The trackers that get the numbers of log.jsonl. `wandb` and `trackio` name projects; "" is off."""

    model_config = FINITE
    tensorboard: bool = True
    wandb: str = ""
    trackio: str = ""


class Configuration(BaseModel):
    """A whole run. Tables are checked later, against the signatures of the objects they construct."""

    model_config = STRICT
    model: dict[str, object]
    data: dict[str, object]
    judge: dict[str, object] = {}  # empty: learned from data.pairs
    solver: dict[str, object]
    arena: dict[str, object] = {}
    roles: dict[str, object] = {}  # a game of an attacker and a defender, instead of [arena]
    fit: dict[str, object] = {}
    evaluate: EvaluateSettings = EvaluateSettings()
    run: RunSettings = RunSettings()
    log: LogSettings = LogSettings()

    @classmethod
    def parse(cls, values: Mapping[str, object], name: str = "run") -> Configuration:
        """A configuration from nested dictionaries. Raises ConfigError naming the key that is wrong."""
        for key, value in values.items():
            if key not in cls.model_fields:
                raise ConfigError(unknown(key, "the file", [f"[{name}]" for name in cls.model_fields]))
            if not isinstance(value, Mapping):
                raise ConfigError(f"{key} must be a table, [{key}], got {value!r}.")
        data = values.get("data", {})
        offline = isinstance(data, Mapping) and "pairs" in data
        for key in ("model", "data", *(() if offline else ("judge",)), "solver"):
            if key not in values:
                raise ConfigError(f"[{key}] is missing: a run needs [model], [data], [judge] and [solver].")
        if values.get("roles") and values.get("arena"):
            raise ConfigError("[arena] is not read beside [roles]: put its settings into [roles].")
        evaluate = validated(EvaluateSettings, "evaluate", values.get("evaluate", {}))
        run = validated(RunSettings, "run", values.get("run", {}))
        log = validated(LogSettings, "log", values.get("log", {}))
        if evaluate.past > run.keep:
            raise ConfigError(
                f"evaluate.past = {evaluate.past}: it must be at most run.keep = {run.keep}, so that a "
                "killed run still has those policies."
            )
        run = run if run.out else run.model_copy(update={"out": os.path.join("runs", name)})
        tables = {key: dict(value) for key, value in values.items() if isinstance(value, Mapping)}
        return cls.model_validate({**tables, "evaluate": evaluate, "run": run, "log": log})

    @classmethod
    def read(cls, path: str | os.PathLike[str]) -> Configuration:
        """The configuration of a TOML file. Raises ConfigError naming file and key."""
        values = values_of(path)
        try:
            return cls.parse(values, Path(path).stem)
        except ConfigError as error:
            raise ConfigError(f"{Path(path)}: {error}") from None

    def on(self, device: str) -> Configuration:
        """The same run on another device."""
        return self.model_copy(update={"model": {**self.model, "device": device}})

    def tiny(self) -> Configuration:
        """The same run at a toy's scale: a random model, eight prompts, the shorter response wins."""
        data = {key: value for key, value in self.data.items() if key in ("chat", "truncate")}
        if "per_round" in self.data:
            data["per_round"] = 4
        arena = {key: value for key, value in self.arena.items() if key != "engine"}
        rounds = min(self.run.rounds, 2)
        roles = _limited({**self.roles, "seeds": TINY}, samples=4, replies=2, fresh=2) if self.roles else {}
        roles = {key: value for key, value in roles.items() if key not in ("success", "fixed", "per_round")}
        return self.model_copy(
            update={
                "model": {"name": TINY, "lora": _at_most(4, self.model.get("lora", 4))},
                "data": {"source": TINY, **data},
                "judge": {"kind": "Rule", "score": "shorter", "cache": True},
                "arena": _limited(arena, samples=3, max_new_tokens=6),
                "roles": roles,
                "fit": _limited(self.fit, epochs=2, batch=4),
                "evaluate": self.evaluate.model_copy(
                    update={"held_out": 0, "prompts": 4, "samples": 2, "page": min(self.evaluate.page, 2)}
                ),
                "run": self.run.model_copy(update={"rounds": rounds, "out": f"{self.run.out}-tiny"}),
                "log": self.log.model_copy(update={"wandb": "", "trackio": ""}),
            }
        )

    def dump(self) -> dict[str, object]:
        """The configuration as JSON values."""
        return self.model_dump(mode="json")


def values_of(path: str | os.PathLike[str]) -> dict[str, object]:
    """The tables of a TOML file. Raises ConfigError naming the file."""
    file = Path(path)
    try:
        return tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError:
        raise ConfigError(f"{file} does not exist: pass the path of a .toml file.") from None
    except IsADirectoryError:
        raise ConfigError(f"{file} is a folder: pass the path of a .toml file.") from None
    except OSError as error:
        raise ConfigError(
            f"{file} cannot be read ({error.strerror}): pass the path of a .toml file."
        ) from None
    except RecursionError:
        raise ConfigError(f"{file} is not TOML that can be read: it is nested too deep.") from None
    except ValueError as error:  # tomllib, the encoding, a number of thousands of digits
        raise ConfigError(f"{file} is not TOML: {error}.") from None


def _limited(values: Mapping[str, object], **limits: int) -> dict[str, object]:
    return {**values, **{key: _at_most(top, values.get(key) or top) for key, top in limits.items()}}


def _at_most(top: int, value: object) -> object:
    """The smaller of the two. A value that is not a number is left to the check of its section."""
    return min(value, top) if isinstance(value, int | float) else value
