"""Members that judge each other's pairs, on text."""

import numpy as np
import pytest
import torch

from llm_backend import judges
from llm_backend.data import Pair
from llm_backend.judges.members import agreement, anchors_by
from llm_backend.policies.handles import BASE
from tests.support.judged import WORDS, assert_preference, table
from tests.support.llm_tiny import tiny_lm


def constant(p, name):
    """A judge of P = p for whichever text comes first in the alphabet."""
    return judges.Rule(prefer=lambda x, y, z: 0.5 if y == z else p if y < z else 1 - p, name=name)


FOUR = [constant(p, str(p)) for p in (0.9, 0.8, 0.6, 0.1)]


def test_a_pair_is_judged_by_all_others():
    members = judges.Members(FOUR)
    assert members.outside(0, 3).prefer(["x"], ["a"], ["b"]) == pytest.approx([0.7])
    assert members.outside(2, 1).prefer(["x"], ["a"], ["b"]) == pytest.approx([0.5])
    trusted = judges.Members(FOUR, [0.0, 3.0, 1.0, 1.0])
    assert trusted.outside(3, 0).prefer(["x"], ["a"], ["b"]) == pytest.approx([(3 * 0.8 + 0.6) / 4])
    assert trusted.outside(0, 3).name != members.outside(0, 3).name
    assert_preference(table(trusted.outside(0, 1)))


def test_anchors_weigh_by_the_odds_of_agreement():
    votes = [
        Pair("x", "a", "b"),
        Pair("x", "b", "a", 0.0),
        Pair("x", "c", "d", 1.0),
        Pair("y", "d", "e", 0.0),
    ]
    members = judges.Members(FOUR).known_by(votes)
    assert members.agreement is not None and members.weights is not None
    # anchors: (x, a, b) twice for a, one vote each for c before d and for e before d
    np.testing.assert_allclose(members.agreement.right, [0.75, 0.75, 0.75, 0.25])
    n = 16 / 6
    assert members.agreement.anchors == pytest.approx(n)
    odds = (0.75 * n + 1) / (0.25 * n + 1)
    np.testing.assert_allclose(members.weights * (3 * odds + 1 / odds), [odds] * 3 + [1 / odds])
    low, high = members.agreement.interval.T
    assert (low < 0.75).all() and (high > 0.25).all() and (high - low > 0.4).all()
    said = (odds * 0.6 + 0.1 / odds) / (odds + 1 / odds)
    assert members.outside(0, 1).prefer(["x"], ["a"], ["b"]) == pytest.approx([said])


def test_a_rule_makes_anchors():
    short = judges.Rule(judges.rules.shorter)
    pairs = anchors_by(short, ["x"] * 3, ["a", "aa", "b"], ["bb", "b", "a"])
    assert pairs == [Pair("x", "a", "bb", 1.0), Pair("x", "aa", "b", 0.0)]
    found = agreement([short, judges.Rule(judges.rules.longer)], pairs)
    np.testing.assert_allclose(found.right, [1.0, 0.0])
    with pytest.raises(ValueError, match="calls all 1 pairs ties"):
        anchors_by(short, ["x"], ["a"], ["b"])


def test_a_member_asked_by_its_own_weights():
    lm = tiny_lm(words=("a", "b", "rock", "paper", "scissors", "A", "B", "or"))
    question = "{prompt} A {first} or B {second}"
    judge = judges.MemberJudge(lm, BASE, question)
    P = table(judge)
    assert_preference(P)

    def odds(y, z):
        head = lm.encode(question.format(prompt="a", first=y, second=z))
        ids = [lm.tokenizer.convert_tokens_to_ids(text) for text in ("A", "B")]
        with torch.no_grad(), lm.active(BASE):
            logs = torch.log_softmax(lm.causal(torch.tensor([head])).logits[0, -1].double(), -1)[ids]
        return float(torch.sigmoid(logs[0] - logs[1]))

    y, z = WORDS[0], WORDS[1]
    expected = (odds(y, z) + 1 - odds(z, y)) / 2
    got = judge.prefer(["a"], [y], [z])[0]
    assert got == pytest.approx(expected, abs=1e-5) and abs(expected - 0.5) > 1e-4
    assert lm.base_id in judge.name and "base" in judge.name
    with pytest.raises(ValueError, match="two different single tokens"):
        judges.MemberJudge(lm, BASE, question, ("A B", "A"))
    with pytest.raises(ValueError, match=r"MemberJudge: question has a field other than .*'other'"):
        judges.MemberJudge(lm, BASE, "{prompt} {other}")


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: judges.Members(FOUR[:2]), "no member is outside the pair"),
        (lambda: judges.Members(FOUR, [1.0, 1.0]), "one number per judge, 4 of them"),
        (lambda: judges.Members(FOUR, [0.0] * 4), "weights of all judges are 0"),
        (lambda: judges.Members(FOUR, [1.0, -1.0, 1.0, 1.0]), "at least 0"),
        (lambda: judges.Members(FOUR, [1.0, 1.0, 0.0, 0.0]).outside(0, 1), "weights of all judges are 0"),
        (lambda: judges.Members(FOUR).outside(0, 4), "two of 4 members, numbered from 0, got 0 and 4"),
        (lambda: judges.Members(FOUR).known_by([]), "there are no anchors"),
        (lambda: judges.Members(FOUR).known_by([Pair("x", "a", "b", np.nan)]), "nobody judged anchor 0"),
    ],
)
def test_what_is_no_panel_is_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()


def test_a_weighted_majority_by_hand():
    votes = [judges.Rule(judges.rules.shorter), judges.Rule(judges.rules.longer)]
    soft, hard = (judges.Majority(votes, hard=h, weights=[1, 3]) for h in (False, True))
    assert soft.prefer(["x"], ["a"], ["bb"]) == pytest.approx([0.25])
    assert hard.prefer(["x"], ["a"], ["bb"]) == [0.0]
    assert judges.Majority(votes, hard=True, weights=[0.1, 0.1]).prefer(["x"], ["a"], ["bb"]) == [0.5]
