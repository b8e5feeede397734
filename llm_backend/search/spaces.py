"""The spaces of a search in a round: the prior that writes, and the opponent that is met, for each prompt.

Trees of all prompts of a round grow side by side: their prefixes are read, their rollouts drawn and their
responses judged in shared batches.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

import numpy as np

from llm_backend.context import Context
from llm_backend.policies.handles import Answers, Policy, blend_terms
from llm_backend.search.caches import Caches, Tokens
from llm_backend.search.free import FreeSpace, Writer
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.verbs import steps
from llm_backend.verbs.verdicts import judged
from pgames.search.growth import Kind, Request, Space, reply
from pgames.search.listed import ListedSpace, Prefixes
from pgames.search.tree import TAG


@dataclass(frozen=True, eq=False)
class Settings:
    """How text is searched; see `Searched`. `lists` holds the prefixes of listed responses by prompt."""

    caches: Caches
    top: int
    delimiter: str | None
    opponents: int
    lists: dict[int, Prefixes] = field(default_factory=dict)

    def prefixes(self, context: Context, x: int) -> Prefixes:
        """The prefixes of the listed responses to prompt x."""
        if x not in self.lists:
            self.lists[x] = Prefixes(context.listing.of([x])[0].tokens)
        return self.lists[x]

    def widest(self, context: Context) -> int:
        """The tokens to choose from: `top`, or the most after a prefix of a listed response."""
        if not context.listed:
            return self.top
        return max(self.prefixes(context, x).widest for x in range(len(context.prompts)))

    def texts(self, context: Context, x: int, responses: Sequence[Tokens]) -> list[str]:
        """The text of each response: that of the list, or the decoded tokens."""
        if not context.listed:
            return [context.lm.decode(response) for response in responses]
        number = self.prefixes(context, x).number
        return [context.listing.texts[x][number[response]] for response in responses]


@dataclass(frozen=True, eq=False)
class Asking:
    """A judge before which responses meet the same draws of the opponent, `met`; the mean is their value."""

    context: Context
    settings: Settings
    met: Draws

    def ask(self, responses: Sequence[tuple[int, Tokens]]) -> Floats:
        """float64[B], of responses to prompts by number, in one question."""
        by_prompt: dict[int, list[int]] = {}
        for i, (x, _) in enumerate(responses):
            by_prompt.setdefault(x, []).append(i)
        order = [i for rows in by_prompt.values() for i in rows]
        parts = [
            rows_of(self.context, self.settings, x, [responses[i][1] for i in rows])
            for x, rows in by_prompt.items()
        ]
        ours, many = Draws.join(parts), self.settings.opponents
        theirs = [np.flatnonzero(self.met.prompt == x) for x in ours.prompt]
        mine = np.repeat(np.arange(len(ours)), many)
        won = judged(
            self.context.judge, self.context.prompts, ours.take(mine), self.met.take(np.concatenate(theirs))
        )
        values = np.empty(len(ours))
        values[order] = won.reshape(-1, many).mean(axis=1)
        return values


@dataclass(frozen=True, eq=False)
class JudgedList(ListedSpace):
    """The listed responses to prompt x, whose verdicts come from a judge; `rates` is empty."""

    asking: Asking
    x: int

    def judge(self, responses: Sequence[Tokens]) -> Floats:
        """float64[B], one verdict each."""
        return self.asking.ask([(self.x, response) for response in responses])


@dataclass(frozen=True, eq=False)
class JudgedText(FreeSpace):
    """Free text to prompt x, whose verdicts come from a judge."""

    asking: Asking
    x: int

    def judge(self, responses: Sequence[Tokens]) -> Floats:
        """float64[B], one verdict each."""
        return self.asking.ask([(self.x, response) for response in responses])


def key_of(context: Context, x: int) -> tuple[int, ...]:
    """The key of the tree of prompt x in a round; that of run 0 of a table."""
    return (context.seed, 0, context.round, x)


def spaces(context: Context, settings: Settings, prior: Policy, opponent: Policy) -> dict[int, Space]:
    """The space of each prompt of the round. Raises ValueError for a prior without log-probabilities."""
    terms, asked = blend_terms(prior), list(context.round_prompts())
    if context.exact:
        policy, table = context.listing.probs(prior), np.full(context.listing.support.shape, np.nan)
        table[context.listing.support] = steps.wins(context, context.listing.all, opponent)
        inside = context.listing.support
        return {
            x: ListedSpace(settings.prefixes(context, x), policy[x][inside[x]], table[x][inside[x]])
            for x in asked
        }
    asking = Asking(context, settings, context.draw(opponent, "opponent", settings.opponents))
    if context.listed:
        policy, inside = context.listing.probs(prior), context.listing.support
        return {
            x: JudgedList(settings.prefixes(context, x), policy[x][inside[x]], np.empty(0), asking, x)
            for x in asked
        }
    how = context.space.sampling
    writer = Writer(how, terms, settings.caches, settings.top, settings.delimiter)
    return {
        x: JudgedText(writer, tuple(how.prompts[x]), (*key_of(context, x), TAG), asking, x) for x in asked
    }


def replies(found: Mapping[int, Space], kind: Kind, group: Sequence[tuple[int, Request]]) -> list[Any]:
    """What the spaces answer to requests of one kind, by number of the prompt; in one batch if they can."""
    requests = [(found[x], request) for x, request in group]
    first = requests[0][0]
    sizes = np.cumsum([len(request.rows) for _, request in requests])[:-1]
    if kind == "judge" and isinstance(first, JudgedText | JudgedList):
        values = first.asking.ask([(x, row) for x, request in group for row in request.rows])
        return np.split(values, sizes)
    if kind == "judge" or not isinstance(first, FreeSpace):
        return [reply(space, request) for space, request in requests]
    places = [
        place for space, r in requests if isinstance(space, FreeSpace) for place in space.places(r.rows)
    ]
    rows: Sequence[Any] = (
        first.writer.expand(places)
        if kind == "expand"
        else first.writer.complete(places, [random for _, request in group for random in request.randoms])
    )
    ends = [0, *sizes.tolist(), len(rows)]
    return [rows[a:b] for a, b in pairwise(ends)]


def answers(context: Context, settings: Settings, shares: dict[int, dict[Tokens, float]]) -> Answers:
    """The shares of responses by prompt as a policy; prompts of other rounds have no answers."""
    texts: list[tuple[str, ...]] = []
    weights: list[Floats] = []
    for x in range(len(context.prompts)):
        rows = shares.get(x, {})
        pooled: dict[str, float] = {}
        for text, share in zip(settings.texts(context, x, list(rows)), rows.values(), strict=True):
            pooled[text] = pooled.get(text, 0.0) + share
        texts.append(tuple(pooled))
        weights.append(np.array([*pooled.values()], np.float64))
    return Answers(tuple(texts), tuple(weights))


def rows_of(context: Context, settings: Settings, x: int, responses: Sequence[Tokens]) -> Draws:
    """Responses to prompt x as draws."""
    stops = context.lm.stops
    column = np.full(len(responses), -1)
    if context.listed:
        column = np.array([settings.prefixes(context, x).number[row] for row in responses], np.int64)
    return Draws(
        np.full(len(responses), x),
        tuple(responses),
        tuple(settings.texts(context, x, responses)),
        column,
        np.array([row[-1] not in stops for row in responses], np.bool_),
    )
