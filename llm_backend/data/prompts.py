"""Prompts and demonstrations, read and checked."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from llm_backend.data.rows import read_rows

Prompt = str | list[dict[str, str]]  # a text, or messages {"role": ..., "content": ...}


class Demonstration(NamedTuple):
    """An expert's answer to a prompt."""

    prompt: Prompt
    response: str


def read_prompts(
    source: str | Path, column: str = "prompt", split: str = "train", limit: int | None = None
) -> list[Prompt]:
    """The prompts in `column` of a .jsonl or .parquet file, a folder saved by `datasets`, or a hub data set.

    A prompt is a text or a list of messages. `split` selects a split of a data set; `limit` is the number of
    rows to read, from the first. Raises ValueError naming the row for a value that is not a prompt.
    """
    rows = read_rows(source, [column], split, limit)
    return [checked(row[column], f"{source}, row {i}, column {column!r}") for i, row in enumerate(rows)]


def read_demonstrations(
    source: str | Path,
    prompt: str = "prompt",
    response: str = "response",
    split: str = "train",
    limit: int | None = None,
) -> list[Demonstration]:
    """The (prompt, response) pairs of an expert; sources as for `read_prompts`.

    If a response is a conversation, its last message is used, which must be the assistant's. Raises
    ValueError naming the row for an empty response, a response that is not a text, or an invalid prompt.
    """
    out = []
    for i, row in enumerate(read_rows(source, [prompt, response], split, limit)):
        place = f"{source}, row {i}"
        answer = row[response]
        if isinstance(answer, list) and answer and answer[-1].get("role") == "assistant":
            answer = answer[-1].get("content")
        if not isinstance(answer, str) or not answer:
            raise ValueError(
                f"{place}, column {response!r}: a response is a text of length > 0, got {answer!r}."
            )
        out.append(Demonstration(checked(row[prompt], f"{place}, column {prompt!r}"), answer))
    return out


def checked(value: Any, place: str) -> Prompt:
    """The value as a prompt. Raises ValueError naming its place when it is not one."""
    if isinstance(value, str):
        if not value:
            raise ValueError(f"{place}: the prompt is empty; remove the row.")
        return value
    good = isinstance(value, list) and all(
        isinstance(message, dict)
        and isinstance(message.get("role"), str)
        and isinstance(message.get("content"), str)
        for message in value
    )
    if not good or not value:
        raise ValueError(
            f"{place}: a prompt is a text or a list of {{'role', 'content'}}, got {value!r:.80}."
        )
    if value[-1]["role"] == "assistant":
        raise ValueError(
            f"{place}: the conversation ends with the assistant, so there is nothing left to answer; "
            "drop its last message, or read it with read_demonstrations."
        )
    return [{"role": message["role"], "content": message["content"]} for message in value]
