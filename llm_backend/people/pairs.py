"""Pairs of responses that people compare, and files of such pairs."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llm_backend.data.prompts import Conversation, as_asked, checked, identity
from llm_backend.data.rows import read_rows
from pgames.files import atomic

LONGEST = 200_000  # characters of a text that the page shows


class Question(NamedTuple):
    """A pair of responses to a prompt.

    key : digest of the prompt and both texts, whatever their order.
    names : who gave each response, as a file of votes names the items.
    game : questions of one game compare the same items; a vote on one tells about the others.
    """

    key: str
    prompt: str
    texts: tuple[str, str]
    names: tuple[str, str]
    game: str = ""

    @classmethod
    def of(cls, prompt: str, texts: tuple[str, str], names: tuple[str, str], game: str = "") -> Question:
        """The question of a prompt and two texts, which are put in the order of texts.

        Halves of characters, which no page shows, are replaced.
        """
        prompt, texts = _plain(prompt) or "(empty prompt)", (_plain(texts[0]), _plain(texts[1]))
        if texts[1] < texts[0]:
            texts, names = (texts[1], texts[0]), (names[1], names[0])
        content = json.dumps([identity(prompt), *texts])
        return cls(hashlib.sha256(content.encode()).hexdigest()[:24], prompt, texts, names, game)


def _plain(text: str) -> str:
    if isinstance(text, Conversation):
        return Conversation([{**one, "content": _plain(one["content"])} for one in text.messages])
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


class Asked(NamedTuple):
    """Different questions, and lines on what was left out."""

    questions: tuple[Question, ...]
    told: tuple[str, ...] = ()


def distinct(questions: Sequence[Question], source: str) -> Asked:
    """Each pair once, without pairs of equal texts; lines count what is left out.

    Raises ValueError when no pair is left.
    """
    differ = [one for one in questions if one.texts[0] != one.texts[1]]
    kept: dict[str, Question] = {}
    for one in differ:
        kept.setdefault(one.key, one)
    told = []
    if equal := len(questions) - len(differ):
        told.append(f"{source}: {equal} pairs of equal texts are left out: there is nothing to compare.")
    if again := len(differ) - len(kept):
        told.append(f"{source}: {again} pairs have the texts of another pair; each is asked once.")
    if not kept:
        raise ValueError(f"{source} has no pair of different texts: there is nothing to compare.")
    return Asked(tuple(kept.values()), tuple(told))


def read_questions(path: str | Path, first: str = "first", second: str = "second") -> Asked:
    """The pairs of a .jsonl, .csv or .parquet file with the columns `prompt`, `first` and `second`.

    `first` and `second` name the columns of the texts. The items of a vote are named by the columns
    `first_name` and `second_name` where the file has them, and by the columns of the texts otherwise. A
    column `game` says which rows compare the same items; by default all do.

    Raises ValueError naming the row that is not a pair, or the column that is missing.
    """
    rows = read_rows(path, ["prompt", first, second], "train", None, ["first_name", "second_name", "game"])
    return distinct(
        [_question(row, f"{path}, row {i}", first, second) for i, row in enumerate(rows)], str(path)
    )


def write_questions(path: Path, questions: Sequence[Question]) -> None:
    """Write pairs as JSON lines that `read_questions` reads, atomically; no pair is an empty file."""
    with atomic(path, "w") as file:
        for one in questions:
            messages = getattr(one.prompt, "messages", None)
            row = {
                "prompt": str(one.prompt) if messages is None else list(messages),
                "first": one.texts[0],
                "second": one.texts[1],
                "first_name": one.names[0],
                "second_name": one.names[1],
                "game": one.game,
            }
            file.write(json.dumps(row) + "\n")


def _question(row: dict[str, Any], place: str, first: str, second: str) -> Question:
    """Raises ValueError naming the place of a row that is not a pair."""
    texts = row[first], row[second]
    for column, text in zip((first, second), texts, strict=True):
        if not isinstance(text, str):
            raise ValueError(f"{place}, column {column!r}: a response is a text, got {text!r:.60}.")
        if len(text) > LONGEST:
            raise ValueError(
                f"{place}, column {column!r}: {len(text):,} characters, more than the {LONGEST:,} that a "
                "page shows; shorten it."
            )
    names = str(row.get("first_name") or first), str(row.get("second_name") or second)
    if names[0] == names[1]:
        raise ValueError(f"{place}: both responses are by {names[0]!r}, so a vote tells nothing; rename one.")
    prompt = as_asked(checked(row["prompt"], f"{place}, column 'prompt'"))
    return Question.of(prompt, texts, names, str(row.get("game") or ""))
