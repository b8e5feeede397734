"""Anchors: pairs whose winner is known, and how far judges agree with them."""

import numpy as np
import pytest

import pgames as pg
from pgames.population import Anchors

VOTES = pg.Comparisons.from_names(
    ["a", "a", "b", "a", "c", "c"],
    ["b", "b", "a", "c", "a", "b"],
    ["left", "left", "left", "tie", "left", "left"],
)


def test_votes_become_anchors():
    anchors = Anchors.of_votes(VOTES, ["c", "b", "a"])  # the game's order, not that of the votes
    found = {
        (int(y), int(z)): (won, votes)
        for y, z, won, votes in zip(anchors.first, anchors.second, anchors.won, anchors.votes, strict=True)
    }
    assert found == {
        (2, 1): (pytest.approx(2 / 3), 3),
        (2, 0): (0.25, 2),  # a tie and a loss
        (1, 0): (0.0, 1),
    }
    assert (anchors.prompt == 0).all() and len(anchors) == 3


def test_votes_on_several_prompts_are_placed_by_name():
    votes = pg.Comparisons.from_names(["a", "a"], ["b", "b"], ["left", "right"], ["hi", "bye"])
    anchors = Anchors.of_votes(votes, ["a", "b"], ["x", "bye", "hi"])
    assert dict(zip(anchors.prompt.tolist(), anchors.won.tolist(), strict=True)) == {2: 1.0, 1: 0.0}
    with pytest.raises(ValueError, match="on 2 prompts"):
        Anchors.of_votes(votes, ["a", "b"])
    with pytest.raises(ValueError, match="prompt 'bye', which is not among"):
        Anchors.of_votes(votes, ["a", "b"], ["hi"])
    with pytest.raises(ValueError, match="item 'b', which is not among"):
        Anchors.of_votes(votes, ["a"], ["hi", "bye"])


def test_agreement_counts_votes_by_hand():
    anchors = Anchors([0, 0, 0], [0, 1, 2], [1, 2, 0], [1.0, 0.25, 0.0], [1, 4, 1])
    #          right            wrong            undecided
    verdicts = [[0.9, 0.2, 0.1], [0.1, 0.8, 0.9], [0.5, 0.5, 0.5]]
    found = anchors.agreement(verdicts)
    np.testing.assert_allclose(found.right, [(1 + 3 + 1) / 6, (0 + 1 + 0) / 6, 0.5])
    assert found.anchors == pytest.approx(36 / 18)  # one anchor has most of the votes
    assert found.weights[2] == 1 and found.weights[0] > 1 > found.weights[1] > 0
    np.testing.assert_allclose(found.weights[0] * found.weights[1], 1)
    low, high = np.moveaxis(found.interval, -1, 0)
    assert (low < found.right).all() and (found.right < high).all()


def test_the_interval_covers_and_more_anchors_trust_more():
    rng, share, n = np.random.default_rng(0), 0.7, 30
    zeros = np.zeros(n, dtype=np.int64)
    anchors = Anchors(zeros, zeros, zeros + 1, np.ones(n))
    right = rng.random((2000, n)) < share
    found = anchors.agreement(np.where(right, 0.8, 0.3))
    covered = (found.interval[:, 0] <= share) & (share <= found.interval[:, 1])
    assert 0.93 < covered.mean() < 0.98
    few = Anchors(zeros[:2], zeros[:2], zeros[:2] + 1, np.ones(2)).agreement([[0.9, 0.9]])
    many = anchors.agreement([[0.9] * n])
    assert few.weights == [3] and many.weights == [31]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (([], [], [], []), "there are no anchors"),
        (([0], [0], [1], [np.nan]), r"nobody judged anchor 0 \(responses 0 and 1\)"),
        (([0, 0], [0, 1], [1, 2], [1.0, 0.0], [1, 0]), r"nobody judged anchor 1 \(responses 1 and 2\)"),
        (([0], [1], [1], [1.0]), "compares a response with itself"),
        (([0], [0], [1], [1.5]), r"won = 1.5: it is a share of votes"),
        (([0], [0.5], [1], [1.0]), "first must be whole numbers"),
        (([0, 0], [0, 1], [1, 2], [1.0]), r"prompt must have one entry per anchor, \[1\]"),
    ],
)
def test_what_is_no_anchor_is_refused(arguments, told):
    with pytest.raises(ValueError, match=told):
        Anchors(*arguments)


def test_rules_and_verdicts_that_do_not_fit_are_refused():
    game = pg.games.cyclic(4, 0.7)
    with pytest.raises(ValueError, match=r"anchor 1, \[0, 0, 2\], a tie"):
        Anchors.of_rule(game, [[0, 0, 1], [0, 0, 2]])
    with pytest.raises(ValueError, match="below"):
        Anchors.of_rule(game, [[0, 0, 4]])
    with pytest.raises(ValueError, match=r"shape \[N, 3\]"):
        Anchors.of_rule(game, [0, 1])
    anchors = Anchors.of_rule(game, [[0, 0, 1], [0, 2, 1]])
    assert anchors.won.tolist() == [1.0, 0.0]
    with pytest.raises(ValueError, match=r"judge 1 gave nan on anchor 0"):
        anchors.agreement([[0.5, 0.5], [np.nan, 0.5]])
    with pytest.raises(ValueError, match=r"shape \[..., J, 2\]"):
        anchors.agreement([[0.5]])
