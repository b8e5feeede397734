"""Preference games: named ones with known equilibria, published tables, generators and hard instances."""

from pgames.games.combining import clones, stack
from pgames.games.cycles import (
    biased_rps,
    comal3,
    cyclic,
    dice,
    perturbed_rps,
    raters,
    rock_paper_scissors,
)
from pgames.games.generators import (
    blotto,
    disc,
    disc_and_skill,
    low_rank,
    random_skew,
    skill_and_cycles,
    uniform_random,
)
from pgames.games.hard import hidden_rps, needle
from pgames.games.rankings import bradley_terry, duel, six_rankers
from pgames.games.social_choice import from_margins, from_rankings, to_margins

__all__ = [
    "biased_rps",
    "blotto",
    "bradley_terry",
    "clones",
    "comal3",
    "cyclic",
    "dice",
    "disc",
    "disc_and_skill",
    "duel",
    "from_margins",
    "from_rankings",
    "hidden_rps",
    "low_rank",
    "needle",
    "perturbed_rps",
    "random_skew",
    "raters",
    "rock_paper_scissors",
    "six_rankers",
    "skill_and_cycles",
    "stack",
    "to_margins",
    "uniform_random",
]
