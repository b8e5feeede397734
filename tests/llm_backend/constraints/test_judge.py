"""The judge of constraints: what it rewards, what it does not, and that any response has a score."""

import math

import pytest

from llm_backend.constraints import met, prefer, repeats, score
from llm_backend.judges import Rule
from llm_backend.judges.base import ask

SHORT = "Describe snow. Answer in at most 5 words."
LOWER = "Describe snow. Use only lower-case letters."


def test_a_response_that_meets_its_constraint_wins():
    assert score(SHORT, "Snow is cold.") == 1.0
    assert met(SHORT, "Snow is cold.") and not met(SHORT, "Snow is cold and white and wet.")
    assert prefer(SHORT, "Snow is cold.", "Snow is cold and white and soft and wet.") > 0.9
    assert prefer(LOWER, "snow is cold.", "Snow is cold.") > 0.9


def test_it_is_graded():
    near, far = "Snow is cold and white and wet.", "Snow is cold and white and wet and soft and everywhere."
    assert 0.5 < prefer(SHORT, near, far) < prefer(SHORT, "Snow is cold.", far) < 1


@pytest.mark.parametrize("bad", ["", " ", "...", "🍨🍨", "cold cold cold cold", "snow is snow is snow is"])
def test_empty_and_repeating_texts_do_not_win(bad):
    plain = "Snow is a cold white powder that falls from the sky in winter."  # misses the constraint
    for prompt in (SHORT, LOWER):
        assert prefer(prompt, plain, bad) > 0.5
        assert not met(prompt, bad)


def test_unfinished_and_long_texts_lose():
    long = "snow is cold and white and falls from high clouds on every field that lies below them."
    assert score(LOWER, long) < score(LOWER, "snow is cold and white.")
    assert score(LOWER, "snow is cold and") < score(LOWER, "snow is cold.")


def test_repeats():
    assert repeats("one two three") == repeats("one") == repeats("") == 0.0
    assert repeats("no no") == 1.0
    assert repeats("a b a b") == pytest.approx(1 / 3)


def test_preferences_are_probabilities_of_both_orders():
    texts = ["", "Snow.", "snow snow snow", "a" * 10_000, "\ud800", "\x00", "Snow is cold."]
    for one in texts:
        assert prefer(SHORT, one, one) == 0.5
        for other in texts:
            assert prefer(SHORT, one, other) + prefer(SHORT, other, one) == pytest.approx(1, abs=1e-15)
            assert 0 < prefer(SHORT, one, other) < 1 and math.isfinite(score(SHORT, one))
    asked = ask(Rule(prefer=prefer), [SHORT], ["Snow is cold."], ["Snow"])
    assert asked[0] == pytest.approx(prefer(SHORT, "Snow is cold.", "Snow"))
