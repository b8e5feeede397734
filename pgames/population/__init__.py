"""Populations of policies: who plays whom, and which mixture of the members answers."""

from pgames.meetings import Meetings, exact_meetings, no_meetings
from pgames.population.facing import Facing
from pgames.population.matchmaking import Capped, Even, Everybody, Hard, Matchmaker, Near
from pgames.population.meta import AlphaRank, Latest, Meta, Nash, Replicator, Uniform
from pgames.population.mixed import mixed
from pgames.population.next_matches import matches_of, next_matches

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
    "matches_of",
    "mixed",
    "next_matches",
    "no_meetings",
]
