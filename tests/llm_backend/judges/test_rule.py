"""Rules as judges."""

import math

import numpy as np
import pytest

from llm_backend import judges
from llm_backend.judges import JudgeError
from tests.support.judged import WORDS, assert_preference, table


@pytest.mark.parametrize(
    ("prompt", "response", "right"),
    [
        ("What is 12 + 7?", "12 + 7 = 19", 1),
        ("What is 12 + 7?", "19 is 12 + 7", 0),  # the last number counts
        ("Compute (3+4)*2 =", "14.0", 1),
        ("1/3 + 1/6", "1/2", 1),
        ("2 - 5", "it is -3.", 1),
        ("2 - 5", "3", 0),
        ("1000 * 1000", "1,000,000", 1),
        ("1 + 1", "two", 0),
        ("1 + 1", "", 0),
    ],
)
def test_arithmetic(prompt, response, right):
    assert judges.rules.arithmetic(prompt, response) == right


def test_rules_rank_and_tie():
    rule = judges.Rule(judges.rules.arithmetic)
    answers = rule.prefer(["2 + 2"] * 4, ["4", "5", "4", "6"], ["5", "4", "four: 4", "7"])
    np.testing.assert_array_equal(answers, [1, 0, 0.5, 0.5])
    assert_preference(table(judges.Rule(judges.rules.shorter)))
    answer = judges.rules.equals({"apples": "#### 1,200"})
    assert answer("apples", "so 1200") == 1 and answer("apples", "so 120") == 0
    form = judges.rules.matches(r"<answer>.*</answer>")
    assert form("", "<answer>a\nb</answer>") == 1 and form("", "x<answer></answer>") == 0


def test_rules_of_pairs_are_averaged_over_both_orders():
    assert_preference(table(judges.Rule(prefer=lambda x, y, z: 0.9)))
    cycle = {("rock", "scissors"): 1, ("scissors", "paper"): 1, ("paper", "rock"): 1}
    judge = judges.Rule(prefer=lambda x, y, z: cycle.get((y, z), 0), workers=2)
    np.testing.assert_array_equal(table(judge), [[0.5, 1, 0], [0, 0.5, 1], [1, 0, 0.5]])


def test_rules_that_fail_are_named():
    with pytest.raises(
        JudgeError, match=r"Rule\(arithmetic\) raised ValueError: no arithmetic expression.*'hello'"
    ):
        judges.Rule(judges.rules.arithmetic).prefer(["hello"], ["1"], ["2"])
    with pytest.raises(JudgeError, match="returned nan on"):
        judges.Rule(lambda x, y: math.nan, name="odd").prefer(["p"], ["1"], ["2"])
    with pytest.raises(JudgeError, match="returned None on"):
        judges.Rule(lambda x, y: None, workers=2).prefer(["p"], ["1"], ["2"])  # pyright: ignore
    with pytest.raises(JudgeError, match="returned 3"):
        judges.Rule(prefer=lambda x, y, z: 3.0).prefer(["p"], ["1"], ["2"])
    with pytest.raises(TypeError, match="either score"):
        judges.Rule()


def test_each_response_is_scored_once():
    calls = []
    judge = judges.Rule(lambda x, y: calls.append(y) or len(y))
    table(judge)
    assert sorted(calls) == sorted(WORDS)
