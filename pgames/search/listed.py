"""The tree of a list of responses: a space of search whose policy and verdicts are tables."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgames.search.growth import Actions, Tokens


class Prefixes:
    """The prefixes of Y responses, and what may follow each.

    Parameters
    ----------
    responses : the tokens of each response; none begins with another one.

    `widest` is the largest number of tokens that may follow a prefix.

    Raises ValueError when two responses are equal, one is empty, or one begins with another.
    """

    def __init__(self, responses: Sequence[Sequence[int]]):
        self.responses: list[Tokens] = [tuple(map(int, row)) for row in responses]
        self.number = {row: y for y, row in enumerate(self.responses)}
        if len(self.number) < len(self.responses) or () in self.number:
            raise ValueError(
                "the tokens of a response must differ from those of the others and not be empty: end each "
                "with a token that stands for its end."
            )
        self.below: dict[Tokens, list[int]] = {}
        for y, row in enumerate(self.responses):
            for n in range(len(row)):
                self.below.setdefault(row[:n], []).append(y)
        if begins := next((row for row in self.responses if row in self.below), None):
            raise ValueError(
                f"response {self.number[begins]} is the beginning of another one: end each with a token that "
                "stands for its end."
            )
        self.widest = max(len({self.responses[y][len(p)] for y in ys}) for p, ys in self.below.items())
        self._after: dict[Tokens, tuple[tuple[int, ...], NDArray[np.int64]]] = {}

    def after(self, prefix: Tokens) -> tuple[tuple[int, ...], NDArray[np.int64]]:
        """The V tokens that may follow, in increasing order, and int64[B], which of them each row takes."""
        if prefix not in self._after:
            taken = [self.responses[y][len(prefix)] for y in self.below[prefix]]
            tokens, which = np.unique(np.array(taken, np.int64), return_inverse=True)
            self._after[prefix] = tuple(tokens.tolist()), which
        return self._after[prefix]


@dataclass(frozen=True, eq=False)
class ListedSpace:
    """The responses of a list as a space of search.

    policy : float64[Y], probabilities.
    rates : float64[Y], P(response > opponent).
    """

    prefixes: Prefixes
    policy: NDArray[np.float64]
    rates: NDArray[np.float64]

    def expand(self, prefixes: Sequence[Tokens]) -> list[Actions]:
        """The tokens that continue each prefix, with their probabilities float64[V]."""
        return [self._actions(prefix) for prefix in prefixes]

    def complete(self, prefixes: Sequence[Tokens], randoms: Sequence[np.random.Generator]) -> list[Tokens]:
        """A response that begins with each prefix, drawn token by token: one number in [0, 1) per token."""
        return [self._complete(prefix, random) for prefix, random in zip(prefixes, randoms, strict=True)]

    def judge(self, responses: Sequence[Tokens]) -> NDArray[np.float64]:
        """float64[B], read from `rates`."""
        return self.rates[[self.prefixes.number[response] for response in responses]]

    def _actions(self, prefix: Tokens) -> Actions:
        tokens, which = self.prefixes.after(prefix)
        prior = np.zeros(len(tokens))
        np.add.at(prior, which, self.policy[self.prefixes.below[prefix]])
        total = prior.sum()
        final = np.array([(*prefix, token) in self.prefixes.number for token in tokens])
        return Actions(tuple((token,) for token in tokens), prior / total if total > 0 else prior, final)

    def _complete(self, prefix: Tokens, random: np.random.Generator) -> Tokens:
        while prefix not in self.prefixes.number:
            actions = self._actions(prefix)
            total = np.cumsum(actions.prior)
            place = np.searchsorted(total, random.random() * total[-1], side="right")
            prefix = prefix + actions.pieces[min(int(place), len(total) - 1)]
        return prefix
