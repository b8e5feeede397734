"""Facing: one fixed opponent, on any arena."""

import copy
import pickle

import numpy as np
import pytest

import pgames as pg

GAME = pg.games.comal3()


def test_whoever_is_named_the_fixed_policy_is_met():
    arena = pg.TableArena(GAME)
    pure = arena.policy([1.0, 0.0, 0.0])
    facing = pg.Facing(arena, pure)
    step = facing.mirror_step(arena.reference, arena.reference, 2.0)
    np.testing.assert_array_equal(step, arena.mirror_step(arena.reference, pure, 2.0))
    assert facing.win_rate(arena.policy([0, 1.0, 0]), arena.reference) == pytest.approx(0.9)
    assert facing.game is GAME and facing.runs == 1


def test_a_regularised_solver_ends_at_the_soft_best_response():
    """INPO against a fixed opponent is mirror descent on a linear objective, whose optimum is known."""
    arena = pg.TableArena(pg.games.random_skew(6, seed=2))
    fixed = arena.policy([0.5, 0.3, 0.1, 0.1, 0, 0])
    best = arena.mirror_step(arena.reference, fixed, 1 / 0.1)
    state = pg.solve(pg.INPO(0.1, 1.0), pg.Facing(arena, fixed), 400)
    assert np.abs(np.exp(state.policy) - np.exp(best)).sum() < 1e-12


def test_rounds_of_an_inner_loop_are_rounds_of_the_arena():
    """Trap: without `first`, every oracle of a sampled arena would see the same samples again."""
    arena = pg.TableArena(GAME, samples=4, seed=1)
    fixed = arena.policy([0.2, 0.5, 0.3])

    def step(facing, t):
        return facing.at(t).mirror_step(arena.reference, fixed, 1.0)

    later = pg.Facing(arena, fixed, first=10)
    np.testing.assert_array_equal(step(later, 3), arena.at(13).mirror_step(arena.reference, fixed, 1.0))
    np.testing.assert_array_equal(step(later.at(5), 3), step(later, 3))
    assert np.abs(step(later, 3) - step(pg.Facing(arena, fixed), 3)).max() > 0


def test_it_can_be_copied_and_pickled():
    facing = pg.Facing(pg.TableArena(GAME), pg.TableArena(GAME).reference, first=2)
    for again in (copy.copy(facing), copy.deepcopy(facing), pickle.loads(pickle.dumps(facing))):
        assert again.first == 2
        np.testing.assert_array_equal(again.opponent, facing.opponent)


def test_duels_between_policies_of_ones_own_choice_are_refused():
    arena = pg.TableArena(GAME)
    facing = pg.Facing(arena, arena.reference)
    with pytest.raises(TypeError, match=r"OnlineGPO needs the verb\(s\) duel, which Facing lacks; use a sol"):
        pg.OnlineIPO(0.1, 0.5).init(facing)
    with pytest.raises(TypeError, match=r"PSRO needs the verb\(s\) win_rates, meet, which Facing lacks"):
        pg.PSRO().init(facing)
    assert not hasattr(facing, "duel") and hasattr(facing, "tilt")


@pytest.mark.parametrize("verb", ["win_rates", "judged_by"])
def test_verbs_that_would_meet_somebody_else_are_refused(verb):
    arena = pg.TableArena(GAME)
    assert hasattr(arena, verb)
    with pytest.raises(AttributeError, match=f"Facing has no '{verb}': its opponent is fixed"):
        getattr(pg.Facing(arena, arena.reference), verb)


def test_rates_are_those_against_the_fixed_opponent():
    arena = pg.TableArena(GAME)
    pure = arena.policy([0.0, 1.0, 0.0])
    got = pg.Facing(arena, pure).rates(arena.reference)
    np.testing.assert_array_equal(got, arena.rates(pure))
    assert np.abs(got - arena.rates(arena.reference)).max() > 0.1


def test_labels_are_taken_against_the_fixed_opponent():
    arena = pg.DuelArena(GAME, seed=3)
    pure = arena.policy([0.0, 1.0, 0.0])
    buffer = arena.collect(arena.empty_buffer(), arena.reference, arena.reference, 5)
    got = pg.Facing(arena, pure).label(buffer, arena.reference, 4)
    want = arena.label(buffer, pure, 4)
    np.testing.assert_array_equal(got.labels, want.labels)
    np.testing.assert_array_equal(got.opponent, np.exp(pure))


def test_mixtures_and_the_reference_are_the_arenas():
    arena = pg.TableArena(GAME)
    facing = pg.Facing(arena, arena.policy([1.0, 0.0, 0.0]))
    other = arena.policy([0.1, 0.2, 0.7])
    np.testing.assert_array_equal(facing.anchored(other).reference, other)
    np.testing.assert_array_equal(facing.anchored(other).opponent, facing.opponent)
    terms = ((0.3, other), (0.7, arena.reference))
    np.testing.assert_array_equal(facing.mixture(*terms), arena.mixture(*terms))
    np.testing.assert_array_equal(facing.geometric_mixture(*terms), arena.geometric_mixture(*terms))


def test_text_can_be_faced():
    """The same oracle on a language model: a best response to a frozen policy, against the table's."""
    from llm_backend.testing import text_arena

    table = pg.TableArena(GAME)
    text = text_arena(GAME)
    answers = [
        pg.solve(pg.INPO(0.3, 1.5), pg.Facing(arena, arena.policy([[0.7, 0.2, 0.1]])), 5).policy
        for arena in (table, text)
    ]
    exact, fitted = np.exp(answers[0])[0], text.probs(answers[1]).reshape(1, 3)
    assert np.abs(exact - np.exp(table.reference)[0]).sum() > 0.3, "it has moved"
    assert 0.5 * np.abs(exact - fitted).sum() < 0.01
