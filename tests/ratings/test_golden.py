"""Ratings equal the published ones: evalica's golden files, choix's test cases, elote's round robin."""

import csv
import json

import numpy as np
import pytest

from pgames import ratings
from pgames.votes.comparisons import Comparisons

METHODS = {
    "elo": lambda votes: ratings.elo(votes).scores,
    "bradley_terry": lambda votes: ratings.bradley_terry(votes).strengths,
    "average_win_rate": lambda votes: ratings.average_win_rate(votes).scores,
    "counting": lambda votes: ratings.win_count(votes).scores,
}


def golden(folder, name, method, items):
    with open(folder / "evalica" / f"{name}-golden.csv", encoding="utf-8", newline="") as file:
        scores = {
            row["item"]: float(row["score"]) for row in csv.DictReader(file) if row["algorithm"] == method
        }
    assert set(scores) == set(items)
    return np.array([scores[item] for item in items])


@pytest.mark.parametrize("name", ["simple", "food", "llmfao"])
@pytest.mark.parametrize("method", METHODS)
def test_golden_files_of_evalica(shared_data, name, method):
    votes = Comparisons.read(shared_data / "evalica" / f"{name}.csv")
    np.testing.assert_allclose(
        METHODS[method](votes), golden(shared_data, name, method, votes.items), rtol=1e-14, atol=1e-300
    )


@pytest.mark.parametrize("name", ["simple", "food", "llmfao"])
def test_newmans_ties_are_davidsons(shared_data, name):
    """Newman's fixed point has the same likelihood; its scores are not scaled, so compare log-ratios."""
    votes = Comparisons.read(shared_data / "evalica" / f"{name}.csv")
    published = np.log(golden(shared_data, name, "newman", votes.items))
    scores = ratings.bradley_terry(votes, ties="davidson").scores
    np.testing.assert_allclose(scores, published - published.mean(), atol=1e-13)
    half = ratings.bradley_terry(votes).scores
    assert np.abs(half - (published - published.mean())).max() > 0.01  # negative control: ties counted half


@pytest.mark.parametrize(("k", "scale"), [(4.0, 400.0), (6.0, 400.0), (32.0, 400.0), (40.0, 100.0)])
def test_elo_equals_its_definition(k, scale):
    rng = np.random.default_rng(0)
    left = rng.integers(5, size=40_000)
    right = (left + rng.integers(1, 5, size=40_000)) % 5
    winner = rng.integers(-1, 2, size=40_000)
    scores = [1500.0] * 5
    for i, j, won in zip(left.tolist(), right.tolist(), winner.tolist(), strict=True):
        change = k * ((won + 1) / 2 - 1 / (1 + 10 ** ((scores[j] - scores[i]) / scale)))
        scores[i] += change
        scores[j] -= change
    rated = ratings.elo(Comparisons(left, right, winner), initial=1500, scale=scale, k=k)
    np.testing.assert_allclose(rated.scores, scores, rtol=1e-12)


def test_elo_refuses_what_is_no_scale():
    votes = Comparisons([0], [1], [1])
    for wrong in ({"base": 1.0}, {"scale": 0.0}, {"k": -4.0}, {"k": np.nan}, {"initial": np.inf}):
        with pytest.raises(ValueError, match="elo needs base > 1, scale > 0, k > 0"):
            ratings.elo(votes, **wrong)


def test_elo_depends_on_the_order_of_votes(shared_data):
    votes = Comparisons.read(shared_data / "evalica" / "food.csv")
    backwards = Comparisons(votes.left[::-1], votes.right[::-1], votes.winner[::-1], votes.items)
    assert np.abs(ratings.elo(votes).scores - ratings.elo(backwards).scores).max() > 0.1
    np.testing.assert_allclose(
        ratings.bradley_terry(votes).scores, ratings.bradley_terry(backwards).scores, atol=1e-14
    )


@pytest.mark.parametrize("name", ["testcase-pairwise-1", "testcase-pairwise-2"])
def test_choix(shared_data, name):
    case = json.loads((shared_data / "choix" / f"{name}.json").read_text())
    winners, losers = np.array(case["data"]).T
    votes = Comparisons(winners, losers, np.ones(len(winners), int))
    np.testing.assert_allclose(ratings.bradley_terry(votes).scores, case["ml_est"], atol=1e-8)


def test_double_round_robin_of_elote():
    """wdm0006/elote#65: the stronger always wins; a fit that is not a maximum swapped 2 and 3."""
    pairs = [(i, j) for i in range(6) for j in range(6) if i != j]
    left, right = np.array(pairs).T
    votes = Comparisons(left, right, np.where(left > right, 1, -1))
    assert ratings.bradley_terry(votes, prior=0.1).ranking == ("5", "4", "3", "2", "1", "0")
