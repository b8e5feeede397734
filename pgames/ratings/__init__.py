"""Ratings of items from votes or from a preference game, their cycles, and the game behind votes."""

from pgames.ratings.alpha_rank import alpha_rank
from pgames.ratings.bootstrap import bootstrap
from pgames.ratings.bradley_terry import BradleyTerry, bradley_terry
from pgames.ratings.clusters import nash_clusters
from pgames.ratings.counting import average_win_rate, win_count
from pgames.ratings.elo import elo
from pgames.ratings.estimate import estimate
from pgames.ratings.hodge import Cycle, Hodge, hodge, strongest_cycles
from pgames.ratings.leaderboard import Leaderboard, leaderboard
from pgames.ratings.nash_average import NashAverage, nash_average
from pgames.ratings.offline import Coverage, Pessimistic, coverage, pessimistic
from pgames.ratings.redrawing import Redrawn, redrawn
from pgames.ratings.scores import Ratings
from pgames.ratings.settled import settled
from pgames.ratings.winners import Winners, winners

__all__ = [
    "BradleyTerry",
    "Coverage",
    "Cycle",
    "Hodge",
    "Leaderboard",
    "NashAverage",
    "Pessimistic",
    "Ratings",
    "Redrawn",
    "Winners",
    "alpha_rank",
    "average_win_rate",
    "bootstrap",
    "bradley_terry",
    "coverage",
    "elo",
    "estimate",
    "hodge",
    "leaderboard",
    "nash_average",
    "nash_clusters",
    "pessimistic",
    "redrawn",
    "settled",
    "strongest_cycles",
    "win_count",
    "winners",
]
