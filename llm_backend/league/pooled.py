"""Pooled: the draws of a round, shared by every fit of a league."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import Answers, Policy
from llm_backend.spaces.around import Around
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.spaces.protocol import Request, Sampling

CANDIDATES = tuple(b"candidates")  # the role of a learner's own draws


class Rows(NamedTuple):
    """Draws with the weight of each row, float64[B], whose sum per prompt is 1."""

    draws: Draws
    weight: Floats


@dataclass(frozen=True, eq=False)
class Pooled(Around):
    """A space that answers for some policies with draws that exist, and asks the inner space for others.

    fixed : rows of sets of answers, which are all that these policies say.
    fresh : rows of policies drawn in this round, which stand for candidates of that round and for nothing
        else: draws of two roles must be independent.
    """

    fixed: Mapping[Answers, Rows]
    fresh: Mapping[Policy, Rows]
    round: int

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to each prompt, or to each of the prompts `which`; known rows by systematic sampling.

        A row of weight w is returned n w times, rounded at random, so that none repeats while n w <= 1.
        """
        if isinstance(policy, Answers) and policy in self.fixed:
            rows = self.fixed[policy]
        elif policy in self.fresh and key[1] == self.round and tuple(key[2:]) == CANDIDATES:
            rows = self.fresh[policy]
        else:
            return self.space.draw(policy, n, key, which)
        asked = range(len(self.sampling.prompts)) if which is None else which
        return rows.draws.take(np.concatenate([_picked(rows, int(x), n, key) for x in asked]))

    def draw_each(
        self, requests: Sequence[Request], n: int, which: Sequence[int] | None = None
    ) -> list[Draws]:
        """`draw` for several requests (policy, key), one by one."""
        return [self.draw(policy, n, key, which) for policy, key in requests]


def opponent(weights: Floats, draws: Sequence[Draws | None], prompts: int) -> tuple[Answers, Rows]:
    """The mixture of members by `weights` float64[K], as a set of answers: all that they said in this round.

    Every draw of a member has an equal part of its weight. Prompts of other rounds have no answer.
    """
    parts, shares = [], []
    for w, drawn in zip(weights, draws, strict=True):
        if w > 0 and drawn is not None:
            count = np.bincount(drawn.prompt, minlength=prompts)
            parts.append(drawn)
            shares.append(w / count[drawn.prompt])
    rows = Rows(Draws.join(parts), np.concatenate(shares))
    total = np.bincount(rows.draws.prompt, rows.weight, minlength=prompts)
    rows = rows._replace(weight=rows.weight / total[rows.draws.prompt])
    at = [np.flatnonzero(rows.draws.prompt == x) for x in range(prompts)]
    texts = tuple(tuple(rows.draws.texts[i] for i in some) for some in at)
    return Answers(texts, tuple(rows.weight[some] for some in at)), rows


def even(draws: Draws) -> Rows:
    """Draws of one policy: rows of equal weight."""
    count = np.bincount(draws.prompt)
    return Rows(draws, 1 / count[draws.prompt])


def as_said(draws: Draws, lm: LanguageModel, how: Sampling) -> Draws:
    """Draws of another model or of a server, as tokens of this one.

    A reply that is cut, or longer than this model may write, is cut at the limit of its space.
    """
    tokens, cut = [], []
    assert how.longest is not None
    for x, text, ended in zip(draws.prompt, draws.texts, ~draws.truncated, strict=True):
        row = lm.encode_drawn(text, how.prompts[int(x)])
        row = row if ended else row[:-1] or row
        cut.append(not ended or len(row) > how.longest)
        tokens.append(tuple(row[: how.longest]))
    return Draws(draws.prompt, tuple(tokens), draws.texts, draws.column, np.array(cut, np.bool_))


def _picked(rows: Rows, x: int, n: int, key: Sequence[int]) -> np.ndarray:
    random = np.random.default_rng([*key, x])
    at = random.permutation(np.flatnonzero(rows.draws.prompt == x))
    ends = np.cumsum(rows.weight[at]) * n
    ends[-1] = n
    ticks = np.floor(ends + random.random())
    return np.repeat(at, np.diff(ticks, prepend=0.0).astype(np.int64))
