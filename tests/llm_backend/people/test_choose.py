"""Pairs are chosen where a vote tells most: the rule of the next match."""

from collections import Counter

import numpy as np
import pytest

import pgames as pg
from llm_backend.people.choose import Chooser, telling
from llm_backend.people.pairs import Question
from llm_backend.people.votes import Vote


def test_the_rule_is_that_of_the_next_matches():
    points = np.array([[0, 8.0, 3], [2, 0, 5], [1, 5, 0]])
    votes = points + points.T
    P = (points + 1) / (votes + 2)
    np.fill_diagonal(P, 0.5)
    w = pg.nash(pg.PreferenceGame(P[None])).policy[0]
    got, wanted = telling(points, votes), np.zeros((3, 3))
    for i, j in ((0, 1), (0, 2), (1, 2)):
        wanted[i, j] = (w[i] + w[j] + 0.1 / 3) * np.sqrt(P[i, j] * P[j, i]) / np.sqrt(votes[i, j] + 2)
    assert np.array_equal(got, got.T) and np.diag(got).tolist() == [0, 0, 0]
    assert np.triu(got) / np.triu(got).sum() == pytest.approx(wanted / wanted.sum(), rel=1e-9)
    assert telling(np.zeros((2, 2)), np.zeros((2, 2)))[0, 1] == pytest.approx(1 / np.sqrt(2))


def test_pairs_of_the_equilibrium_and_pairs_with_few_votes_come_first():
    points = np.full((4, 4), 20.0) - 15 * np.tri(4)  # item 0 beats all, 1 beats 2 and 3, ...
    np.fill_diagonal(points, 0)
    weights = telling(points, points + points.T)
    assert weights[0, 1:].min() > 5 * weights[1:, 1:].max()
    fewer = points.copy()
    fewer[0, 1], fewer[1, 0] = 4, 1  # the same rate from a fifth of the votes
    more = telling(fewer, fewer + fewer.T)
    assert more[0, 1] > 1.5 * more[0, 2]


def questions():
    names = ("a", "b", "c")
    return [
        Question.of(prompt, (one, other), (one, other))
        for prompt in ("p", "q")
        for one, other in (names[:2], names[1:], names[::2])
    ]


def vote_on(one, winner):
    return Vote(one.prompt, *one.names, winner, "Ann", *one.texts, one.key, "t", 0.0, 0.0)


def test_the_weight_of_two_items_is_shared_and_the_prompt_with_fewer_votes_is_taken():
    asked = questions()
    chooser = Chooser(asked, lambda points, votes: np.array([[0, 6.0, 1], [6, 0, 3], [1, 3, 0]]))
    chooser.count(asked[0], vote_on(asked[0], "left"))  # a and b at prompt p
    drawn = Counter(chooser.choose(asked, np.random.default_rng(i)).key for i in range(2000))
    assert asked[0].key not in drawn
    assert drawn[asked[3].key] / 2000 == pytest.approx(0.6, abs=0.04)
    for pair, share in ((asked[1], 0.15), (asked[4], 0.15), (asked[2], 0.05), (asked[5], 0.05)):
        assert drawn[pair.key] / 2000 == pytest.approx(share, abs=0.03)


def test_a_vote_changes_the_weights_and_taking_it_back_restores_them():
    asked = questions()
    chooser = Chooser(asked)
    before = chooser.weights("").copy()
    chooser.count(asked[0], vote_on(asked[0], "left"))
    i, j = (chooser.items("").index(name) for name in asked[0].names)
    assert chooser.weights("")[i, j] < before[i, j]
    chooser.count(asked[0], vote_on(asked[0], "left"), -1)
    assert np.array_equal(chooser.weights(""), before)


def test_games_have_their_own_items():
    asked = [Question.of(p, ("x", "y"), ("m", "n"), p) for p in ("p", "q")]
    chooser = Chooser(asked)
    for _ in range(30):
        chooser.count(asked[0], vote_on(asked[0], "left"))
    assert chooser.weights("p")[0, 1] < 0.5 * chooser.weights("q")[0, 1]
