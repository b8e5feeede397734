"""Kinds of constraints: the sentence that asks for each, and how far a response meets it."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import NamedTuple

WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)*")
SENTENCE_END = re.compile(r"(?<![.!?])[.!?]++(?=[\s\"'”’)]|$)")
CLOSING = " \t\r\n\"'”’)*"


class Kind(NamedTuple):
    """A kind of constraint.

    Attributes
    ----------
    name : as tables show it.
    request : the last sentence of the prompt; {} stands for the value.
    values : the values that prompts ask for, none for a request without a value.
    grade : (response, value) -> how far it is met, in [0, 1]; 1 means met.
    """

    name: str
    request: str
    values: tuple[str, ...]
    grade: Callable[[str, str], float]


class Constraint(NamedTuple):
    """The constraint of one prompt; `value` is "" for a kind without values."""

    kind: Kind
    value: str

    def grade(self, response: str) -> float:
        """How far the response meets the constraint, in [0, 1]; 1 means met."""
        return self.kind.grade(response, self.value)


def words(text: str) -> list[str]:
    """The words of a text, in lower case."""
    return WORD.findall(text.lower())


def at_most(text: str, value: str) -> float:
    """n / words when there are more than n, 0 without a word."""
    return min(1.0, int(value) / count) if (count := len(words(text))) else 0.0


def one_sentence(text: str, value: str = "") -> float:
    """1 / sentences, halved when the last one does not end."""
    body = text.strip(CLOSING)
    if not words(body):
        return 0.0
    ends = [match.end() for match in SENTENCE_END.finditer(body)]
    finished = bool(ends) and ends[-1] == len(body)
    return 1.0 / len(ends) if finished else 0.5 / (len(ends) + 1)


def three_items(text: str, value: str = "") -> float:
    """1 for three short items between commas; less for other numbers, and for items of over three words."""
    items = [words(item) for item in text.split(",")]
    if not all(items):
        return 0.0
    off = abs(len(items) - 3) + sum(max(0, len(item) - 3) for item in items)
    return 1.0 / (1 + off) if len(items) > 1 else 0.0


def first_word(text: str, value: str) -> float:
    """1 / position of the word, 0 when it does not occur."""
    return _nearness(words(text), value)


def last_word(text: str, value: str) -> float:
    """1 / position of the word from the end, 0 when it does not occur."""
    return _nearness(words(text)[::-1], value)


def has_word(text: str, value: str) -> float:
    """1 when the word occurs."""
    return float(value.lower() in words(text))


def lower_case(text: str, value: str = "") -> float:
    """1 / (1 + words with a capital letter), 0 without a word."""
    found = WORD.findall(text)
    return 1.0 / (1 + sum(word != word.lower() for word in found)) if found else 0.0


def upper_case(text: str, value: str = "") -> float:
    """The share of words of two letters or more that are in capital letters."""
    found = [word for word in WORD.findall(text) if len(word) > 1 and not word.isdigit()]
    return sum(word == word.upper() for word in found) / len(found) if found else 0.0


def without_letter(text: str, value: str) -> float:
    """1 / (1 + words with the letter), 0 without a word."""
    found = words(text)
    return 1.0 / (1 + sum(value in word for word in found)) if found else 0.0


def ends_in(mark: str) -> Callable[[str, str], float]:
    """1 when the response ends in the mark, 1/2 when the mark occurs elsewhere, 0 without a word."""

    def grade(text: str, value: str = "") -> float:
        if not words(text):
            return 0.0
        return 1.0 if text.rstrip(CLOSING).endswith(mark) else 0.5 * (mark in text)

    return grade


def one_word(text: str, value: str = "") -> float:
    """1 / words, 0 without a word."""
    return at_most(text, "1")


TRAINED = (
    Kind("short", "Answer in at most {} words.", ("5", "6", "7", "8"), at_most),
    Kind("one sentence", "Answer in one sentence.", (), one_sentence),
    Kind("three items", "Answer with exactly three items, separated by commas.", (), three_items),
    Kind("starts with", "Begin with the word {}.", ("Well", "Honestly", "Perhaps", "Today"), first_word),
    Kind("ends with", "End with the word {}.", ("today", "forever", "everywhere", "home"), last_word),
    Kind("uses a word", "Use the word {}.", ("simple", "friend", "water", "strange"), has_word),
    Kind("lower case", "Use only lower-case letters.", (), lower_case),
    Kind("capitals", "Use only capital letters.", (), upper_case),
    Kind("a question", "Answer with a question.", (), ends_in("?")),
    Kind("no letter e", "Do not use the letter {}.", ("e",), without_letter),
)
NEW = (  # never trained
    Kind("one word", "Answer with one word only.", (), one_word),
    Kind("exclamation", "End with an exclamation mark.", (), ends_in("!")),
)
_PATTERNS = [
    (kind, re.compile(re.escape(kind.request).replace(r"\{\}", r"([^\s.]+)") + r"\s*$"))
    for kind in (*TRAINED, *NEW)
]


def constraint_of(prompt: str) -> Constraint:
    """The constraint that a prompt ends with.

    Raises ValueError when it ends with none of the requests.
    """
    for kind, pattern in _PATTERNS:
        if found := pattern.search(prompt):
            return Constraint(kind, found[1] if kind.values else "")
    raise ValueError(
        f"the prompt {prompt[-80:]!r} ends with no constraint: the judge of constraints needs prompts of "
        'llm_backend.constraints ([data] source = "constraints").'
    )


def _nearness(found: list[str], value: str) -> float:
    """1 / position of the value in a list of words, 0 when it is not there."""
    return 1.0 / (1 + found.index(value.lower())) if value.lower() in found else 0.0
