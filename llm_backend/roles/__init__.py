"""Games of two roles on text: an attacker writes prompts, and a defender answers them."""

from llm_backend.roles.arena import TextRoleArena
from llm_backend.roles.seeds import Refused, Seed

__all__ = ["Refused", "Seed", "TextRoleArena"]
