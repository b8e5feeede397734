"""What solvers say is in a protocol, and arenas offer what `contract_types.py` claims of them."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Protocol

import pytest

import pgames as pg
from pgames import arena as contract
from pgames.arena import (
    Arena,
    Believed,
    Calibrating,
    Demonstrating,
    Enumerating,
    Exploring,
    Listed,
    ListedPopulation,
    Measuring,
    OpposingMeasured,
    Pairing,
    Preferring,
    Rewarding,
    Streaming,
)
from pgames.solver import members, require

ROOT = Path(pg.__file__).parent
PROTOCOLS = [p for p in vars(contract).values() if isinstance(p, type) and Protocol in p.__mro__]
ON_TABLES = (Arena, Measuring, Pairing, Rewarding, Demonstrating)
ON_DUELS = (Enumerating, Calibrating, Exploring, Streaming)
ON_TEXT = (*ON_TABLES, Enumerating, Calibrating, Exploring)


def lacking(thing: object, *capabilities: type) -> list[str]:
    return [name for one in capabilities for name in members(one) if not hasattr(thing, name)]


def test_every_member_that_a_solver_says_is_in_a_protocol():
    sources = [path.read_text() for room in ("solvers", "bandits") for path in (ROOT / room).glob("*.py")]
    said = {name for text in sources for name in re.findall(r"(?<![.\w])arena\.([a-z_]+)", text)}
    offered = {name for protocol in PROTOCOLS for name in members(protocol)}
    assert len(said) > 25 and said <= offered, said - offered


def test_every_capability_documents_its_members():
    for protocol in PROTOCOLS:
        assert protocol.__doc__
        for name in members(protocol):
            assert getattr(protocol, name).__doc__, f"{protocol.__name__}.{name}"


def test_tables_offer_what_they_claim():
    game = pg.games.cyclic(3, p=0.9)
    arena = pg.DuelArena(game)
    linear = pg.DuelArena(game, features=[[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    assert lacking(pg.TableArena(game), *ON_TABLES, Listed, ListedPopulation) == []
    assert lacking(pg.RoleArena(pg.MatrixRoles(game.P[0])), Listed, OpposingMeasured) == []
    assert lacking(arena, *ON_DUELS) == []
    assert lacking(arena.believe(arena.no_duels()), Believed) == []
    assert lacking(linear.believe(linear.no_duels()), Believed) == []


def test_text_offers_what_it_claims():
    from llm_backend.testing import text_arena
    from llm_backend.verbs.beliefs import FreeBelief, ListedBelief
    from tests.support.llm_roles import listed_roles

    assert lacking(text_arena(pg.games.cyclic(3, p=0.9)), *ON_TEXT, Listed) == []
    assert lacking(listed_roles(), OpposingMeasured, ListedPopulation) == []
    for belief in (ListedBelief, FreeBelief):
        assert [name for name in lacking(belief, Believed) if name != "reference"] == []


def test_a_missing_verb_is_named_with_the_solver_and_a_remedy():
    arena = pg.DuelArena(pg.games.cyclic(3, p=0.9))
    with pytest.raises(
        TypeError, match=r"^EGPO needs the verb\(s\) mirror_step, which DuelArena lacks; use a l"
    ):
        require(pg.EGPO(0.1, 0.5), arena, Preferring)
    with pytest.raises(
        TypeError, match=r"^RLHF needs the verb\(s\) fit_reward, which DuelArena lacks; use a s"
    ):
        require(pg.RLHF(0.1), arena, Rewarding)


def test_what_needs_a_table_of_counts_says_so():
    game = pg.games.cyclic(3, p=0.9)
    linear = pg.DuelArena(game, features=[[[1.0, 0.0], [0.0, 1.0], [1.0, 1.0]]])
    with pytest.raises(TypeError, match="duels on a table are PairCounts, got LinearEvidence"):
        pg.DPO(0.1).step(linear, pg.DPO(0.1).init(linear))
    with pytest.raises(ValueError, match="VMG biases a table of preferences"):
        pg.VMG(0.1).step(linear, pg.VMG(0.1).init(linear))
