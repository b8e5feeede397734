"""The spaces of a search in a round: the prior that writes, and the opponent that is met, for each prompt."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from llm_backend.context import Context
from llm_backend.policies.handles import Answers, Policy, blend_terms
from llm_backend.search.caches import Caches, Tokens
from llm_backend.search.free import FreeSpace, Judged
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.verbs import steps
from llm_backend.verbs.verdicts import judged
from pgames.search.listed import ListedSpace, Prefixes
from pgames.search.tree import TAG, Space


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
class JudgedList(ListedSpace):
    """A list of responses whose verdicts come from a judge; `rates` is empty."""

    ask: Judged

    def judge(self, responses: Sequence[Tokens]) -> Floats:
        """float64[B], one verdict each."""
        return self.ask(responses)


def key_of(context: Context, x: int) -> tuple[int, ...]:
    """The key of the tree of prompt x in a round; that of run 0 of a table."""
    return (context.seed, 0, context.round, x)


def spaces(context: Context, settings: Settings, prior: Policy, opponent: Policy) -> dict[int, Space]:
    """The space of each prompt of the round. Raises ValueError for a prior without log-probabilities."""
    terms = blend_terms(prior)
    asked = list(context.round_prompts())
    if not context.listed:
        how, met = context.space.sampling, context.draw(opponent, "opponent", settings.opponents)
        return {
            x: FreeSpace(
                how,
                tuple(how.prompts[x]),
                terms,
                settings.caches,
                settings.top,
                settings.delimiter,
                (*key_of(context, x), TAG),
                _asking(context, settings, x, met.take(np.flatnonzero(met.prompt == x))),
            )
            for x in asked
        }
    policy, none = context.listing.probs(prior), np.empty(0)
    if context.exact:
        table = np.full(policy.shape, np.nan)
        table[context.listing.support] = steps.wins(context, context.listing.all, opponent)
        return {x: _listed(context, settings, x, policy[x], table[x]) for x in asked}
    met = context.draw(opponent, "opponent", settings.opponents)
    found: dict[int, Space] = {}
    for x in asked:
        ask = _asking(context, settings, x, met.take(np.flatnonzero(met.prompt == x)))
        one = _listed(context, settings, x, policy[x], none)
        found[x] = JudgedList(one.prefixes, one.policy, none, ask)
    return found


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


def _listed(context: Context, settings: Settings, x: int, policy: Floats, rates: Floats) -> ListedSpace:
    inside = context.listing.support[x]
    return ListedSpace(settings.prefixes(context, x), policy[inside], rates[inside] if len(rates) else rates)


def _asking(context: Context, settings: Settings, x: int, met: Draws) -> Judged:
    """The mean verdict of each response against the opponent's draws `met` to prompt x."""

    def ask(responses: Sequence[Tokens]) -> Floats:
        ours = rows_of(context, settings, x, responses)
        mine = np.repeat(np.arange(len(responses)), len(met))
        theirs = np.tile(np.arange(len(met)), len(responses))
        won = judged(context.judge, context.prompts, ours.take(mine), met.take(theirs))
        return won.reshape(len(responses), len(met)).mean(axis=1)

    return ask
