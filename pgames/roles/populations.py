"""Pairs of roles as members of a population: the mixtures of attackers and of defenders that play best."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pgames.exact.shared_row import shared_row
from pgames.roles.tables import RoleGame

Array = NDArray[np.float64]


def against_all(game: RoleGame, members: Sequence[Array]) -> tuple[Array, Array, Array]:
    """(weights float64[S, 2, K], opponent float64[S, C, N], exploitability float64[S]): the mixtures of the
    attackers and of the defenders of the members, log-probabilities float64[S, C, N], that are least
    exploitable, and the pair that holds both to their values.

    The attackers meet every strategy of a defender, in each context that they ask for; the defenders meet
    every attack, in context 0.
    """
    kept = np.stack([game.visits(one)[..., None] * (1 - game.rates(one)) for one in members], axis=2)
    S, C, K, N = kept.shape
    kept[:, 1:] *= C - 1  # a sum over the contexts of a defender, as a mean
    weights, opponent, gaps = np.empty((S, 2, K)), np.empty((S, C, N)), np.empty(S)
    for s in range(S):
        attack = shared_row(kept[s, 1:], np.full(C - 1, 1 / (C - 1)), game.support[1:])
        defend = shared_row(kept[s, :1], np.ones(1), game.support[:1])
        weights[s] = attack.row, defend.row
        opponent[s] = np.concatenate([defend.columns, attack.columns])
        gaps[s] = max(0.0, 0.5 * (1 - attack.guaranteed - defend.guaranteed))
    return weights, opponent, gaps
