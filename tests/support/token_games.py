"""Bandits and games of several tokens, on which searches are measured."""

import numpy as np

from paper_figures.token_games import STEP, proposed, soft_value, token_game

__all__ = ["STEP", "bandits", "proposed", "soft_value", "token_game"]


def bandits():
    """100 pairs of a prior and values, of 3 to 8 actions."""
    rng = np.random.default_rng(1)
    sizes = [int(rng.integers(3, 9)) for _ in range(100)]
    return [(rng.dirichlet(np.ones(V)), rng.random(V)) for V in sizes]
