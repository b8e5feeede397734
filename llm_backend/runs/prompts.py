"""The prompts of a run, and a language model that reads them with the settings of [data]."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, NamedTuple

from llm_backend.constraints.prompts import prompts as constraint_prompts
from llm_backend.data import Prompt, encode_prompts, read_demonstrations, read_prompts
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.text import check_text
from llm_backend.runs.config import TINY
from llm_backend.runs.sections import Table, construct
from llm_backend.tiny import PROMPTS, tiny_language_model

CONSTRAINTS = "constraints"  # the name of the prompts of llm_backend.constraints


@dataclass(frozen=True)
class Reading:
    """How prompts become tokens: `longest` is in tokens, `per_round` the prompts of a round (None: all)."""

    chat: bool = True
    system: str | None = None
    truncate: Literal["left"] | None = None
    longest: int | None = None
    per_round: int | None = None


class Data(NamedTuple):
    """The prompts of [data], an expert's answers to them (or none), and how prompts become tokens."""

    prompts: list[Prompt]
    answers: list[str]
    reading: Reading

    @property
    def texts(self) -> list[str]:
        """The prompts as a judge reads them."""
        return [as_text(prompt) for prompt in self.prompts]


class PromptedModel(LanguageModel):
    """A language model that reads prompts with the settings of [data]: by chat template, or as plain text."""

    reading = Reading()
    room: int | None = None  # most tokens of a prompt
    conversations: Mapping[str, Prompt] = {}  # prompts of several messages, by their text

    def encode(self, prompt: str) -> list[int]:
        """Tokens of a prompt: by the chat template, or as plain text.

        Raises ValueError for a prompt that is not a text, is too long, or has tokens the model does not know.
        """
        asked, how = self.conversations.get(check_text(prompt), prompt), self.reading
        (tokens,) = encode_prompts(self.tokenizer, [asked], how.chat, how.system, self.room, how.truncate)
        return self.check_tokens(tokens, prompt)


def load_model(table: Table) -> PromptedModel:
    """The language model of [model]; lora = 0 stands for None. Raises ConfigError naming the key."""
    values = dict(table)
    if values.get("lora") == 0:  # TOML has no None
        values["lora"] = None
    if values.get("name") == TINY:
        del values["name"]
        return construct("model", tiny_language_model, values, kind=PromptedModel)
    return construct("model", PromptedModel.from_pretrained, values)  # type: ignore[return-value]


def read_data(table: Table) -> Data:
    """The prompts of [data]. Raises ConfigError naming the key, or the row that is not a prompt."""
    keys = {field.name for field in fields(Reading)}
    reading = construct("data", Reading, {key: value for key, value in table.items() if key in keys})
    source = {key: value for key, value in table.items() if key not in keys}
    if source.get("source") == TINY:
        return Data(list(PROMPTS), [], reading)
    if source.get("source") == CONSTRAINTS:
        del source["source"]
        return Data([row.prompt for row in construct("data", constraint_prompts, source)], [], reading)
    if (answers := source.pop("answers", None)) is None:
        return Data(construct("data", read_prompts, source), [], reading)
    columns = {"prompt": source.pop("column", "prompt"), "response": answers}
    shown = construct("data", read_demonstrations, {**columns, **source})
    return Data([one.prompt for one in shown], [one.response for one in shown], reading)


def as_text(prompt: Prompt) -> str:
    """A prompt as a judge reads it: the text of a single message, or the whole conversation."""
    if isinstance(prompt, str):
        return prompt
    if len(prompt) == 1:
        return prompt[0]["content"]
    return "\n\n".join(f"{message['role']}: {message['content']}" for message in prompt)
