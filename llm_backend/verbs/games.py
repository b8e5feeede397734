"""The game of an arena as a table: over its own list of responses, or over one that is passed."""

from __future__ import annotations

from collections.abc import Sequence

import pgames
from llm_backend.context import Context
from llm_backend.spaces.draws import Floats
from llm_backend.spaces.listed import Listed
from llm_backend.spaces.protocol import ListedSpace, Sampling, listing
from llm_backend.verbs import verdicts


def listing_of(context: Context, responses: Sequence[str] | None, verb: str) -> ListedSpace:
    """The list of the game, or `responses` as a list.

    Raises AttributeError naming the verb when responses are free text and none are passed.
    """
    if responses is None:
        return listing(context.space, verb)
    how = context.space.sampling
    return Listed(Sampling(context.lm, how.prompts, how.temperature, context.fit.rows), responses)


def table(context: Context, listed: ListedSpace, rates: Floats) -> pgames.PreferenceGame:
    """The game of these rates, float64[X, Y, Y], with the reference normalised over the list."""
    shared = all(texts == listed.texts[0] for texts in listed.texts)
    return pgames.PreferenceGame(
        rates, listed.probs(context.reference), labels=listed.texts[0] if shared else None
    )


def to_game(context: Context, responses: Sequence[str]) -> pgames.PreferenceGame:
    """The table of a list of responses: the judge's preferences, the reference normalised over them."""
    listed = listing_of(context, responses, "to_game")
    return table(context, listed, verdicts.preferences(context.judge, context.prompts, listed))
