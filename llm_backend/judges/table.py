"""Table: a judge that reads its answers from a matrix of preferences."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from llm_backend.judges.base import JudgeError, check_batch, excerpt
from pgames import PreferenceGame


class Table:
    """P(first > second) looked up by text.

    Parameters
    ----------
    P : float64[Y, Y], or float64[X, Y, Y] with one table per prompt; P + P' = 1.
    responses : Y texts, or one list of Y texts per prompt; matched exactly.
    prompts : X texts, needed when prompts have their own tables or responses; else any prompt is accepted.

    Raises ValueError when table, responses and prompts do not fit; `prefer` raises JudgeError for a response
    or prompt that the table does not know.
    """

    as_is = True

    def __init__(
        self,
        P: ArrayLike,
        responses: Sequence[str] | Sequence[Sequence[str]],
        prompts: Sequence[str] | None = None,
    ):
        table = PreferenceGame(P).P
        shared = not len(responses) or isinstance(responses[0], str)
        lists = [list(cast(Sequence[str], responses))] if shared else [list(some) for some in responses]
        several = len(table) > 1 or len(lists) > 1
        if several and prompts is None:
            raise ValueError(
                f"Table: {max(len(table), len(lists))} prompts have their own table or responses: "
                "pass prompts=[...] to tell them apart."
            )
        self._prompts = None if prompts is None else _index("prompts", prompts)
        X = 1 if prompts is None else len(prompts)
        if len(table) not in (1, X) or len(lists) not in (1, X):
            raise ValueError(
                f"Table: {X} prompts need 1 or {X} tables and lists of responses, "
                f"got {len(table)} and {len(lists)}."
            )
        for some in lists:
            if len(some) != table.shape[1]:
                raise ValueError(
                    f"Table: P is {table.shape[1]} x {table.shape[1]} but there are {len(some)} responses."
                )
        self._responses = [_index("responses", some) for some in lists] * (X if len(lists) == 1 else 1)
        self._P = np.broadcast_to(table, (X, *table.shape[1:]))
        digest = hashlib.sha256(table.tobytes())
        digest.update(repr((table.shape, lists, prompts and list(prompts))).encode())
        self.name = f"Table({table.shape[1]} responses, {digest.hexdigest()[:12]})"

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        check_batch(prompts, firsts, seconds)
        answers = np.empty(len(prompts))
        for i, (prompt, first, second) in enumerate(zip(prompts, firsts, seconds, strict=True)):
            x = 0 if self._prompts is None else _position(self._prompts, "prompt", prompt, i)
            index = self._responses[x]
            y, z = (_position(index, "response", text, i) for text in (first, second))
            answers[i] = self._P[x, y, z]
        return answers


def _index(what: str, texts: Sequence[str]) -> dict[str, int]:
    index = {text: i for i, text in enumerate(texts)}
    if len(index) < len(texts):
        twice = next(text for i, text in enumerate(texts) if index[text] != i)
        raise ValueError(f"Table: {what} must be distinct, {excerpt(twice)} occurs twice: remove one.")
    return index


def _position(index: dict[str, int], what: str, text: str, item: int) -> int:
    if text not in index:
        known = ", ".join(excerpt(other, 24) for other in list(index)[:6])
        raise JudgeError(
            f"Table has no {what} {excerpt(text)} (item {item}); it knows {len(index)}: {known}"
            f"{', ...' if len(index) > 6 else ''}. Restrict the arena to them with responses=[...]."
        )
    return index[text]
