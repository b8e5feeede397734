"""What a configuration describes, made: the solver, the judge, the prompts, the model, the arena."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from types import UnionType
from typing import Any, Literal, NamedTuple, Union, get_args, get_origin

from numpy.typing import ArrayLike

from llm_backend import judges
from llm_backend.arena import TextArena
from llm_backend.data import Prompt, encode_prompts, read_demonstrations, read_prompts
from llm_backend.engines.vllm import VLLM
from llm_backend.fits.fit import Fit
from llm_backend.judges.shared import AbsentJudge, SharedJudge
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.text import check_text
from llm_backend.processes.workers import workers
from llm_backend.runs.config import TINY, ConfigError, Configuration, Reader, made, settings
from llm_backend.spaces.recorded import Recorded
from llm_backend.spaces.shared import Shared
from llm_backend.tiny import PROMPTS, tiny_language_model
from pgames import names
from pgames.arena import PairLoss, Solver

GIVEN = ("lm", "prompts", "judge", "fit", "folder", "expert", "per_round")  # of TextArena, not in [arena]


class Made(NamedTuple):
    """What a run plays with; `measured` has the prompts measured on, `data` is a digest of all prompts."""

    solver: Any
    arena: TextArena
    measured: TextArena
    data: str


class Prompted(LanguageModel):
    """A language model that reads prompts as [data] says: by its chat template or as plain text."""

    chat, system, truncate = True, None, None
    room: int | None = None  # tokens a prompt may have
    conversations: Mapping[str, Prompt] = {}  # prompts of several messages, by their text

    def encode(self, prompt: str) -> list[int]:
        """The tokens after which a response to the prompt begins."""
        asked = self.conversations.get(check_text(prompt), prompt)
        reading = (self.chat, self.system, self.room, self.truncate)
        return self.check_tokens(encode_prompts(self.tokenizer, [asked], *reading)[0], prompt)


def build(config: Configuration, folder: Path) -> Made:
    """Solver, judge, model and arenas; the cheap ones first, so that a wrong key costs no loading."""
    solver = build_solver(config.solver)
    how = made("fit", Fit, config.fit)
    arena = settings("arena", TextArena, config.arena, GIVEN, _special)
    prompts, answers, reading = _prompts(config)
    held: list[Any] = []
    workers().once(lambda: held.append(_cached(config, folder)))
    judge = held[0] if held else AbsentJudge()
    if config.run.shard and workers().size == 1:
        raise ConfigError(
            "run.shard needs several processes: start them with accelerate launch, or unset it."
        )
    lm = _model(config)
    if config.run.shard:
        lm.shard()
    lm.conversations = {_text(prompt): prompt for prompt in prompts if not isinstance(prompt, str)}
    lm.chat, lm.system, lm.truncate = reading["chat"], reading["system"], reading["truncate"]
    most = arena.get("max_new_tokens", 256) if arena.get("responses") is None else 0
    if lm.context is not None and most >= lm.context:
        raise ConfigError(
            f"arena.max_new_tokens = {most}: it must leave room for a prompt in a context of {lm.context}."
        )
    room = lm.context and lm.context - most
    lm.room = min(filter(None, (room, reading["longest"])), default=None)
    texts = [_text(prompt) for prompt in prompts]
    kept = len(texts) - config.evaluate.held_out
    if kept < 1:
        raise ConfigError(
            f"evaluate.held_out = {config.evaluate.held_out}: it must leave some of the {len(texts)} prompts."
        )
    measured = slice(kept, None) if kept < len(texts) else slice(config.evaluate.prompts)

    def arena_of(some: slice, size: int | None = None) -> TextArena:
        expert = {"expert": [[answer] for answer in answers[some]]} if answers else {}
        try:
            played = TextArena(lm, texts[some], judge, fit=how, per_round=size, **expert, **arena)
        except (ValueError, TypeError) as error:
            raise ConfigError(f"[arena] {error}") from error
        space, asked = played.space, played.judge
        if workers().size > 1:
            asked = SharedJudge(asked)
            space = space if played.listed else Shared(space)  # each process computes the table of a list
        return played.within(replace(played.context, judge=asked, space=Recorded(space, folder / "draws")))

    size = reading["per_round"]
    if size is not None and not 1 <= size <= kept:
        raise ConfigError(f"data.per_round = {size}: it must be from 1 to {kept}, the number of prompts.")
    played = arena_of(slice(kept), size)
    other = played if texts[measured] == played.prompts else arena_of(measured)
    read = json.dumps([texts, answers, played.space.sampling.prompts, other.space.sampling.prompts])
    return Made(solver, played, other, hashlib.sha256(read.encode()).hexdigest())


def _model(config: Configuration) -> Prompted:
    values = dict(config.model)
    if values.get("lora") == 0:  # TOML has no None
        values["lora"] = None
    if values.get("name") == TINY:
        return made(
            "model", tiny_language_model, {k: v for k, v in values.items() if k != "name"}, kind=Prompted
        )
    return made("model", Prompted.from_pretrained, values)


def _prompts(config: Configuration) -> tuple[list[Prompt], list[str], dict[str, Any]]:
    """The prompts of [data], an expert's answers to them if there are any, and how they are read."""
    reading = settings("data", _reading, {k: v for k, v in config.data.items() if k in READING})
    rest = {key: value for key, value in config.data.items() if key not in READING}
    if rest.get("source") == TINY:
        return list(PROMPTS), [], _reading(**reading)
    if (answers := rest.pop("answers", None)) is None:
        return made("data", read_prompts, rest), [], _reading(**reading)
    renamed = {"prompt": rest.pop("column", "prompt"), "response": answers, **rest}
    shown = made("data", read_demonstrations, renamed)
    return [one.prompt for one in shown], [one.response for one in shown], _reading(**reading)


READING = ("chat", "system", "truncate", "longest", "per_round")


def _reading(
    chat: bool = True,
    system: str | None = None,
    truncate: Literal["left"] | None = None,
    longest: int | None = None,
    per_round: int | None = None,
) -> dict[str, Any]:
    """How prompts are read: `longest` is in tokens, `per_round` how many each round plays (None: all)."""
    return {"chat": chat, "system": system, "truncate": truncate, "longest": longest, "per_round": per_round}


def _text(prompt: Prompt) -> str:
    """What a judge reads: the message when there is one, else the conversation."""
    if isinstance(prompt, str):
        return prompt
    if len(prompt) == 1:
        return prompt[0]["content"]
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in prompt)


def _cached(config: Configuration, folder: Path) -> Any:
    """The judge, remembering its answers in the run's folder unless it is a rule or a table."""
    values = dict(config.judge)
    wanted = values.pop("cache", values.get("kind") not in ("Rule", "Table"))
    judge = build_judge(values)
    return judges.Cached(judge, folder / "judge.jsonl") if wanted else judge


# -- by name --------------------------------------------------------------------------------------------

JUDGES = ("Chat", "LogProb", "Majority", "Pairwise", "RewardModel", "Rule", "Table")
RULES = ("arithmetic", "longer", "shorter")


def build_solver(values: Mapping[str, Any], section: str = "solver") -> Any:
    """A solver from {"name": its name in pgames or package.module:Class, its fields}.

    Raises ConfigError naming the key.
    """
    name, rest = _required(values, "name", section, names.solvers())
    try:
        make = names.solver_class(name)
    except ValueError as error:
        raise ConfigError(f"{section}.name = {name!r}: {error}") from None
    return made(section, make, rest, _special)


def build_judge(values: Mapping[str, Any], section: str = "judge") -> Any:
    """A judge from {"kind": a class of `judges`, its parameters}; a model is loaded from `path`."""
    kind, rest = _taken(values, "kind", section, JUDGES)
    make = getattr(judges, kind)
    if kind == "Rule" and "name" not in rest:  # what its cache is known by
        rest["name"] = str(rest.get("score", rest.get("prefer")))
    return made(section, getattr(make, "from_pretrained", make), rest, _special)


def function_named(section: str, text: str) -> Callable[..., Any]:
    """`arithmetic`, `matches:REGEX` or `package.module:name`; raises ConfigError when there is none."""
    head, _, tail = text.partition(":")
    if head in RULES and not tail:
        return getattr(judges.rules, head)
    if head == "matches":
        try:
            return judges.rules.matches(tail)
        except ValueError as error:
            raise ConfigError(f"{section} = {text!r}: {error}") from None
    try:
        return names.imported(text)
    except ValueError as error:
        raise ConfigError(
            f"{section} = {text!r} is no function ({error}): use {', '.join(RULES)}, matches:REGEX, or "
            "package.module:name of your own."
        ) from None


def _required(values: Mapping[str, Any], key: str, section: str, known: Any) -> tuple[Any, dict[str, Any]]:
    rest = dict(values)
    if key not in rest:
        raise ConfigError(f"{section}.{key} is missing: it is one of {', '.join(known)}.")
    return rest.pop(key), rest


def _taken(values: Mapping[str, Any], key: str, section: str, known: Any) -> tuple[str, dict[str, Any]]:
    name, rest = _required(values, key, section, known)
    if name not in known:
        raise ConfigError(f"{section}.{key} = {name!r}: {names.one_of(str(name), known)}")
    return name, rest


def _special(hint: Any) -> tuple[Any, Reader] | None:
    """How the file says what is no number: solvers, judges and losses by name, functions as module:name."""
    if hint == ArrayLike:
        return list[Any], lambda section, values: values
    for part in (hint, *get_args(hint)) if get_origin(hint) in (Union, UnionType) else (hint,):
        if part is Solver:
            return dict[str, Any], lambda section, values: build_solver(values, section)
        if part is VLLM:
            return dict[str, Any], lambda section, values: made(section, VLLM, values)
        if part is judges.Judge:
            return dict[str, Any], lambda section, values: build_judge(values, section)
        if part is PairLoss:
            return str, _loss
        if get_origin(part) is Sequence and get_args(part) == (judges.Judge,):
            return list[dict[str, Any]], _several
        if get_origin(part) is Callable:
            return str, function_named
    return None


def _several(section: str, values: list[Mapping[str, Any]]) -> list[Any]:
    return [build_judge(one, f"{section}[{i}]") for i, one in enumerate(values)]


def _loss(section: str, name: str) -> PairLoss:
    try:
        return names.loss(name)
    except ValueError as error:
        raise ConfigError(f"{section} = {name!r}: {error}") from None
