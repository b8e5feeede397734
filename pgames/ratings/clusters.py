"""Nash clusters: the layers of a game, each the support of the Nash of what the layers above leave."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.games.preference import PreferenceGame, as_game

PLAYED = 1e-9  # probability above which an item is in the support


def nash_clusters(game: PreferenceGame) -> list[NDArray[np.int64]]:
    """The numbers of the items in each cluster, int64[...] in order, the strongest cluster first.

    The first cluster is the support of the maximum-entropy Nash; it is taken out, and the Nash of the rest
    gives the next (arXiv:2004.09468). Sizes tell how many strategies a league needs at each level of skill: a
    ranking has clusters of one, a cycle is a single one. Raises ValueError when the game has several prompts.
    """
    from pgames.exact.equilibrium import nash

    game = as_game(game)
    if game.prompts != 1:
        raise ValueError(
            f"nash_clusters needs a game of one prompt, got {game.prompts}: pass game.prompt(x)."
        )
    left, clusters = np.flatnonzero(game.support[0]), []
    while left.size:
        among = PreferenceGame(game.P[0][np.ix_(left, left)])
        played = nash(among, select="max_entropy").policy[0] > PLAYED
        clusters.append(left[played])
        left = left[~played]
    return clusters
