"""Prompts that two texts have in common as their beginning."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from llm_backend.data.prompts import Message
from llm_backend.data.verdicts import Unfit

TURNS = re.compile(r"\n\n(Human|Assistant): ?")  # of dialogues written as one text


def split_off(first: str, second: str) -> tuple[str | None, Any, Any]:
    """The prompt that two texts begin with (None for dialogues, which hold their own), and their rest.

    Raises ValueError when the texts are equal, or have no word in common at their beginning.
    """
    dialogues = _dialogue(first), _dialogue(second)
    if all(dialogues):
        return None, *dialogues
    if first == second:
        raise Unfit("chosen equal to rejected")
    same = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    same = min(len(first), len(second)) if same is None else same
    cut = max(first.rfind(blank, 0, same) for blank in " \n\t")
    if cut <= 0:
        raise Unfit("no prompt: neither a column nor a common beginning")
    return first[:cut], first[cut:], second[cut:]


def repeated(rows: Sequence[Mapping[str, Any]], columns: tuple[str, str, str]) -> bool:
    """Whether both texts of every row begin with its whole prompt, of at least two words.

    columns : names of the prompt and of both texts. Rows with a cell that is no text do not count.
    """
    found = [[cell for cell in map(row.get, columns) if isinstance(cell, str) and cell] for row in rows]
    texts = [cells for cells in found if len(cells) == len(columns)]
    return bool(texts) and all(
        len(prompt.split()) > 1 and first.startswith(prompt) and second.startswith(prompt)
        for prompt, first, second in texts
    )


def _dialogue(text: str) -> list[Message]:
    """The messages of a dialogue of "Human:" and "Assistant:" in one text; empty for another text."""
    parts = TURNS.split(text)
    if parts[0].strip() or len(parts) < 3:
        return []
    roles = {"Human": "user", "Assistant": "assistant"}
    return [
        {"role": roles[who], "content": said.strip()}
        for who, said in zip(parts[1::2], parts[2::2], strict=True)
    ]
