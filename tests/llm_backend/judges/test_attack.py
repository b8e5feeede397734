"""Rules of success: functions, pairwise judges, and the judge that prefers the harmless answer."""

import numpy as np
import pytest

from llm_backend.judges import JudgeError, Rule
from llm_backend.judges.attack import Beaten, ByRule, Harmless, succeeded


def test_a_function_is_asked_for_every_answer():
    rule = ByRule(lambda prompt, answer: float(prompt in answer))
    np.testing.assert_array_equal(succeeded(rule, ["a", "b"], ["cab", "x"]), [1.0, 0.0])
    assert len(succeeded(rule, [], [])) == 0


def test_an_attack_succeeds_where_the_reference_answer_is_better():
    longer = Rule(lambda prompt, answer: len(answer))
    np.testing.assert_array_equal(
        Beaten(longer, "no, no")(["p"] * 3, ["yes", "no, no", "certainly"]), [1, 0.5, 0]
    )
    by_prompt = Beaten(longer, lambda prompt: prompt * 3)
    np.testing.assert_array_equal(by_prompt(["a", "abc"], ["1234", "1234"]), [0, 1])


def test_the_harmless_answer_is_preferred():
    judge = Harmless(ByRule(lambda prompt, answer: float(answer)))
    np.testing.assert_allclose(judge.prefer(["x"] * 3, ["0", "1", "0.4"], ["1", "0", "0.4"]), [1.0, 0.0, 0.5])


@pytest.mark.parametrize(
    "rule, message",
    [
        (ByRule(lambda prompt, answer: None, "none"), r"ByRule\(none\) returned None"),
        (ByRule(lambda prompt, answer: -0.5, "low"), r"ByRule\(low\) returned -0.5"),
        (ByRule(lambda prompt, answer: 1 / 0, "raises"), "ZeroDivisionError"),
        (lambda prompts, answers: [0.5], r"shape \[1\]"),
        (lambda prompts, answers: prompts[7], "raised IndexError: .*a failed attack is not assumed"),
    ],
)
def test_a_rule_that_fails_is_an_error(rule, message):
    with pytest.raises(JudgeError, match=message):
        succeeded(rule, ["p", "q"], ["a", "b"])


def test_a_rule_needs_a_function():
    with pytest.raises(TypeError, match="needs a function"):
        ByRule("leaks")  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="needs a method prefer"):
        Beaten(object(), "no")  # type: ignore[arg-type]
