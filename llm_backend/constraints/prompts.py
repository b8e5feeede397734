"""The prompts: questions about topics, each with one constraint, drawn with a seed."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import NamedTuple

from llm_backend.constraints.kinds import NEW, TRAINED, Kind
from llm_backend.constraints.topics import NEW_TOPICS, TOPICS

QUESTIONS = (
    "Tell me about {}.",
    "What do you know about {}?",
    "Describe {}.",
    "What is special about {}?",
    "Why do people like {}?",
    "Explain {} to a child.",
)
PER_KIND = 24  # prompts of each kind that is trained
HELD_OUT = 60  # the last prompts: four of each trained kind and ten of each new one, on other topics


class Asked(NamedTuple):
    """A prompt, the name of its kind, and whether it is held out."""

    prompt: str
    kind: str
    held_out: bool


def prompts(seed: int = 0) -> list[Asked]:
    """240 prompts to train on, of which any ten in a row are of ten kinds, then the 60 held out.

    The held-out prompts are about other topics, and 20 of them are of two kinds that are never trained.
    """
    draw = random.Random(seed)
    trained = _rows(draw, TRAINED, TOPICS, PER_KIND, False)
    fresh = [(kind, 4) for kind in TRAINED] + [(kind, 10) for kind in NEW]
    held = [row for kind, count in fresh for row in _rows(draw, (kind,), NEW_TOPICS, count, True)]
    return [*trained, *held]


def _rows(
    draw: random.Random, kinds: Sequence[Kind], topics: Sequence[str], count: int, held_out: bool
) -> list[Asked]:
    """`count` different prompts of each kind, the kinds in turn."""
    drawn: dict[str, list[str]] = {}
    for kind in kinds:
        about = draw.sample(topics, min(count, len(topics)))
        drawn[kind.name] = [
            " ".join((draw.choice(QUESTIONS).format(topic), kind.request.format(_value(kind, i))))
            for i, topic in enumerate(about)
        ]
    return [Asked(drawn[kind.name][i], kind.name, held_out) for i in range(count) for kind in kinds]


def _value(kind: Kind, i: int) -> str:
    return kind.values[i % len(kind.values)] if kind.values else ""
