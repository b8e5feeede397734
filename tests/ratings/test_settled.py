"""Where Elo settles: closed values, the schedule, and the online ratings around them."""

import numpy as np
import pytest

import pgames as pg
from pgames.ratings import bradley_terry, elo, nash_average, settled
from pgames.ratings.settled import ELO

RPS = np.array([[0.5, 0.9, 0.1], [0.1, 0.5, 0.9], [0.9, 0.1, 0.5]])


@pytest.mark.parametrize(
    ("met", "scores"),
    [
        (None, (0, 0, 0)),
        ([[0, 8, 1], [8, 0, 1], [1, 1, 0]], (135.74, -135.74, 0)),
        ([[0, 2, 1], [2, 0, 1], [1, 1, 0]], (57.28, -57.28, 0)),
        ([[0, 1, 1], [1, 0, 0], [1, 0, 0]], (0, -381.70, 381.70)),
    ],
)
def test_the_schedule_decides_the_ratings_of_a_cycle(met, scores):
    """Rock-paper-scissors at .9, all equal; Nash averaging scores 0 under every schedule."""
    found = settled(RPS, met)
    np.testing.assert_allclose(found.scores, scores, atol=5e-3)
    np.testing.assert_allclose(nash_average(pg.PreferenceGame(RPS)).scores, 0, atol=1e-12)
    # the definition, with no solver: expected and actual points agree
    weights = np.ones((3, 3)) if met is None else np.array(met, dtype=float)
    expected = 1 / (1 + 10 ** ((found.scores[None, :] - found.scores[:, None]) / 400))
    np.testing.assert_allclose((weights * (RPS - expected)).sum(axis=1) - np.diag(weights) * 0, 0, atol=1e-9)


def online(k, seed, games=60_000):
    """Online Elo, pairs playing 80, 10 and 10 % of the games: votes and last ratings, late ratings of 0."""
    rng = np.random.default_rng(seed)
    pair = rng.choice(3, size=games, p=[0.8, 0.1, 0.1])
    left, right = np.array([0, 0, 1])[pair], np.array([1, 2, 2])[pair]
    won = np.where(rng.random(len(pair)) < RPS[left, right], 1, -1)
    R, rates = np.zeros(3), []
    for i, j, w in zip(left.tolist(), right.tolist(), won.tolist(), strict=True):
        change = k * ((1 + w) / 2 - 1 / (1 + 10 ** ((R[j] - R[i]) / 400)))
        R[i] += change
        R[j] -= change
        rates.append(R[0])
    return (left, right, won, R), rates[games // 2 :]


@pytest.mark.slow
@pytest.mark.parametrize(("k", "mean", "spread"), [(4.0, 136.6, 15), (16.0, 138.4, 32), (32.0, 140.6, 46)])
def test_online_elo_fluctuates_about_the_limit_with_a_bias_that_grows_with_k(k, mean, spread):
    """60000 games, the second half: its mean and deviation."""
    tails = []
    for seed in range(4):
        (left, right, won, R), tail = online(k, seed)
        tails.append(tail)
        votes = pg.Comparisons(left, right, won)
        np.testing.assert_allclose(elo(votes, initial=0, k=k).scores, R, atol=1e-6)
    assert np.mean(tails) == pytest.approx(mean, abs=4)
    assert np.std(tails) == pytest.approx(spread, rel=0.15)


def test_it_is_bradley_terry_on_votes_counted_by_the_schedule():
    votes = pg.Comparisons([0, 0, 1, 2, 2, 0], [1, 1, 2, 0, 1, 2], [1, -1, 1, 1, -1, 0])
    counts = votes.pooled_counts
    rates = np.divide(counts.points, counts.votes, out=np.full((3, 3), np.nan), where=counts.votes > 0)
    np.testing.assert_allclose(
        settled(rates, counts.votes).scores, ELO * bradley_terry(votes).scores, atol=1e-6
    )


def test_unmet_pairs_are_ignored_and_infinite_ratings_are_named():
    rates = np.array([[0.5, 0.75, np.nan], [0.25, 0.5, 0.75], [np.nan, 0.25, 0.5]])
    met = [[0, 1, 0], [1, 0, 1], [0, 1, 0]]
    step = 400 * np.log10(3)
    np.testing.assert_allclose(settled(rates, met).scores, [step, 0, -step], atol=1e-6)
    sure = np.array([[0.5, 1.0], [0.0, 0.5]])
    with pytest.raises(ValueError, match=r"'ada' never lost nor tied .* infinite: pass prior > 0"):
        settled(sure, items=["ada", "bob"])
    assert settled(sure, prior=0.5).scores[0] > 100
    with pytest.raises(ValueError, match="2 groups never compared"):
        settled(np.full((4, 4), 0.5), np.kron(np.eye(2), np.ones((2, 2))))
    assert settled([[0.5]]).scores.tolist() == [0]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ((np.full((2, 3), 0.5),), r"shape \[K, K\], got \[2, 3\]"),
        ((RPS, np.ones((2, 2))), r"met must have shape \[3, 3\]"),
        ((RPS, [[0, 1, 2], [0, 0, 1], [1, 1, 0]]), "at least 0 and symmetric"),
        ((RPS, None, -1.0), "prior must be finite"),
        (([[0.5, 0.7], [0.7, 0.5]],), "rates \\+ rates' = 1 where two meet, got 0.7 and 0.7 for 0 and 1"),
        (([[0.5, np.nan], [np.nan, 0.5]],), "got nan"),
    ],
)
def test_what_is_no_schedule_is_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        settled(*arguments)
