"""Searched: a mirror step from verdicts one at a time, and what it keeps while the opponent stands."""

import copy
import pickle
from typing import Any

import numpy as np
import pytest

import pgames as pg
from pgames.testing import check_arena
from tests.support.token_games import STEP, soft_value, token_game


def searched(verdicts, V=4, L=3, seed=0, rule=None, **how):
    game = token_game(V, L, seed)
    return game, pg.Searched(pg.TableArena(game.game, **how), verdicts, rule or pg.PUCT(), game.tokens)


def standing(game, arena):
    """The opponent of a token game as a policy."""
    return arena.policy(np.eye(len(game.tokens))[game.opponent])


@pytest.mark.parametrize("rule", [pg.PUCT(), pg.Tempered(20.0), pg.Halving()])
def test_with_every_response_judged_it_is_the_mirror_step(rule):
    game, arena = searched(64, rule=rule, runs=2)
    rng = np.random.default_rng(0)
    prior, opponent = (arena.policy(rng.dirichlet(np.ones(64), size=(2, 1))) for _ in range(2))
    for step in (0.3, 20.0, np.array([1.0, 5.0])):
        exact = arena.arena.mirror_step(prior, opponent, step)
        np.testing.assert_allclose(arena.mirror_step(prior, opponent, step), exact, rtol=0, atol=1e-12)
    best = arena.arena.mirror_step(prior, opponent, np.inf)
    np.testing.assert_allclose(np.exp(arena.mirror_step(prior, opponent, np.inf)), np.exp(best), atol=1e-12)
    few = pg.Searched(arena.arena, 8, rule, game.tokens)
    assert np.abs(np.exp(few.mirror_step(prior, opponent, 20.0)) - np.exp(exact)).sum() > 0.01


def test_it_passes_the_kit_when_every_response_is_judged():
    assert check_arena(pg.Searched(pg.TableArena(pg.games.comal3(), runs=2), 3))


@pytest.mark.parametrize("solver", [pg.EGPO(0.1, 0.5), pg.INPO(0.1, 0.5), pg.NashMD(0.1)])
def test_solvers_reach_the_same_policies(solver):
    table = pg.TableArena(pg.games.cyclic(3, 0.8))
    want, got = (pg.solve(solver, arena, 50).policy for arena in (table, pg.Searched(table, 3)))
    np.testing.assert_allclose(got, want, atol=1e-12)


def test_the_tree_is_kept_while_the_opponent_stands():
    game, arena = searched(16)
    opponent, values = standing(game, arena), []
    for t in range(4):
        policy = arena.at(t).mirror_step(arena.reference, opponent, STEP)
        values.append(soft_value(np.exp(policy[0, 0]), game.rates))
    exact = arena.arena.mirror_step(arena.reference, opponent, STEP)
    np.testing.assert_allclose(policy, exact, atol=1e-12)  # 4 rounds of 16 verdicts are all 64
    assert values == sorted(values) and values[0] < values[-1] - 0.05
    other = arena.policy(np.eye(64)[3])
    arena.at(4).mirror_step(arena.reference, other, STEP)  # the opponent has changed: the tree is gone
    again = arena.at(5).mirror_step(arena.reference, opponent, STEP)
    assert np.abs(np.exp(again) - np.exp(exact)).sum() > 0.01


def test_steps_of_one_round_are_equal_and_depend_on_rounds_before_alone():
    game, arena = searched(10)
    opponent = standing(game, arena)
    first = arena.at(0).mirror_step(arena.reference, opponent, STEP)
    second = arena.at(1).mirror_step(arena.reference, opponent, STEP)
    assert np.array_equal(arena.at(1).mirror_step(arena.reference, opponent, STEP), second)
    assert np.array_equal(arena.at(0).mirror_step(arena.reference, opponent, STEP), first)
    _, fresh = searched(10)
    assert np.array_equal(fresh.at(0).mirror_step(fresh.reference, opponent, STEP), first)
    assert np.array_equal(fresh.at(1).mirror_step(fresh.reference, opponent, STEP), second)
    assert not np.array_equal(first, second)


def test_runs_and_prompts_are_searched_apart():
    """The first run of two is that of one, to the bit, and each prompt has its own tree."""
    games = [token_game(4, 3, seed) for seed in (0, 1)]
    game = pg.PreferenceGame(np.concatenate([one.game.P for one in games]))
    found = []
    for runs in (1, 2):
        arena = pg.Searched(pg.TableArena(game, runs=runs), 12, tokens=games[0].tokens)
        found.append(arena.search(arena.reference, arena.reference, 12, pg.PUCT()))
    assert np.array_equal(found[1].score[:1], found[0].score)
    assert not np.array_equal(found[1].score[0], found[1].score[1])
    assert found[0].judged == sum(map(len, found[0].verdicts)) and len(found[1].verdicts) == 4


def test_sampled_verdicts_are_means_of_duels():
    game, arena = searched(64, samples=5, seed=2)
    found = arena.search(arena.reference, standing(game, arena), 500, pg.PUCT())
    worth = np.array([*found.verdicts[0].values()])
    np.testing.assert_allclose(worth * 5, np.round(worth * 5), atol=1e-12)
    assert 0 < np.abs(worth - worth.round()).max()


def test_expert_iteration_climbs_a_ranking_and_circles_on_a_cycle():
    _, arena = searched(4)
    solver = pg.ExpertIteration(40, pg.PUCT(0.5))
    state = pg.solve(solver, arena, 6)
    assert float(arena.win_rate(state.policy, arena.reference)[0]) > 0.8
    cycle = pg.Searched(pg.TableArena(pg.games.rock_paper_scissors().with_reference([0.5, 0.3, 0.2])), 3)
    gaps = [float(cycle.exploitability(s.policy)[0]) for s in pg.iterate(solver, cycle, 20)]
    assert min(gaps[5:]) > 0.05
    assert solver.target is None


def test_expert_iteration_needs_an_arena_that_searches():
    with pytest.raises(TypeError, match=r"needs the verb\(s\) search, distil, .*wrap it, pgames\.Searched"):
        pg.solve(pg.ExpertIteration(8), pg.TableArena(pg.games.comal3()), 1)


def test_copies_and_pickles_work():
    game, arena = searched(8)
    for other in (copy.copy(arena), copy.deepcopy(arena), pickle.loads(pickle.dumps(arena))):
        got = other.mirror_step(other.reference, standing(game, arena), STEP)
        assert np.array_equal(got, arena.mirror_step(arena.reference, standing(game, arena), STEP))
    with pytest.raises(AttributeError, match="no_such_verb"):
        _ = arena.no_such_verb


def test_a_best_response_plays_all_that_tie_in_proportion_to_the_prior():
    """As a table does: 0 and 1 tie against 2, and neither is dropped."""
    game = pg.PreferenceGame([[0.5, 0.5, 0.8], [0.5, 0.5, 0.8], [0.2, 0.2, 0.5]], [0.3, 0.1, 0.6])
    table = pg.TableArena(game, runs=2)
    opponent = table.policy([0.0, 0.0, 1.0])
    got = pg.Searched(table, 3).mirror_step(table.reference, opponent, np.inf)
    np.testing.assert_allclose(np.exp(got[:, 0]), [[0.75, 0.25, 0]] * 2, atol=1e-12)
    np.testing.assert_array_equal(got, table.mirror_step(table.reference, opponent, np.inf))


def test_only_a_table_is_searched():
    """A view with a fixed opponent would be searched against another one."""
    table = pg.TableArena(pg.games.comal3())
    others: list[Any] = [
        pg.Facing(table, table.reference),
        pg.Searched(table, 3),
        pg.RoleArena(pg.MatrixRoles([[0.1, 0.9], [0.8, 0.2]])),
        pg.DuelArena(pg.games.comal3()),
    ]
    for arena in others:
        with pytest.raises(TypeError, match=f"needs a TableArena, got {type(arena).__name__}: search the"):
            pg.Searched(arena, 3)


def test_numbers_of_numpy_are_numbers():
    three: Any = np.int64(3)
    assert pg.Searched(pg.TableArena(pg.games.comal3()), three).verdicts == 3
    assert pg.ExpertIteration(three) == pg.ExpertIteration(3)


@pytest.mark.parametrize(
    ("make", "line"),
    [
        (
            lambda table, tokens: pg.Searched(table, 8.5, tokens=tokens),
            "a number of simulations must be a whole number, got 8.5",
        ),
        (
            lambda table, tokens: pg.Searched(table, 2, tokens=tokens),
            "PUCT chooses among up to 4 tokens and needs at least 4",
        ),
        (
            lambda table, tokens: pg.Searched(table, 8, tokens=tokens[1:]),
            "a row for each of the 64",
        ),
        (lambda table, tokens: pg.Searched(table, 8, tokens=[(0,)] * 64), "must differ"),
        (
            lambda table, tokens: pg.Searched(table, 8, tokens=tokens).search(
                table.reference, table.reference, 2, pg.PUCT()
            ),
            "needs at least 4 simulations, got 2",
        ),
    ],
)
def test_bad_input_is_named(make, line):
    game = token_game(4, 3, 0)
    with pytest.raises(ValueError, match=line):
        make(pg.TableArena(game.game), game.tokens)
