"""Evidence, as immutable values: judged pairs, samples, pairs not yet judged, labels to regress on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import overload

import numpy as np

from llm_backend.spaces.draws import NO_DRAWS, Draws, Floats, Ints


@dataclass(frozen=True, eq=False, repr=False)
class Duels:
    """Judged pairs, which add up with `+`.

    pairs : int64[M, 2], rows of `draws`.
    wins : float64[M, 2], how often the first and the second response of a pair won, at least 0.
    """

    draws: Draws
    pairs: Ints
    wins: Floats

    def __add__(self, other: Duels) -> Duels:
        draws, shifted = _joined(self.draws, other.draws, other.pairs)
        return Duels(draws, np.concatenate([self.pairs, shifted]), np.concatenate([self.wins, other.wins]))

    def __repr__(self) -> str:
        return f"Duels({len(self.pairs)} pairs)"

    def table(self, shape: tuple[int, int]) -> Floats:
        """How often response y beat z, float64[X, Y, Y], in an enumerable game of shape (X, Y)."""
        out = np.zeros((*shape, shape[1]))
        prompt = self.draws.prompt[self.pairs[:, 0]]
        y, z = self.draws.column[self.pairs].T
        np.add.at(out, (prompt, y, z), self.wins[:, 0])
        np.add.at(out, (prompt, z, y), self.wins[:, 1])
        return out


@dataclass(frozen=True, eq=False)
class Samples(Sequence[list[str]]):
    """Responses of a policy: `samples[x]` lists the texts that answer prompt x, and `+` pools them.

    weight : float64[B], how often each row was drawn; in exact play its probability.
    """

    draws: Draws
    weight: Floats

    def __add__(self, other: Samples) -> Samples:
        if self.draws is other.draws:
            return Samples(self.draws, self.weight + other.weight)
        return Samples(Draws.join([self.draws, other.draws]), np.concatenate([self.weight, other.weight]))

    def __len__(self) -> int:
        return int(self.draws.prompt.max(initial=-1)) + 1

    @overload
    def __getitem__(self, x: int) -> list[str]: ...

    @overload
    def __getitem__(self, x: slice) -> list[list[str]]: ...

    def __getitem__(self, x: int | slice) -> list[str] | list[list[str]]:
        """The texts that answer prompt x. Raises IndexError when no prompt has that number."""
        if isinstance(x, slice):
            return [self[i] for i in range(*x.indices(len(self)))]
        if not -len(self) <= x < len(self):
            raise IndexError(f"there are samples of {len(self)} prompts, got number {x}.")
        return [self.draws.texts[i] for i in np.flatnonzero(self.draws.prompt == x % len(self))]


@dataclass(frozen=True, eq=False)
class Buffer:
    """Pairs of responses that have not been judged: `pairs` int64[M, 2] of rows of `draws`."""

    draws: Draws
    pairs: Ints

    def add(self, draws: Draws, pairs: Ints) -> Buffer:
        """The buffer with more pairs, int64[M, 2] of rows of `draws`."""
        joined, shifted = _joined(self.draws, draws, pairs)
        return Buffer(joined, np.concatenate([self.pairs, shifted]))


@dataclass(frozen=True, eq=False)
class Labels:
    """Labelled pairs, on which differences of log-ratios are regressed.

    pairs : int64[M, 2], rows of `draws`.
    labels : float64[M], the difference of win rates of the first and the second response, in [-1, 1].
    opponent : float64[B], the weight of each row as the opponent's own response, for the SFT term.
    """

    draws: Draws
    pairs: Ints
    labels: Floats
    opponent: Floats


NO_PAIRS = np.empty((0, 2), np.int64)
NO_SAMPLES = Samples(NO_DRAWS, np.empty(0))
NO_DUELS = Duels(NO_DRAWS, NO_PAIRS, np.empty((0, 2)))
EMPTY = Buffer(NO_DRAWS, NO_PAIRS)


def _joined(first: Draws, second: Draws, pairs: Ints) -> tuple[Draws, Ints]:
    """Both sets of rows, and the pairs of the second renumbered; a set joined with itself is kept once."""
    if first is second or not len(first):
        return second, pairs
    if not len(second):
        return first, pairs
    return Draws.join([first, second]), pairs + len(first)
