"""Draws: responses in rows, and groups of rows."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Draws:
    """Responses in B rows. Copying returns the same object, so evidence about a list shares its rows.

    prompt : int64[B], the number of the prompt that each row answers.
    tokens : the tokens of each row, EOS included.
    texts : the text of each row.
    column : int64[B], the column of each row in the list of an enumerable game; -1 in free text.
    truncated : bool[B], True if a row was cut at the length limit, so that it has no EOS.
    known : log-probabilities that drawing knows, float64[B] in nats by the name of what they are of (a leaf
        and the limits of a space); NaN in rows that are not known.
    """

    prompt: Ints
    tokens: tuple[tuple[int, ...], ...]
    texts: tuple[str, ...]
    column: Ints
    truncated: NDArray[np.bool_]
    known: tuple[tuple[str, Floats], ...] = ()

    def __len__(self) -> int:
        return len(self.texts)

    def __copy__(self) -> Draws:
        return self

    def __deepcopy__(self, memo: object) -> Draws:
        return self

    def take(self, rows: Sequence[int] | Ints) -> Draws:
        """The rows with these numbers, int64[B], in that order."""
        at = np.asarray(rows, dtype=np.int64)
        return Draws(
            self.prompt[at],
            tuple(self.tokens[i] for i in at),
            tuple(self.texts[i] for i in at),
            self.column[at],
            self.truncated[at],
            tuple((name, logs[at]) for name, logs in self.known),
        )

    @staticmethod
    def join(parts: Sequence[Draws]) -> Draws:
        """The rows of all parts, in order."""
        return Draws(
            np.concatenate([part.prompt for part in parts]),
            tuple(row for part in parts for row in part.tokens),
            tuple(text for part in parts for text in part.texts),
            np.concatenate([part.column for part in parts]),
            np.concatenate([part.truncated for part in parts]),
            _joined(parts),
        )


def _joined(parts: Sequence[Draws]) -> tuple[tuple[str, Floats], ...]:
    """What is known of the rows of all parts."""
    names = dict.fromkeys(name for part in parts for name, _ in part.known)
    each = [(dict(part.known), np.full(len(part), np.nan)) for part in parts]
    return tuple((name, np.concatenate([logs.get(name, none) for logs, none in each])) for name in names)


NO_DRAWS = Draws(np.empty(0, np.int64), (), (), np.empty(0, np.int64), np.empty(0, np.bool_))


def distinct(draws: Draws) -> tuple[Draws, Ints]:
    """The rows without repetitions, in their order, and the number int64[B] of each row among them."""
    first: dict[tuple[int, tuple[int, ...]], int] = {}
    keys = [(int(x), tokens) for x, tokens in zip(draws.prompt, draws.tokens, strict=True)]
    where = np.array([first.setdefault(key, len(first)) for key in keys], np.int64)
    _, rows = np.unique(where, return_index=True)
    return (draws if len(rows) == len(draws) else draws.take(rows)), where


def by_prompt(draws: Draws, prompts: int) -> list[Ints]:
    """The row numbers of each of X = `prompts` prompts, in increasing order: a list of int64[...]."""
    order = np.argsort(draws.prompt, kind="stable")
    return np.split(order, np.searchsorted(draws.prompt[order], np.arange(1, prompts)))


def pairs_within(draws: Draws, prompts: int) -> Ints:
    """All pairs (i, j), i < j, of rows that answer one prompt: int64[M, 2]."""
    found = []
    for rows in by_prompt(draws, prompts):
        i, j = np.triu_indices(len(rows), 1)
        found.append(np.stack([rows[i], rows[j]], axis=1))
    return np.concatenate(found)
