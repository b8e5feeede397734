"""Free text as a space of search: the tokens or steps that a policy would write after a prefix."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import torch

from llm_backend.models.logprobs import check_finite
from llm_backend.policies.handles import Leaf
from llm_backend.search.caches import Caches, Rows, Tokens
from llm_backend.spaces.draws import Floats
from llm_backend.spaces.protocol import Sampling
from pgames.search.growth import Actions
from pgames.search.tree import TAG


class Place(NamedTuple):
    """A prefix of a response, in tokens, to a prompt; `key` determines the steps drawn from it."""

    prompt: Tokens
    prefix: Tokens
    key: tuple[int, ...]


@dataclass(frozen=True, eq=False)
class Writer:
    """A policy that writes after prefixes of responses to any prompts, in one batch.

    how : the model, temperature and limits; `longest` is not None.
    terms : the policy as (weight, leaf): log pi = sum of weight * log leaf, normalised token by token.
    caches : the pasts of prefixes, by leaf.
    top : the actions of a prefix: its most likely tokens, or so many steps drawn from the policy.
    delimiter : the text that ends a step; None: an action is one token.
    """

    how: Sampling
    terms: tuple[tuple[float, Leaf], ...]
    caches: Caches
    top: int
    delimiter: str | None

    def expand(self, places: Sequence[Place]) -> list[Actions]:
        """The likeliest tokens at each place, or steps drawn from it, with their shares float64[V]."""
        if self.delimiter is not None:
            return self._steps(places, self.delimiter)
        p = self._probabilities(self._rows(places), [len(place.prefix) for place in places])
        return [self._tokens(place.prefix, row) for place, row in zip(places, p, strict=True)]

    def complete(self, places: Sequence[Place], randoms: Sequence[np.random.Generator]) -> list[Tokens]:
        """A response from each place, drawn token by token: one number in [0, 1) per token."""
        return self._grown(places, randoms, lambda before, row: self._ends(row))

    def _ends(self, row: Tokens) -> bool:
        return len(row) > 0 and (row[-1] in self.how.lm.stops or len(row) == self.how.longest)

    def _tokens(self, prefix: Tokens, p: Floats) -> Actions:
        many = min(self.top, int(np.count_nonzero(p)))
        chosen = np.sort(np.argsort(-p, kind="stable")[:many])
        final = np.array([self._ends((*prefix, int(token))) for token in chosen])
        return Actions(tuple((int(t),) for t in chosen), p[chosen] / p[chosen].sum(), final)

    def _steps(self, places: Sequence[Place], delimiter: str) -> list[Actions]:
        """Draws up to the delimiter; equal ones are one action, of their share."""
        lm = self.how.lm

        def stops(before: int, row: Tokens) -> bool:
            return self._ends(row) or delimiter in lm.decode(row[before:])

        names = [zlib.crc32(np.array(place.prefix, np.int64).tobytes()) for place in places]
        randoms = [
            np.random.default_rng([*place.key, name, i, TAG])
            for place, name in zip(places, names, strict=True)
            for i in range(self.top)
        ]
        each = [place for place in places for _ in range(self.top)]
        grown, found = self._grown(each, randoms, stops), []
        for i, place in enumerate(places):
            rows = grown[i * self.top : (i + 1) * self.top]
            drawn = [row[len(place.prefix) :] for row in rows]
            pieces = sorted(set(drawn))
            share = np.array([drawn.count(piece) / len(drawn) for piece in pieces])
            final = np.array([self._ends(place.prefix + piece) for piece in pieces])
            found.append(Actions(tuple(pieces), share, final))
        return found

    def _rows(self, places: Sequence[Place]) -> list[tuple[float, Rows]]:
        """The growing rows of each leaf of the policy."""
        whole, lm = [place.prompt + place.prefix for place in places], self.how.lm
        return [(w, Rows(lm, leaf, self.caches.read(leaf, whole))) for w, leaf in self.terms]

    def _probabilities(self, rows: list[tuple[float, Rows]], lengths: Sequence[int]) -> Floats:
        """Of the next token, float64[B, V]."""
        lm = self.how.lm
        logits = torch.stack([w * each.logits.double() for w, each in rows]).sum(dim=0)
        check_finite(logits, lm.name)
        logits = logits / self.how.temperature
        logits[:, lm.missing] = -torch.inf
        early = torch.tensor([length < self.how.shortest for length in lengths], device=logits.device)
        for stop in lm.stops:
            logits[early, stop] = -torch.inf
        return torch.softmax(logits, dim=-1).cpu().numpy()

    def _grown(
        self,
        places: Sequence[Place],
        randoms: Sequence[np.random.Generator],
        stops: Callable[[int, Tokens], bool],
    ) -> list[Tokens]:
        """Each prefix continued until it stops; called as stops(length of the prefix, row)."""
        found, device = [place.prefix for place in places], self.how.lm.device
        alive, rows = list(range(len(places))), self._rows(places)
        while True:
            total = np.cumsum(self._probabilities(rows, [len(found[i]) for i in alive]), axis=1)
            for line, i in zip(total, alive, strict=True):
                token = int(np.searchsorted(line, randoms[i].random() * line[-1], side="right"))
                found[i] = (*found[i], min(token, len(line) - 1))
            going = [n for n, i in enumerate(alive) if not stops(len(places[i].prefix), found[i])]
            if not going:
                return found
            if len(going) < len(alive):
                for _, each in rows:
                    each.keep(torch.tensor(going, device=device))
                alive = [alive[n] for n in going]
            tokens = torch.tensor([found[i][-1] for i in alive], device=device)
            for _, each in rows:
                each.step(tokens)


@dataclass(frozen=True, eq=False)
class FreeSpace:
    """The responses to one prompt, as a writer writes them."""

    writer: Writer
    prompt: Tokens
    key: tuple[int, ...]

    def places(self, prefixes: Sequence[Tokens]) -> list[Place]:
        """The prefixes as places of the prompt."""
        return [Place(self.prompt, prefix, self.key) for prefix in prefixes]

    def expand(self, prefixes: Sequence[Tokens]) -> list[Actions]:
        """The likeliest tokens after each prefix, or steps drawn from it, with their shares float64[V]."""
        return self.writer.expand(self.places(prefixes))

    def complete(self, prefixes: Sequence[Tokens], randoms: Sequence[np.random.Generator]) -> list[Tokens]:
        """A response that begins with each prefix, drawn token by token."""
        return self.writer.complete(self.places(prefixes), randoms)
