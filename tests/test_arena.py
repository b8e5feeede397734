"""Capabilities of arenas: who has them, and how a solver refuses an arena that lacks one."""

import numpy as np
import pytest

import pgames as pg
from pgames.arena import Believing, Blending, Comparing, Listed, Mixing, Preferring, SelfPreferring
from pgames.solver import members, require

GAME = pg.games.rock_paper_scissors()


def test_the_members_of_a_capability_include_those_it_extends():
    assert set(members(Blending)) < set(members(Preferring))
    assert "mixture" in members(Mixing) and "mixture" not in members(Preferring)


def test_a_table_and_an_arena_of_duels_have_what_solvers_ask_of_them():
    require(pg.SPPO(0.5), pg.TableArena(GAME), Preferring)
    require(pg.Optimistic(0.1), pg.DuelArena(GAME), Believing)
    require(pg.RUCB(), pg.DuelArena(GAME), Comparing)


def test_what_an_arena_lacks_is_named():
    with pytest.raises(TypeError, match=r"SPPO needs the verb.*mirror_step.*DuelArena lacks"):
        require(pg.SPPO(0.5), pg.DuelArena(GAME), Preferring)


def test_the_rates_of_responses_are_win_rates_against_a_policy():
    game = pg.PreferenceGame([[[0.5, 0.9, 0.2], [0.1, 0.5, 0.7], [0.8, 0.3, 0.5]]])
    arena = pg.TableArena(game, runs=2)
    policy = arena.policy([[[0.2, 0.3, 0.5]], [[1.0, 0.0, 0.0]]])
    np.testing.assert_allclose(arena.rates(policy), [[[0.47, 0.52, 0.5]], [[0.5, 0.1, 0.8]]], atol=1e-15)
    won = (arena.probs(arena.reference) * arena.rates(policy)).sum(axis=-1)[:, 0]
    np.testing.assert_allclose(won, arena.win_rate(arena.reference, policy), atol=1e-15)


def test_a_panel_and_two_roles_have_rates():
    arena = pg.TableArena(GAME)
    panel = arena.judged_by([SelfPreferring(arena.reference, 0.0)])
    one = arena.policy([0.2, 0.3, 0.5])
    np.testing.assert_allclose(panel.rates(one), arena.rates(one), atol=1e-15)
    roles = pg.RoleArena(pg.MatrixRoles([[1.0, 0.0], [0.2, 0.6]]))
    pair = roles.pair([0.25, 0.75], [0.5, 0.5])
    np.testing.assert_allclose(roles.rates(pair), [[[0.5, 0.4], [0.6, 0.55]]], atol=1e-15)


def test_an_arena_without_rates_is_refused_by_the_names_of_the_verbs():
    duels = pg.DuelArena(GAME)
    with pytest.raises(TypeError, match=r"^SPPO needs the verb\(s\) rates, which DuelArena lacks; use"):
        require(pg.SPPO(0.5), duels, Listed)
    belief = duels.believe(duels.no_duels())  # its `rates` is a table, not a verb
    needed = r"^SPPO needs the verb\(s\) rates, probs, policy, which Belief lacks"
    with pytest.raises(TypeError, match=needed):
        require(pg.SPPO(0.5), belief, Listed)
