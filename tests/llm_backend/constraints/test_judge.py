"""The judge of constraints: what it rewards, what it does not, and that any response has a score."""

import math

import pytest

from llm_backend.constraints import met, on_topic, prefer, prompts, repeats, score
from llm_backend.constraints.topics import ABOUT, topic_of
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


def test_a_response_off_the_topic_loses_as_much_as_one_that_misses_its_constraint():
    assert score(SHORT, "Everything is nice today.") == 0.5
    assert prefer(SHORT, "Snow is cold.", "Everything is nice today.") > 0.99
    assert prefer(SHORT, "Heaven.", "A flake is cold.") < 0.01


@pytest.mark.parametrize(
    ("prompt", "response", "expected"),
    [
        ("Describe cats. Answer in one sentence.", "A CAT purrs.", True),
        ("Describe cats. Answer in one sentence.", "Kittens sleep.", True),
        ("Describe cats. Answer in one sentence.", "A cat's life is long.", True),
        ("Describe cats. Answer in one sentence.", "Catch a category.", False),
        ("Tell me about pianos. Answer with one word only.", "Heaven.", False),
        ("Tell me about pianos. Answer with one word only.", "Music.", True),
        ("Tell me about volcanoes. Answer with one word only.", "Volcano!", True),
        ("Tell me about cactuses. Answer with one word only.", "", False),
    ],
)
def test_a_response_is_on_the_topic_by_a_word_that_belongs_to_it(prompt, response, expected):
    assert on_topic(prompt, response) is expected


def test_every_topic_can_be_answered_without_the_letter_e():
    for row in prompts():
        topic = topic_of(row.prompt)
        assert sum("e" not in word for word in ABOUT[topic]) >= 3, topic


def test_a_prompt_without_a_topic_is_refused():
    with pytest.raises(ValueError, match="names no topic"):
        score("Describe kangaroos. Answer in one sentence.", "They jump.")
