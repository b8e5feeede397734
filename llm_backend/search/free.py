"""Free text as a space of search: the tokens or steps that a policy would write after a prefix."""

from __future__ import annotations

import zlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from llm_backend.models.logprobs import check_finite
from llm_backend.policies.handles import Leaf
from llm_backend.search.caches import Caches, Rows, Tokens
from llm_backend.spaces.draws import Floats
from llm_backend.spaces.protocol import Sampling
from pgames.search.tree import TAG, Actions

Judged = Callable[[Sequence[Tokens]], Floats]


@dataclass(frozen=True, eq=False)
class FreeSpace:
    """The responses to one prompt, as a policy writes them.

    how : the model, temperature and limits; `longest` is not None.
    prompt : the tokens of the prompt.
    terms : the policy as (weight, leaf): log pi = sum of weight * log leaf, normalised token by token.
    caches : the pasts of prefixes, by leaf.
    top : the actions of a prefix: its most likely tokens, or so many steps drawn from the policy.
    delimiter : the text that ends a step; None: an action is one token.
    key : with a prefix, determines the steps drawn from it.
    ask : responses -> P(response > opponent), float64[B].
    """

    how: Sampling
    prompt: Tokens
    terms: tuple[tuple[float, Leaf], ...]
    caches: Caches
    top: int
    delimiter: str | None
    key: tuple[int, ...]
    ask: Judged

    def expand(self, prefixes: Sequence[Tokens]) -> list[Actions]:
        """The likeliest tokens after each prefix, or steps drawn from it, with their shares float64[V]."""
        if self.delimiter is not None:
            return [self._steps(prefix) for prefix in prefixes]
        p = self._probabilities(self._rows(prefixes), [len(prefix) for prefix in prefixes])
        return [self._tokens(prefix, row) for prefix, row in zip(prefixes, p, strict=True)]

    def complete(self, prefixes: Sequence[Tokens], randoms: Sequence[np.random.Generator]) -> list[Tokens]:
        """A response that begins with each prefix, drawn token by token: one number in [0, 1) per token."""
        return self._grown(prefixes, randoms, lambda before, row: self._ends(row)) if prefixes else []

    def judge(self, responses: Sequence[Tokens]) -> Floats:
        """float64[B], one verdict each."""
        return self.ask(responses)

    def _ends(self, row: Tokens) -> bool:
        return len(row) > 0 and (row[-1] in self.how.lm.stops or len(row) == self.how.longest)

    def _tokens(self, prefix: Tokens, p: Floats) -> Actions:
        many = min(self.top, int(np.count_nonzero(p)))
        chosen = np.sort(np.argsort(-p, kind="stable")[:many])
        final = np.array([self._ends((*prefix, int(token))) for token in chosen])
        return Actions(tuple((int(t),) for t in chosen), p[chosen] / p[chosen].sum(), final)

    def _steps(self, prefix: Tokens) -> Actions:
        """Draws up to the delimiter; equal ones are one action, of their share."""
        name = zlib.crc32(np.array(prefix, np.int64).tobytes())
        randoms = [np.random.default_rng([*self.key, name, i, TAG]) for i in range(self.top)]
        lm = self.how.lm

        def stops(before: int, row: Tokens) -> bool:
            return self._ends(row) or (self.delimiter or "") in lm.decode(row[before:])

        drawn = [row[len(prefix) :] for row in self._grown([prefix] * self.top, randoms, stops)]
        pieces = sorted(set(drawn))
        share = np.array([drawn.count(piece) / len(drawn) for piece in pieces])
        return Actions(tuple(pieces), share, np.array([self._ends(prefix + piece) for piece in pieces]))

    def _rows(self, prefixes: Sequence[Tokens]) -> list[tuple[float, Rows]]:
        """The growing rows of each leaf of the policy."""
        whole, lm = [self.prompt + prefix for prefix in prefixes], self.how.lm
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
        prefixes: Sequence[Tokens],
        randoms: Sequence[np.random.Generator],
        stops: Callable[[int, Tokens], bool],
    ) -> list[Tokens]:
        """Each prefix continued until it stops; called as stops(length of the prefix, row)."""
        found, alive, rows = list(prefixes), list(range(len(prefixes))), self._rows(prefixes)
        while True:
            total = np.cumsum(self._probabilities(rows, [len(found[i]) for i in alive]), axis=1)
            for line, i in zip(total, alive, strict=True):
                token = int(np.searchsorted(line, randoms[i].random() * line[-1], side="right"))
                found[i] = (*found[i], min(token, len(line) - 1))
            going = [n for n, i in enumerate(alive) if not stops(len(prefixes[i]), found[i])]
            if not going:
                return found
            if len(going) < len(alive):
                for _, each in rows:
                    each.keep(torch.tensor(going, device=self.how.lm.device))
                alive = [alive[n] for n in going]
            tokens = torch.tensor([found[i][-1] for i in alive], device=self.how.lm.device)
            for _, each in rows:
                each.step(tokens)
