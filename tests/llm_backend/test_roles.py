"""The roles of randomness on text are one list, and no key begins another."""

from typing import cast

import pytest

from llm_backend.context import ROLES, Role
from llm_backend.testing import text_arena
from pgames.games import comal3


def test_roles_are_distinct_and_none_begins_another():
    assert len(set(ROLES)) == len(ROLES)
    assert not [(a, b) for a in ROLES for b in ROLES if a != b and b.startswith(a)]


def test_a_role_that_is_not_listed_is_refused():
    context = text_arena(comal3()).context
    assert context.key("first") == (context.seed, context.round, *b"first")
    with pytest.raises(ValueError, match=r"role must be one of opponent, first, .*got 'firts'"):
        context.key(cast(Role, "firts"))
