"""Populations of policies: who plays whom, and which mixture of the members answers."""

from pgames.meetings import Meetings, exact_meetings, no_meetings
from pgames.population.facing import Facing
from pgames.population.matchmaking import Capped, Even, Everybody, Hard, Matchmaker, Near
from pgames.population.meta import AlphaRank, Latest, Meta, Nash, Replicator, Uniform
from pgames.population.mixed import mixed

__all__ = [
    "AlphaRank",
    "Capped",
    "Even",
    "Everybody",
    "Facing",
    "Hard",
    "Latest",
    "Matchmaker",
    "Meetings",
    "Meta",
    "Nash",
    "Near",
    "Replicator",
    "Uniform",
    "exact_meetings",
    "mixed",
    "no_meetings",
]
