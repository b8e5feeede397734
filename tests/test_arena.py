"""Capabilities of arenas: who has them, and how a solver refuses an arena that lacks one."""

import pytest

import pgames as pg
from pgames.arena import Believing, Comparing, Mixing, Preferring
from pgames.solver import members, require

GAME = pg.games.rock_paper_scissors()


def test_the_members_of_a_capability_include_those_it_extends():
    assert set(members(Mixing)) <= set(members(Preferring))


def test_a_table_and_an_arena_of_duels_have_what_solvers_ask_of_them():
    require(pg.SPPO(0.5), pg.TableArena(GAME), Preferring)
    require(pg.Optimistic(0.1), pg.DuelArena(GAME), Believing)
    require(pg.RUCB(), pg.DuelArena(GAME), Comparing)


def test_what_an_arena_lacks_is_named():
    with pytest.raises(TypeError, match=r"SPPO needs the verb.*mirror_step.*DuelArena lacks"):
        require(pg.SPPO(0.5), pg.DuelArena(GAME), Preferring)
