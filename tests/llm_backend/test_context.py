"""The context of a verb: keys of randomness, the prompts of a round, and errors for missing parts."""

from dataclasses import replace

import pytest

from llm_backend.context import Context
from tests.support.llm_listed import RESPONSES, make


@pytest.fixture(scope="module")
def context() -> Context:
    return make(samples=4, per_round=2).context


def test_keys_tell_seeds_rounds_and_roles_apart(context):
    others = [replace(context, seed=1), replace(context, round=1)]
    keys = [*(one.key("first") for one in (context, *others)), context.key("second")]
    assert len(set(keys)) == 4
    assert context.key("first") == replace(context, rounds=5).key("first")


def test_prompts_are_played_in_turn(context):
    four = replace(context, prompts=[f"p{x}" for x in range(4)])
    rounds = [list(replace(four, round=t).round_prompts()) for t in range(3)]
    assert rounds == [[0, 1], [2, 3], [0, 1]] and list(four.round_prompts(ahead=1)) == [2, 3]


def test_what_an_exact_game_lacks_is_said(context):
    exact = make().context
    assert exact.exact and exact.listed and len(exact.listing.texts[0]) == len(RESPONSES)
    with pytest.raises(ValueError, match="nothing is drawn in exact play"):
        _ = exact.drawn
    assert context.drawn == 4
