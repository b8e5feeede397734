"""A judge of constraints: a score in [0, 1] for every response, and a preference that follows from it."""

from __future__ import annotations

import itertools
import math

from llm_backend.constraints.kinds import CLOSING, constraint_of, words
from llm_backend.constraints.topics import on_topic

LONG = 8  # words above which a response loses by its length
BASE = 1.0  # what a good response that misses its constraint keeps, against 1 + BASE for one that meets it
OFF_TOPIC = 0.5  # what a response keeps without a word on the topic, as one that misses its constraint
SHARPNESS = 24.0  # a tenth of score is worth odds of 11 : 1


def score(prompt: str, response: str) -> float:
    """How good a response is, in [0, 1]: how far it meets its constraint, on the topic, times `guard`.

    Raises ValueError when the prompt ends with no constraint or names no topic; any response has a score.
    """
    grade = (BASE + constraint_of(prompt).grade(response)) / (1 + BASE)
    return grade * (1.0 if on_topic(prompt, response) else OFF_TOPIC) * guard(response)


def prefer(prompt: str, first: str, second: str) -> float:
    """P(first > second) = sigmoid(SHARPNESS (score(first) - score(second))), in (0, 1).

    Raises ValueError when the prompt ends with no constraint or names no topic.
    """
    return 1 / (1 + math.exp(SHARPNESS * (score(prompt, second) - score(prompt, first))))


def met(prompt: str, response: str) -> bool:
    """Whether the response meets the prompt's constraint, in words that do not repeat.

    Raises ValueError when the prompt ends with no constraint.
    """
    return constraint_of(prompt).grade(response) == 1.0 and repeats(response) == 0.0


def guard(response: str) -> float:
    """A factor in [0, 1] against empty, repeating, long and unfinished responses."""
    count = len(words(response))
    if not count:
        return 0.0
    finished = count <= 3 or response.rstrip(CLOSING).endswith((".", "!", "?"))
    return (1 - repeats(response)) ** 2 * min(1.0, LONG / count) * (1.0 if finished else 0.5)


def repeats(response: str) -> float:
    """The share of neighbouring words, in [0, 1], that are one word twice or a pair seen before."""
    found = words(response)
    pairs = list(itertools.pairwise(found))
    if not pairs:
        return 0.0
    fresh = {(one, other) for one, other in pairs if one != other}
    return 1 - len(fresh) / len(pairs)
