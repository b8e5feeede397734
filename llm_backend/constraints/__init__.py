"""Prompts with constraints that a program can check, and a judge of how far a response meets them."""

from llm_backend.constraints.judge import met, prefer, repeats, score
from llm_backend.constraints.kinds import NEW, TRAINED, Constraint, constraint_of
from llm_backend.constraints.prompts import HELD_OUT, prompts
from llm_backend.constraints.topics import on_topic

__all__ = [
    "HELD_OUT",
    "NEW",
    "TRAINED",
    "Constraint",
    "constraint_of",
    "met",
    "on_topic",
    "prefer",
    "prompts",
    "repeats",
    "score",
]
