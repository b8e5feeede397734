"""The checked call of a judge: valid answers, both orders, and an error for everything else."""

import math

import numpy as np
import pytest

from llm_backend import judges
from llm_backend.judges import JudgeError
from tests.support import ROOT
from tests.support.judged import WORDS, assert_preference, table

PAIRS = [(y, z) for y in WORDS for z in WORDS]


class First:
    """Biased to the first response, with an underlying preference for length."""

    def prefer(self, prompts, firsts, seconds):
        return [0.7 + 0.02 * (len(y) - len(z)) for y, z in zip(firsts, seconds, strict=True)]


@pytest.mark.parametrize(
    ("answer", "says"),
    [
        ([math.nan, 0.5], "returned nan for item 0"),
        ([0.5, 1.5], "returned 1.5 for item 1"),
        ([0.5, -0.1], "-0.1 for item 1"),
        ([0.5], "asked about 2 pairs and returned shape"),
        (0.5, "returned shape"),
        (None, "returned NoneType None, which is not float64"),
        (["A", "B"], "not float64"),
        (["0.5", "0.5"], r"not float64\[B\] \(texts\)"),
        ([0.5, "0.5"], r"\(texts\)"),
        ([0.5, None], "returned nan for item 1"),
        (np.ma.masked_array([0.5, 0.7], mask=[False, True]), "returned nan for item 1"),
    ],
)
def test_nonsense_is_an_error_and_not_one_half(answer, says):
    class Odd:
        def prefer(self, prompts, firsts, seconds):
            return answer

    with pytest.raises(JudgeError, match=says) as caught:
        judges.ask(Odd(), ["p", "p"], ["a", "b"], ["b", "c"])
    assert "Odd" in str(caught.value)


def test_a_judge_that_raises_is_named_with_the_item():
    class Broken:
        def prefer(self, prompts, firsts, seconds):
            raise TimeoutError("no answer in 3 s")

    with pytest.raises(JudgeError, match=r"<Broken> raised TimeoutError: no answer in 3 s.*'why'.*repair"):
        judges.ask(judges.fair(Broken()), ["why"], ["a"], ["b"])


def test_errors_of_judges_are_told_in_one_line():
    def fails(*texts):
        raise RuntimeError("first\n  second")

    for judge in (judges.Rule(fails), judges.Rule(prefer=fails)):
        with pytest.raises(JudgeError, match=r"raised RuntimeError: first second, on \('p', 'a'") as told:
            judge.prefer(["p"], ["a"], ["b"])
        assert "\n" not in str(told.value)
    for value in (10**400, "0.7", b"1", np.ma.masked_all(3)):
        with pytest.raises(JudgeError, match="return a finite number") as told:
            judges.Rule(lambda prompt, response, value=value: value).prefer(["p"], ["a"], ["b"])
        assert "\n" not in str(told.value)


def test_batches_are_checked():
    rule = judges.Rule(judges.rules.longer)
    with pytest.raises(ValueError, match="equal lengths, got 1, 2 and 1"):
        rule.prefer(["p"], ["a", "b"], ["c"])
    with pytest.raises(TypeError, match="got one text: pass"):
        rule.prefer("p", ["a"], ["c"])
    with pytest.raises(TypeError, match=r"seconds\[0\] must be a str, got list"):
        rule.prefer(["p"], ["a"], [[3, 4]])
    assert judges.ask(rule, [], [], []).shape == (0,)


def test_both_orders_remove_the_bias_to_one_position():
    biased = np.array([First().prefer(["p"], [y], [z])[0] for y, z in PAIRS]).reshape(3, 3)
    assert np.abs(biased + biased.T - 1).max() > 0.3  # the bias without averaging
    P = table(judges.fair(First()))
    assert_preference(P)
    expected = [[0.5 + 0.02 * (len(y) - len(z)) for z in WORDS] for y in WORDS]
    np.testing.assert_allclose(P, expected, atol=1e-15)


def test_fair_leaves_fair_judges_alone_and_refuses_what_is_no_judge():
    rule = judges.Rule(judges.rules.longer)
    assert judges.fair(rule) is rule
    with pytest.raises(TypeError, match=r"wrap a function in judges\.Rule"):
        judges.fair(lambda x, y, z: 0.5)
    with pytest.raises(TypeError, match="call it first"):
        judges.fair(First)


def test_the_example_of_the_documentation():
    page = (ROOT / "docs" / "how-to" / "judges.md").read_text()
    code = page.split("```python\n")[1].split("```")[0]
    names = {}
    exec(code, names)
    assert names["judge"].prefer(["What is 2 + 3?"], ["5"], ["It is 6, please."]) == pytest.approx(2 / 3)
