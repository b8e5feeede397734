"""Coverage of votes and the pessimistic policy."""

import numpy as np
import pytest

import pgames as pg
from pgames.counts import PairCounts
from pgames.ratings import coverage, pessimistic


def votes_of(game, N, seed=0):
    """PairCounts float64[Y, Y]: N[y, z] votes on each pair y < z, drawn from the game."""
    rng = np.random.default_rng(seed)
    wins = np.zeros_like(N, dtype=float)
    for y, z in zip(*np.triu_indices(len(N), 1), strict=True):
        wins[y, z] = rng.binomial(N[y, z], game.P[0, y, z])
        wins[z, y] = N[y, z] - wins[y, z]
    return PairCounts(wins)


def test_coverage_by_hand():
    """6 votes on 0-1 and 2 on 0-2 of three items: d = 3/8, 1/8, 0."""
    wins = np.zeros((3, 3))
    wins[0, 1], wins[2, 0] = 6, 2
    found = coverage(PairCounts(wins), [0.5, 0.5, 0.0])
    assert found.met == pytest.approx(1.0)
    assert found.single == pytest.approx(0.25 / (3 / 8))
    assert found.unilateral == np.inf  # response 1 never met response 2
    assert found.unseen == (0, 1, 2)
    pure = coverage(PairCounts(wins), [1.0, 0.0, 0.0])
    assert pure.unilateral == pytest.approx(8.0)
    assert pure.unseen is None
    assert coverage(PairCounts(wins), [0, 0.5, 0.5]).met == pytest.approx(0.5)


def test_coverage_of_files_of_votes_is_that_of_their_counts():
    votes = pg.Comparisons.from_names(["a", "b", "a"], ["b", "c", "c"], ["a", "b", "tie"])
    uniform = np.full(3, 1 / 3)
    assert coverage(votes, uniform) == coverage(votes.counts, uniform)
    assert coverage(votes, uniform).single == pytest.approx((1 / 9) * 6)


def test_pessimism_ignores_a_response_that_looks_good_because_it_was_hardly_compared():
    """Response 2 won its only vote; the greedy estimate plays it, the guaranteed one does not."""
    wins = np.array([[0, 700, 0], [300, 0, 0], [1, 1, 0]], dtype=float)
    greedy = pg.nash(pg.PreferenceGame(_shares(wins))).policy[0]
    safe = pessimistic(PairCounts(wins))
    assert greedy[2] == pytest.approx(1.0)
    assert safe.policy[0, 2] < 0.51
    assert safe.policy[0, 0] > safe.policy[0, 1]


def _shares(wins):
    total = wins + wins.T
    return np.where(total > 0, wins / np.where(total > 0, total, 1), 0.5)


def test_the_guarantee_holds_and_grows_with_votes():
    """The true worst win rate is at least the guaranteed one in all 200 draws; both tend to 1/2."""
    game = pg.games.uniform_random(5, seed=1)
    guaranteed = []
    for n in (50, 1000, 100_000):
        N = np.full((5, 5), n)
        for seed in range(200 if n == 50 else 5):
            found = pessimistic(votes_of(game, N, seed))
            true = 0.5 + (found.policy[0] @ game.skew[0]).min()
            assert found.guaranteed[0] <= true + 1e-12
        guaranteed.append(found.guaranteed[0])
    assert guaranteed == sorted(guaranteed)
    assert guaranteed[-1] > 0.48
    assert guaranteed[0] <= 0.5


def test_it_is_the_maximin_of_the_lower_bounds():
    """Against a linear program of HiGHS, and never better than the lower bounds allow."""
    from scipy.optimize import linprog

    votes = votes_of(pg.games.uniform_random(6, seed=4), np.full((6, 6), 40))
    found = pessimistic(votes, confidence=0.9)
    seen = votes.votes
    width = np.sqrt(np.log(30 / 0.1) / (2 * np.where(seen > 0, seen, 1)))
    L = np.maximum(np.where(seen > 0, votes.points / np.where(seen > 0, seen, 1) - width, 0), 0)
    np.fill_diagonal(L, 0.5)
    rows = np.column_stack([-L.T, np.ones(6)])
    program = linprog(
        np.r_[np.zeros(6), -1],
        A_ub=rows,
        b_ub=np.zeros(6),
        A_eq=[np.r_[np.ones(6), 0]],
        b_eq=[1],
        bounds=[(0, None)] * 6 + [(None, None)],
    )
    assert found.guaranteed[0] == pytest.approx(-program.fun, abs=1e-9)


def test_bad_arguments_are_named():
    wins = PairCounts(np.ones((2, 2)))
    with pytest.raises(ValueError, match=r"shape \[2\] or \[1, 2\]"):
        coverage(wins, [1.0, 0, 0])
    with pytest.raises(ValueError, match="sum to 1"):
        coverage(wins, [0.2, 0.2])
    with pytest.raises(ValueError, match=r"confidence must be in \(0, 1\)"):
        pessimistic(wins, confidence=1.0)
    with pytest.raises(TypeError, match="Comparisons or PairCounts"):
        pessimistic(pg.games.duel())
