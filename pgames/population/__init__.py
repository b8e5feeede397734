"""Populations of policies: who plays whom, and which mixture of the members answers."""

from pgames.meetings import Meetings, exact_meetings, no_meetings
from pgames.population.anchors import Agreement, Anchors
from pgames.population.facing import Facing
from pgames.population.matchmaking import Capped, Even, Everybody, Hard, Matchmaker, Near
from pgames.population.meta import AlphaRank, Latest, Meta, Nash, Replicator, Uniform
from pgames.population.mixed import mixed
from pgames.population.next_matches import matches_of, next_matches
from pgames.population.panel import FacingEach, PanelLeague, outside, panel_agreement

__all__ = [
    "Agreement",
    "AlphaRank",
    "Anchors",
    "Capped",
    "Even",
    "Everybody",
    "Facing",
    "FacingEach",
    "Hard",
    "Latest",
    "Matchmaker",
    "Meetings",
    "Meta",
    "Nash",
    "Near",
    "PanelLeague",
    "Replicator",
    "Uniform",
    "exact_meetings",
    "matches_of",
    "mixed",
    "next_matches",
    "no_meetings",
    "outside",
    "panel_agreement",
]
