"""Which pairs play next: the rule by hand, and half the games of an even schedule."""

import numpy as np
import pytest

import pgames as pg
from pgames.population import Nash, exact_meetings, matches_of, next_matches, no_meetings

K, BATCH = 20, 200


def gap_after(game, games, even, seed):
    """The gap, in the true game, of the Nash of the win rates estimated from so many games."""
    arena = pg.TableArena(game, samples=1, seed=seed)
    members = [arena.policy(row) for row in np.eye(K)]
    met, everybody = no_meetings(K), np.triu(np.ones((K, K)), 1)
    for t in range(games // BATCH):
        shares = everybody if even else next_matches(met)[0]
        met = met + arena.at(t).meet(members, matches_of(shares, BATCH, seed * 1000 + t))
    wins = np.nan_to_num(met.rates) * np.where(np.isinf(met.games), 0, met.games)
    played = np.where(np.isinf(met.games), 0, met.games)
    rates = (wins + 1) / (played + 2)  # as uncertain as the games leave it
    weights = Nash()((rates + 1 - np.swapaxes(rates, 1, 2)) / 2)[0]
    return 2 * float(pg.exploitability(game, weights))


@pytest.mark.parametrize(
    ("make", "even", "chosen"),
    [
        pytest.param(
            lambda seed: pg.games.random_skew(K, seed),
            (0.112, 0.087),
            (0.088, 0.061),
            marks=pytest.mark.slow,
        ),
        (lambda seed: pg.games.skill_and_cycles(K, 0.5, seed), (0.120, 0.078), (0.069, 0.041)),
    ],
    ids=["random_skew", "skill_and_cycles"],
)
def test_half_the_games_of_an_even_schedule(make, even, chosen):
    """`even` and `chosen` are measured after 4000 and 8000 games; the mean of 10 games varies by .015."""
    games = [make(seed) for seed in range(10)]

    def mean(total, evenly):
        return np.mean([gap_after(game, total, evenly, seed) for seed, game in enumerate(games)])

    half, whole = mean(4000, False), mean(8000, True)
    assert half < 1.1 * whole, "half the games"
    assert half < 0.85 * mean(4000, True)
    assert half == pytest.approx(chosen[0], abs=0.025) and whole == pytest.approx(even[1], abs=0.02)


def test_the_rule_by_hand():
    """Member 2 loses to both others, so the mixture is member 0, who beats 1 in 9 of 10 games."""
    rates = np.array([[[0.5, 0.9, 1.0], [0.1, 0.5, 1.0], [0.0, 0.0, 0.5]]])
    games = np.array([[[np.inf, 10, 6], [10, np.inf, 6], [6, 6, np.inf]]])
    shares = next_matches(pg.Meetings(rates, games))[0]

    def doubt(won, played):
        rate = (won + 1) / (played + 2)
        return np.sqrt(rate * (1 - rate) / (played + 2))

    curious = 0.1 / 3
    wanted = np.array([(1 + curious) * doubt(9, 10), (1 + curious) * doubt(6, 6), curious * doubt(6, 6)])
    np.testing.assert_allclose(shares[np.triu_indices(3, 1)], wanted / wanted.sum(), atol=1e-9)
    assert (shares[np.tril_indices(3)] == 0).all()


def test_those_who_learn_from_each_other_come_first_too():
    rates, games = np.full((1, 3, 3), 0.5), np.full((1, 3, 3), 14.0)
    games[:, range(3), range(3)] = np.inf
    met = pg.Meetings(rates, games)
    meets = np.zeros((1, 3, 3))
    meets[0, 1] = [0.25, 0.0, 0.75]  # member 1 learns, mostly from member 2
    shares = next_matches(met, meta=lambda rates: np.array([[1.0, 0.0, 0.0]]), meets=meets)[0]
    wanted = np.array([1 + 0.25, 1.0, 0.75]) + 0.1 / 3
    np.testing.assert_allclose(shares[np.triu_indices(3, 1)], wanted / wanted.sum(), atol=1e-12)
    for wrong in (meets[:, :2], -meets, meets + np.inf):
        with pytest.raises(ValueError, match=r"meets must (be|hold)"):
            next_matches(met, meets=wrong)


def test_exact_rates_need_no_games_and_unknown_ones_do():
    known = exact_meetings(np.full((2, 3, 3), 0.5))
    assert (next_matches(known) == 0).all()
    grown = known.grown()
    shares = next_matches(grown)
    np.testing.assert_allclose(shares[:, :3, 3].sum(axis=1), 1)
    assert next_matches(no_meetings(1)).shape == (1, 1, 1)


def test_matches_are_in_proportion_to_the_shares():
    shares = np.triu([[0, 0.5, 0.3], [0, 0, 0.2], [0, 0, 0]])
    pairs, times = np.unique(matches_of(shares, 10, seed=0), axis=0, return_counts=True)
    assert pairs.tolist() == [[0, 1], [0, 2], [1, 2]] and times.tolist() == [5, 3, 2]
    few = [matches_of(shares, 1, seed)[0].tolist() for seed in range(400)]
    assert few.count([0, 1]) == pytest.approx(200, abs=40)
    np.testing.assert_array_equal(matches_of(shares, 7, 3), matches_of(shares, 7, 3))
    assert len(matches_of(np.full((5, 5), 1e-9), 1003, 0)) == 1003
    for wrong, told in (((shares, 0, 0), "games >= 1"), ((shares * 0, 1, 0), "some pair must have one")):
        with pytest.raises(ValueError, match=told):
            matches_of(*wrong)
