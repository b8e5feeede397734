"""Preference games: exact equilibria, Nash learning from human feedback, one solver for table and model."""

from pgames.arena import State, iterate, solve
from pgames.game import PreferenceGame

__all__ = ["PreferenceGame", "State", "iterate", "solve"]
