"""The prompts of a run, and how its language model reads them."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

from llm_backend.constraints.prompts import prompts as constraint_prompts
from llm_backend.data import (
    Pair,
    Reading,
    as_asked,
    prompts_of,
    read_demonstrations,
    read_pairs,
    read_prompts,
)
from llm_backend.models.language_model import LanguageModel
from llm_backend.runs.config import TINY
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.sections import Table, construct
from llm_backend.tiny import PROMPTS, tiny_language_model

CONSTRAINTS = "constraints"  # the name of the prompts of llm_backend.constraints
READ = ("chat", "system", "template_arguments")  # keys of [data], not of [model]


class Data(NamedTuple):
    """The prompts of [data], an expert's answers to each (or none), how they are read, prompts per round.

    `pairs` are judged pairs of responses to the prompts, or none.
    """

    prompts: list[str]
    answers: list[list[str]]
    reading: Reading
    per_round: int | None
    pairs: list[Pair] = []  # noqa: RUF012


def load_model(table: Table, reading: Reading) -> LanguageModel:
    """The language model of [model]; lora = 0 stands for None. Raises ConfigError naming the key."""
    values = dict(table)
    if values.get("lora") == 0:  # TOML has no None
        values["lora"] = None
    if values.get("name") == TINY:
        del values["name"]
        lm = construct("model", tiny_language_model, values, kind=LanguageModel)
        return lm.reads(reading)
    read = {key: getattr(reading, key) for key in READ}
    return construct("model", LanguageModel.from_pretrained, values, **read)


def read_data(table: Table) -> Data:
    """The prompts of [data]. Raises ConfigError naming the key, or the row that is not a prompt."""
    rest = dict(table)
    per_round = construct("data", _per_round, {key: rest.pop(key) for key in ("per_round",) if key in rest})
    keys = {field.name for field in fields(Reading)}
    reading = construct("data", Reading, {key: rest.pop(key) for key in keys & rest.keys()})
    if "source" in rest and "pairs" in rest:
        raise ConfigError("data.source and data.pairs exclude each other: pairs are a source of prompts too.")
    if rest.get("source") == TINY:
        del rest["source"]
        construct("data", _no_more, rest)
        return Data(list(PROMPTS), [], reading, per_round)
    if rest.get("source") == CONSTRAINTS:
        del rest["source"]
        asked = [row.prompt for row in construct("data", constraint_prompts, rest)]
        return Data(asked, [], reading, per_round)
    if "pairs" in rest:
        rest = {"source": rest.pop("pairs"), "prompt": rest.pop("column", "prompt"), **rest}
        pairs = construct("data", read_pairs, rest)
        prompts = prompts_of(pairs)
        chosen: dict[str, list[str]] = {prompt: [] for prompt in prompts}
        for pair in pairs:
            chosen[as_asked(pair.prompt)].append(pair.chosen)
        return Data(prompts, list(chosen.values()), reading, per_round, pairs)
    if (answers := rest.pop("answers", None)) is None:
        asked, said = construct("data", read_prompts, rest), []
    else:
        columns = {"prompt": rest.pop("column", "prompt"), "response": answers}
        shown = construct("data", read_demonstrations, {**columns, **rest})
        asked, said = [one.prompt for one in shown], [[one.response] for one in shown]
    return Data([as_asked(prompt) for prompt in asked], said, reading, per_round)


def _per_round(per_round: int | None = None) -> int | None:
    return per_round


def _no_more() -> None:
    """What prompts that are generated take beside how they are read: nothing."""
