"""Bradley-Terry: the maximum of the likelihood, its covariance, ties, and votes without a maximum."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import approx_fprime, brentq, minimize

import pgames as pg
from pgames import ratings
from pgames.votes.comparisons import Comparisons


def simulate(seed, items=6, votes=3000, tie=0.0, spread=1.0):
    rng = np.random.default_rng(seed)
    scores = spread * rng.normal(size=items)
    left = rng.integers(items, size=votes)
    right = (left + rng.integers(1, items, size=votes)) % items
    half = (scores[left] - scores[right]) / 2
    odds = np.stack([np.exp(-half), np.full(votes, tie), np.exp(half)])
    winner = (rng.random(votes) > (odds / odds.sum(0)).cumsum(0)).sum(0) - 1
    return Comparisons(left, right, winner), scores - scores.mean()


def log_likelihood(votes, parameters):
    """Davidson's, vote by vote and on the plain scale: (scores, nu)."""
    strength, nu = np.exp(parameters[:-1]), parameters[-1]
    a, b = strength[votes.left], strength[votes.right]
    tie = nu * np.sqrt(a * b)
    chance = np.select([votes.winner == 1, votes.winner == -1], [a, b], tie) / (a + b + tie)
    return np.log(chance).sum()


@given(st.integers(0, 10**6), st.integers(2, 9), st.floats(0.1, 3))
@settings(max_examples=30, deadline=None)
def test_gradient_of_the_likelihood_is_zero(seed, items, spread):
    votes, _ = simulate(seed, items, 60 * items, tie=0.5, spread=spread)
    try:
        scores = ratings.bradley_terry(votes).scores
    except ValueError:
        return  # somebody never lost
    won = votes.pooled_counts.wins + votes.pooled_counts.ties / 2
    expected = (won + won.T) / (1 + np.exp(scores[None, :] - scores[:, None]))
    np.testing.assert_allclose(won.sum(1), expected.sum(1), atol=1e-10 * len(votes))
    assert abs(scores.mean()) < 1e-13


def test_davidson_equals_a_numeric_optimiser():
    votes, _ = simulate(1, tie=0.8)
    fit = ratings.bradley_terry(votes, ties="davidson")
    start = np.append(np.zeros(len(votes.items)), 0.5)
    bounds = [(None, None)] * len(votes.items) + [(1e-6, None)]
    numeric = minimize(lambda z: -log_likelihood(votes, z), start, bounds=bounds, options={"ftol": 1e-15})
    np.testing.assert_allclose(fit.scores, numeric.x[:-1] - numeric.x[:-1].mean(), atol=1e-4)
    assert fit.tie == pytest.approx(numeric.x[-1], abs=1e-4)
    here = np.append(fit.scores, fit.tie)
    assert log_likelihood(votes, here) >= -numeric.fun - 1e-9
    gradient = approx_fprime(here, lambda z: log_likelihood(votes, z), 1e-6)
    assert np.abs(gradient).max() < 0.05  # of 3000 votes
    elsewhere = np.append(ratings.bradley_terry(votes).scores, fit.tie)
    assert log_likelihood(votes, elsewhere) < log_likelihood(votes, here) - 1  # negative control


@pytest.mark.parametrize("ties", ["drop", "davidson"])
def test_covariance_is_the_inverse_of_the_numeric_hessian(ties):
    votes, _ = simulate(2, items=4, votes=500, tie=0.8)
    fit = ratings.bradley_terry(votes, ties=ties, robust=False)
    counted = votes
    if ties == "drop":
        keep = votes.winner != 0
        counted = Comparisons(votes.left[keep], votes.right[keep], votes.winner[keep])

    def loss(z):  # scores with mean 0 by three free numbers
        scores = np.append(z[:3], -z[:3].sum())
        return -log_likelihood(counted, np.append(scores, np.exp(z[3]) if ties == "davidson" else 0.0))

    here = np.append(fit.scores[:3], np.log(fit.tie)) if ties == "davidson" else fit.scores[:3]
    h, n = 1e-4, len(here)
    hessian = np.empty((n, n))
    for i in range(n):
        for j in range(n):
            a, b = h * np.eye(n)[i], h * np.eye(n)[j]
            value = loss(here + a + b) - loss(here + a - b) - loss(here - a + b) + loss(here - a - b)
            hessian[i, j] = value / (4 * h**2)
    np.testing.assert_allclose(fit.covariance[:3, :3], np.linalg.inv(hessian)[:3, :3], rtol=1e-4)
    np.testing.assert_allclose(fit.covariance.sum(0), 0, atol=1e-12)


def test_intervals_cover_the_truth():
    truth = np.linspace(-1, 1, 5)
    errors = []  # in units of the half-width of a 90 % interval
    for seed in range(150):
        rng = np.random.default_rng(seed)
        left = rng.integers(5, size=400)
        right = (left + rng.integers(1, 5, size=400)) % 5
        winner = np.where(rng.random(400) < 1 / (1 + np.exp(truth[right] - truth[left])), 1, -1)
        fit = ratings.bradley_terry(Comparisons(left, right, winner), level=0.9)
        errors.append((fit.scores - truth) / (fit.intervals[:, 1] - fit.scores))
    assert 0.86 < np.mean(np.abs(errors) < 1) < 0.94
    assert np.mean(np.abs(errors) < 0.5) < 0.7  # negative control: intervals of half the width


def test_robust_errors_agree_with_the_bootstrap_where_ties_are_counted_half():
    votes, _ = simulate(3, items=5, votes=1500, tie=1.5)
    robust = ratings.bradley_terry(votes)
    plain = ratings.bradley_terry(votes, robust=False)
    boot = ratings.bootstrap(ratings.bradley_terry, votes, resamples=300, seed=0)
    width = np.diff(boot.intervals)
    np.testing.assert_allclose(np.diff(robust.intervals), width, rtol=0.2)
    assert (np.diff(plain.intervals) > 1.2 * width).all()  # the Hessian alone takes ties for coin flips


def test_bootstrap_is_reproducible_and_takes_any_rating():
    votes, _ = simulate(4, items=4, votes=200)
    first = ratings.bootstrap(ratings.elo, votes, resamples=20, seed=5)
    again = ratings.bootstrap(ratings.elo, votes, resamples=20, seed=5)
    np.testing.assert_array_equal(first.intervals, again.intervals)
    np.testing.assert_array_equal(first.scores, ratings.elo(votes).scores)
    other = ratings.bootstrap(ratings.elo, votes, resamples=20, seed=6)
    assert not np.array_equal(first.intervals, other.intervals)
    with pytest.raises(ValueError, match="resamples=1"):
        ratings.bootstrap(ratings.elo, votes, resamples=1)


def test_a_bradley_terry_game_gives_its_scores_back():
    scores = np.array([2.0, -1.0, 0.5, -1.5])
    game = pg.PreferenceGame(1 / (1 + np.exp(scores[None, :] - scores[:, None])))
    fit = ratings.bradley_terry(game)
    np.testing.assert_allclose(fit.scores, scores, atol=1e-10)
    np.testing.assert_allclose(fit.win_rates, game.P[0], atol=1e-10)
    assert fit.covariance is None and fit.intervals is None


def test_scores_of_a_game_are_the_nearest_in_likelihood():
    game = pg.PreferenceGame([[0.5, 0.9, 0.2], [0.1, 0.5, 0.6], [0.8, 0.4, 0.5]])
    scores = ratings.bradley_terry(game).scores

    def loss(z):
        return np.sum((1 - np.eye(3)) * game.P[0] * np.logaddexp(0, z[None, :] - z[:, None]))

    np.testing.assert_allclose(approx_fprime(scores, loss, 1e-6), 0, atol=1e-5)


def test_extreme_scores_converge():
    left, right = np.array([[0, 1], [1, 2], [2, 3]]).repeat(100_001, axis=0).T
    winner = np.ones(len(left), int)
    winner[[0, 100_001, 200_002]] = -1  # one upset in each 100,001 votes
    scores = ratings.bradley_terry(Comparisons(left, right, winner)).scores
    np.testing.assert_allclose(-np.diff(scores), np.log(100_000), rtol=1e-9)


@pytest.mark.parametrize(
    ("left", "right", "winner", "message"),
    [
        ([0, 0, 1, 2], [1, 2, 2, 1], [1, 1, 1, 1], "'a' never lost nor tied against the other 2 items"),
        ([0, 1, 2, 3], [1, 0, 3, 2], [1, 1, 1, 1], "2 groups never compared with each other"),
        ([0, 1, 1], [1, 0, 2], [1, 1, 1], r"'a' \(with 1 others\) never lost nor tied against the other 1"),
        ([0, 0], [1, 3], [0, 0], "'c' has no votes"),
    ],
)
def test_votes_without_a_maximum_are_refused_and_a_prior_helps(left, right, winner, message):
    votes = Comparisons(left, right, winner, ["a", "b", "c", "d"][: max(*left, *right) + 1])
    with pytest.raises(ValueError, match=message + ".*prior > 0"):
        ratings.bradley_terry(votes)
    fit = ratings.bradley_terry(votes, prior=0.5)
    assert np.isfinite(fit.scores).all() and np.isfinite(fit.intervals).all()


def test_a_prior_is_a_number_of_votes_against_an_average_opponent():
    votes = Comparisons([0] * 10, [1] * 10, [1] * 10)
    fit = ratings.bradley_terry(votes, prior=2.0)
    s = fit.scores[0]  # symmetric: +s and -s
    assert 10 * (1 - 1 / (1 + np.exp(-2 * s))) + 2 * (1 - 2 / (1 + np.exp(-s))) == pytest.approx(0, abs=1e-9)
    np.testing.assert_allclose(fit.scores, [s, -s], atol=1e-12)


def test_ties_only():
    votes = Comparisons([0, 1], [1, 2], [0, 0])
    np.testing.assert_allclose(ratings.bradley_terry(votes).scores, 0, atol=1e-15)
    with pytest.raises(ValueError, match="every vote is a tie"):
        ratings.bradley_terry(votes, ties="davidson")
    with pytest.raises(ValueError, match="has no votes"):
        ratings.bradley_terry(votes, ties="drop")


def test_davidson_without_ties_is_bradley_terry():
    votes, _ = simulate(5)
    fit = ratings.bradley_terry(votes, ties="davidson")
    np.testing.assert_array_equal(fit.scores, ratings.bradley_terry(votes).scores)
    assert fit.tie == 0


def test_arguments_and_sources():
    votes, _ = simulate(6)
    with pytest.raises(ValueError, match="got 'rao'"):
        ratings.bradley_terry(votes, ties="rao")  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="prior=-1"):
        ratings.bradley_terry(votes, prior=-1)
    with pytest.raises(TypeError, match="need Comparisons or a PreferenceGame, got list"):
        ratings.bradley_terry([1, 2])  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="elo needs Comparisons, got PreferenceGame: use bradley_terry"):
        ratings.elo(votes.to_game())  # type: ignore[arg-type]


def test_ratings_read_as_a_table():
    votes = Comparisons([0, 0, 1], [1, 1, 0], [1, 1, 1], ["good", "better"])
    fit = ratings.bradley_terry(votes)
    assert fit.ranking == ("good", "better") and fit["good"] == fit.scores[0]
    lines = repr(fit).splitlines()
    assert lines[0] == "BradleyTerry of 2 items" and lines[1].split()[:2] == ["1", "good"]
    with pytest.raises(KeyError, match="no item is named 'best'"):
        fit["best"]


NEVER_WINS = Comparisons([0, 1, 3, 0, 1, 3, 0], [1, 3, 0, 2, 2, 2, 3], [1, 1, 1, 1, 1, 1, 0], list("ABCD"))


@pytest.mark.parametrize(
    ("prior", "right"),
    [
        (1e-3, (2.00184132, 2.00184132, -6.00552397, 2.00184132)),
        (1e-6, (3.72853096, 3.72853096, -11.18559288, 3.72853096)),
        (1e-9, (5.45546953, 5.45546953, -16.36640859, 5.45546953)),
        (1e-10, None),
        (1e-12, (7.18240835, 7.18240835, -21.54722505, 7.18240835)),
        (1e-14, (8.3337009, 8.3337009, -25.0011027, 8.3337009)),
    ],
)
def test_a_small_prior_places_an_item_that_never_wins(prior, right):
    """The right values have 60 digits, from Newton's method in multiple precision."""
    fit = ratings.bradley_terry(NEVER_WINS, prior=prior)
    if right is not None:
        np.testing.assert_allclose(fit.scores, right, rtol=2e-8)
    W = NEVER_WINS.pooled_counts.points
    chance = 1 / (1 + np.exp(fit.scores[None, :] - fit.scores[:, None]))
    short = (W * chance.T - W.T * chance).sum(1)  # votes won beyond those expected
    mean = brentq(lambda m: np.tanh((fit.scores + m) / 2).sum(), -20, 20, xtol=1e-14)
    np.testing.assert_allclose(short, prior * np.tanh((fit.scores + mean) / 2), atol=1e-6 * prior + 3e-16)
    assert np.isfinite(fit.intervals).all()


def test_a_small_prior_places_groups_that_never_met_and_groups_that_never_lost():
    apart = Comparisons([0, 0, 2, 2] * 50, [1, 1, 3, 3] * 50, [1, -1, 1, 1] * 50)
    scores = ratings.bradley_terry(apart, prior=1e-9).scores
    np.testing.assert_allclose(scores, [0, 0, 12.66422117, -12.66422117], atol=1e-7)
    above = Comparisons([0, 0, 2, 2, 0, 1] * 1000, [1, 1, 3, 3, 2, 3] * 1000, [1, -1, 1, -1, 1, 1] * 1000)
    scores = ratings.bradley_terry(above, prior=1e-9).scores
    np.testing.assert_allclose(scores, [13.8155115580] * 2 + [-13.8155115580] * 2, rtol=1e-9)
    with pytest.raises(ValueError, match=r"prior=1e-30 is lost to rounding .* pass a prior of 1e-09 or more"):
        ratings.bradley_terry(above, prior=1e-30)


@pytest.mark.parametrize("size", [10**4, 10**5, 10**6])
def test_a_prior_that_tends_to_0_gives_the_scores_without_one(size):
    votes, _ = simulate(7, items=30, votes=size)
    free = ratings.bradley_terry(votes, level=None).scores
    errors = [
        np.abs(ratings.bradley_terry(votes, prior=prior, level=None).scores - free).max()
        for prior in (1e-4, 1e-6, 1e-8, 1e-10, 1e-12, 1e-30)
    ]
    assert errors == sorted(errors, reverse=True) and max(errors[3:]) < 1e-11
    assert errors[1] == pytest.approx(errors[0] / 100, rel=1e-3)  # linear in the prior


def test_one_item_has_the_score_0():
    assert ratings.bradley_terry(pg.PreferenceGame([[0.5]])).scores.tolist() == [0.0]
    assert ratings.bradley_terry(pg.PreferenceGame([[0.5]]), prior=0.5).scores.tolist() == [0.0]


def test_votes_without_spread_have_finite_intervals():
    votes = pg.Comparisons([0] * 4, [1] * 4, [1] * 4, ["a", "b", "c"])
    rated = pg.ratings.bradley_terry(votes, prior=0.5)
    assert np.isfinite(rated.intervals).all()
    assert (rated.intervals[:, 0] <= rated.scores).all() and (rated.scores <= rated.intervals[:, 1]).all()
