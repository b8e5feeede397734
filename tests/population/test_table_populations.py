"""Populations of a table: win rates in one product, matches, and the mixture that is best against all."""

import numpy as np
import pytest

import pgames as pg
from pgames.exact.shared_row import shared_row

GAME = pg.games.stack([pg.games.comal3(), pg.games.cyclic(5, 0.8), pg.games.random_skew(4, 1)])
GAME = pg.PreferenceGame(GAME.P, GAME.reference, [0.2, 0.5, 0.3])


def population(arena, size, seed=0):
    rng = np.random.default_rng(seed)
    shape = (size, arena.runs, arena.game.prompts, arena.game.responses)
    weights = np.where(arena.game.support, rng.exponential(size=shape), 0.0)
    return [arena.policy(w / w.sum(axis=-1, keepdims=True)) for w in weights]


def test_win_rates_are_those_of_pairs():
    arena = pg.TableArena(GAME, runs=3)
    firsts, seconds = population(arena, 4), population(arena, 5, seed=1)
    rates = arena.win_rates(firsts, seconds)
    assert rates.shape == (3, 4, 5)
    for i, first in enumerate(firsts):
        for j, second in enumerate(seconds):
            np.testing.assert_allclose(rates[:, i, j], arena.win_rate(first, second), atol=1e-14)
    np.testing.assert_array_equal(
        rates[:1], pg.TableArena(GAME).win_rates([p[:1] for p in firsts], [p[:1] for p in seconds])
    )
    sure = pg.TableArena(pg.games.cyclic(5))
    pure = [sure.policy(row) for row in np.eye(5)]
    assert set(np.unique(sure.win_rates(pure, pure))) == {0.0, 0.5, 1.0}


def test_sampled_win_rates_are_those_of_the_verb():
    arena = pg.TableArena(GAME, runs=2, samples=7, seed=4).at(3)
    a, b = population(arena, 2)
    np.testing.assert_array_equal(arena.win_rates([a], [b])[:, 0, 0], arena.win_rate(a, b))


def test_matches_are_exact_or_counted():
    arena = pg.TableArena(GAME, runs=2)
    members = population(arena, 3)
    met = arena.meet(members, np.array([[0, 1], [1, 0]]))
    np.testing.assert_allclose(met.rates[:, 0, 1], arena.win_rate(members[0], members[1]), atol=1e-14)
    assert np.isinf(met.games[:, 0, 1]).all() and np.isnan(met.rates[:, 0, 2]).all()
    with pytest.raises(ValueError, match="members 0 and 2 never met"):
        met.known()
    sampled = pg.TableArena(pg.games.random_skew(4, 1), runs=40, samples=50, seed=2)
    two = population(sampled, 2)
    many = sampled.meet(two, [[0, 1], [1, 0], [0, 1]])
    assert (many.games[:, 0, 1] == 150).all()
    truth = pg.TableArena(sampled.game, runs=40).win_rate(*two)
    assert (np.abs(many.rates[:, 0, 1] - truth) <= many.margin()[:, 0, 1] * 1.001).mean() >= 0.85
    again = sampled.at(1).meet(two, [[0, 1]]) + sampled.at(2).meet(two, [[0, 1]])
    assert (again.games[:, 0, 1] == 100).all() and (again.rates != sampled.meet(two, [[0, 1]]).rates).any()


def test_games_of_unequal_prompts_count_as_fewer():
    arena = pg.TableArena(GAME, samples=10)
    games = arena.meet(population(arena, 2), [[0, 1]]).games[0, 0, 1]
    assert games == pytest.approx(10 / (0.2**2 + 0.5**2 + 0.3**2)) and games < 30


@pytest.mark.parametrize(
    ("pairs", "told"),
    [
        ([[0, 3]], "members 0 to 2, got numbers 0 to 3"),
        ([[-1, 0]], "members 0 to 2, got numbers -1 to 0"),
        ([[0.5, 1.0]], r"whole numbers of shape \[B, 2\], got float64"),
        ([0, 1], r"shape \[B, 2\], got int64 of shape \[2\]"),
    ],
)
def test_matches_between_nobody_are_refused(pairs, told):
    arena = pg.TableArena(GAME)
    with pytest.raises(ValueError, match=told):
        arena.meet(population(arena, 3), pairs)


def test_no_member_is_no_population():
    with pytest.raises(ValueError, match="at least one member"):
        pg.TableArena(GAME).against_all([])


@pytest.mark.parametrize("game", [pg.games.random_skew(30, 4), GAME], ids=["one prompt", "three prompts"])
def test_the_mixture_against_all_is_never_more_exploitable_than_a_member(game):
    arena = pg.TableArena(game, runs=3)
    members = population(arena, 6, seed=5)
    best = arena.against_all(members)
    policy = pg.population.mixed(arena, best.weights, members)
    gap = arena.exploitability(policy)
    np.testing.assert_allclose(gap, best.exploitability, atol=1e-9)
    singles = np.stack([arena.exploitability(member) for member in members])
    assert (gap <= singles.min(axis=0) + 1e-9).all() and (gap < singles.min(axis=0) - 0.01).any()
    rng = np.random.default_rng(0)  # and no other mixture is better
    for weights in rng.dirichlet(np.ones(6), size=50):
        other = pg.population.mixed(arena, np.tile(weights, (3, 1)), members)
        assert (arena.exploitability(other) >= gap - 1e-9).all()
    # the opponent holds every member to the value: a certificate that does not use the solver's dual
    held = arena.win_rates(members, [best.opponent])[:, :, 0] - 0.5
    np.testing.assert_allclose(held.max(axis=1), -gap, atol=1e-9)


def test_a_shared_row_against_enumerated_columns():
    """Oracle: one zero-sum game whose columns are all combinations of a column per game."""
    rng = np.random.default_rng(3)
    A, weights = rng.random((3, 4, 5)), np.array([0.5, 0.3, 0.2])
    found = shared_row(A, weights)
    combined = np.stack(
        [
            weights[0] * A[0, :, i] + weights[1] * A[1, :, j] + weights[2] * A[2, :, k]
            for i in range(5)
            for j in range(5)
            for k in range(5)
        ],
        axis=1,
    )
    assert found.guaranteed == pytest.approx(pg.nash_zero_sum(combined).value, abs=1e-9)
    assert found.gap < 1e-9
    alone = sum(w * pg.nash_zero_sum(one).value for w, one in zip(weights, A, strict=True))
    assert found.guaranteed < alone - 1e-3, "a row for each game would get more: sharing binds"


def test_a_program_of_many_alike_rows_is_solved_to_rounding():
    """HiGHS alone left a gap of 1.5e-9 here, in a population of pairs of roles with one weight each."""
    game = pg.MatrixRoles(np.random.default_rng(3).random((60, 40)))
    arena, gaps = pg.RoleArena(game), []
    members = [arena.pair(np.eye(60)[0], np.eye(40)[0])]
    for _ in range(88):
        kept = np.stack([1 - game.rates(one) for one in members], axis=2)[0]
        found = shared_row(kept, [0.5, 0.5], game.support)
        gaps.append(found.gap)
        members.append(arena.mirror_step(arena.reference, arena.policy(found.columns), np.inf))
    assert max(gaps) < 1e-12 and found.guaranteed == pytest.approx(0.5, abs=1e-12)


def test_columns_outside_a_game_are_not_played():
    A = np.zeros((2, 2, 3))
    A[:, :, 2] = -100.0
    support = np.array([[True, True, False], [True, True, True]])
    found = shared_row(A, [0.5, 0.5], support)
    assert found.columns[0, 2] == 0 and found.guaranteed == -50
    unweighted = shared_row(A, [1.0, 0.0], support)
    np.testing.assert_allclose(unweighted.columns.sum(axis=1), 1)


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((np.zeros((2, 2)), [1.0]), r"shape \[X, m, n\], got \[2, 2\]"),
        ((np.full((1, 2, 2), np.nan), [1.0]), "must be finite"),
        ((np.zeros((2, 2, 2)), [1.0]), r"weights must have shape \[2\]"),
        ((np.zeros((2, 2, 2)), [0.9, 0.3]), "must sum to 1"),
        ((np.zeros((2, 2, 2)), [0.5, 0.5], [[True, True], [False, False]]), "game 1 has no column"),
    ],
)
def test_what_is_no_set_of_games_is_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        shared_row(*arguments)
