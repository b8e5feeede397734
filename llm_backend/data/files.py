"""Prompts and an expert's answers, read from files and data sets."""

from __future__ import annotations

from pathlib import Path
from typing import Any, NamedTuple

from llm_backend.data.messages import messages_in
from llm_backend.data.prompts import (
    Message,
    Prompt,
    check_characters,
    checked,
    is_conversation,
    messages_of,
)
from llm_backend.data.rows import no_column, read_rows

WHOLE = ("messages", "conversations")  # the columns of whole conversations, in data sets that have one
SYSTEM = "system"  # the column of a system text, in data sets that have one


class Demonstration(NamedTuple):
    """An expert's answer to a prompt."""

    prompt: Prompt
    response: str


def read_prompts(
    source: str | Path, column: str = "prompt", split: str = "train", limit: int | None = None
) -> list[Prompt]:
    """The prompts in `column` of a file, a folder saved by `datasets`, or a hub data set.

    Files are .jsonl, .ndjson, .json (an array of objects), .csv, .tsv (all of these also as .gz) or .parquet.
    A prompt is a text or a list of messages, also in the form of ShareGPT, with parts of text, or written as
    JSON in a text; a column `system` holds the system text of each. `split` selects a split of a data set;
    `limit` is the number of rows to read, from the first.

    Raises ValueError naming the row for a value that is not a prompt.
    """
    rows = read_rows(source, [column], split, limit, [SYSTEM])
    out = []
    for i, row in enumerate(rows):
        place = f"{source}, row {i}"
        prompt = checked(row[column], f"{place}, column {column!r}")
        out.append(prompt if column == SYSTEM else under(prompt, row.get(SYSTEM), place))
    return out


def read_demonstrations(
    source: str | Path,
    prompt: str = "prompt",
    response: str = "response",
    split: str = "train",
    limit: int | None = None,
) -> list[Demonstration]:
    """The (prompt, response) pairs of an expert; sources as for `read_prompts`.

    If a response is a conversation, its last message is the answer, which must be the assistant's, and the
    messages before it are the prompt. They must agree with the prompt's column; without one, or with the same
    name for both columns, they are taken as they are. A file with neither column may have one of `messages`
    or `conversations`.
    Raises ValueError naming the row for an empty response, a response that is not a text, an invalid prompt,
    and an answer to another conversation.
    """
    rows = read_rows(source, [], split, limit, [prompt, response, *WHOLE, SYSTEM])
    out = []
    for i, row in enumerate(rows):
        place = f"{source}, row {i}"
        others = WHOLE if response == "response" else ()
        column = response if response in row else next((name for name in others if name in row), response)
        if column not in row:
            raise no_column(source, response, row, f"row {i} ")
        asked, answer = row.get(prompt) if prompt != column else None, messages_in(row[column], place)
        if asked is None and not isinstance(answer, list):
            raise no_column(source, prompt, row, f"row {i} ")
        x, y = answered(asked, answer, place, prompt, column)
        out.append(Demonstration(under(x, row.get(SYSTEM), place), y))
    return out


def under(prompt: Prompt, system: Any, place: str) -> Prompt:
    """The prompt under the system text of its row, where there is one.

    Raises ValueError naming the place for a system that is not a text, and for a second one.
    """
    if system is None or system == "":
        return prompt
    if not isinstance(system, str):
        raise ValueError(f"{place}, column {SYSTEM!r}: a system text is a text, got {system!r:.60}.")
    messages = messages_of(prompt)
    if messages[0]["role"] != "system":
        return [{"role": "system", "content": system}, *messages]
    if messages[0]["content"] != system:
        raise ValueError(
            f"{place}: the column {SYSTEM!r} and the conversation have different system texts; remove one."
        )
    return prompt


def answered(
    prompt: Any, answer: Any, place: str, prompt_column: str, answer_column: str
) -> tuple[Prompt, str]:
    """A prompt and the text that answers it, from a prompt (or None) and a text or a whole conversation.

    Raises ValueError naming the place when they do not fit.
    """
    where = f"{place}, column {answer_column!r}"
    asked = None if prompt is None else checked(prompt, f"{place}, column {prompt_column!r}")
    answer = messages_in(answer, where)
    if isinstance(answer, str) and answer and asked is not None:
        check_characters(answer, where)
        return asked, answer
    if not is_conversation(answer) or not answer or answer[-1]["role"] != "assistant":
        raise ValueError(
            f"{where}: a response is a text of length > 0, got {answer!r:.80}: pass a text, or messages of "
            "which the assistant's is the last."
        )
    text, context = answer[-1]["content"], list(answer[:-1])
    if not text:
        raise ValueError(f"{where}: a response is a text of length > 0, got {text!r}.")
    check_characters(text, where)
    if asked is not None and (not context or context[0]["role"] == "assistant"):
        context = [*messages_of(asked), *context]
        return (asked if len(answer) == 1 else checked(context, where)), text
    context = checked(context, where)
    assert not isinstance(context, str)
    if asked is None:
        return context, text
    if not (shared := _agreed(messages_of(asked), context)):
        raise ValueError(
            f"{place}: the answer in {answer_column!r} belongs to a conversation that begins with "
            f"{context[0]['content']!r:.60}, the prompt is {str(asked)!r:.60}: remove the row, or read the "
            f"prompt from the conversation (prompt={answer_column!r})."
        )
    return (asked if shared == messages_of(asked) else shared), text


def _agreed(asked: list[Message], context: list[Message]) -> list[Message]:
    """The messages before an answer where they go on from those of the prompt, else an empty list."""
    system = [one for one in asked[:1] if one["role"] == "system"]
    ours = asked[len(system) :]
    theirs = context[1:] if context[0]["role"] == "system" else context
    if system and len(theirs) < len(context) and system[0] != _plain(context[0]):
        return []
    whole = [
        *(system or [_plain(one) for one in context[: len(context) - len(theirs)]]),
        *map(_plain, theirs),
    ]
    if [_plain(one) for one in theirs[: len(ours)]] == ours:
        return whole
    return whole if len(ours) == 1 and theirs and _plain(theirs[-1]) == ours[0] else []


def _plain(message: Message) -> Message:
    return {"role": message["role"], "content": message["content"]}
