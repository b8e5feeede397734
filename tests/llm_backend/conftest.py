"""The enumerable toy that the tests share: one trained model per process."""

import pytest

import pgames as pg
from llm_backend.policies.handles import BASE
from tests.support.llm_listed import EXPERT, make


@pytest.fixture(scope="session")
def text():
    return make(expert=EXPERT)


@pytest.fixture(scope="session")
def table(text):
    return pg.TableArena(text.game, expert=EXPERT)


@pytest.fixture(scope="session")
def pi(text):
    """A policy that is not the reference."""
    return text.mirror_step(BASE, BASE, 3.0)
