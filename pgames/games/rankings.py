"""Rankings: games whose responses are ordered, so that the best one is the equilibrium."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from pgames.games.building import check_probability
from pgames.games.preference import PreferenceGame
from pgames.numerics import real, sigmoid


def duel(p: float = 0.75) -> PreferenceGame:
    """Two responses, the first better: P[0 > 1] = p."""
    check_probability("p", p)
    return PreferenceGame([[0.5, p], [1 - p, 0.5]])


def six_rankers() -> PreferenceGame:
    """Win rates of six ArXiv search rankers in interleaved comparisons (Yue and Joachims, ICML 2011).

    The table as used by Komiyama et al. (COLT 2015). Ranker A beats all others, so the Nash is pure.
    """
    P = [
        [0.50, 0.55, 0.55, 0.54, 0.61, 0.61],
        [0.45, 0.50, 0.55, 0.55, 0.58, 0.60],
        [0.45, 0.45, 0.50, 0.54, 0.51, 0.56],
        [0.46, 0.45, 0.46, 0.50, 0.54, 0.50],
        [0.39, 0.42, 0.49, 0.46, 0.50, 0.51],
        [0.39, 0.40, 0.44, 0.50, 0.49, 0.50],
    ]
    return PreferenceGame(P, labels=list("ABCDEF"))


def bradley_terry(scores: ArrayLike) -> PreferenceGame:
    """P[y > z] = 1 / (1 + exp(scores[z] - scores[y])), scores float64[Y] or float64[X, Y]: no cycles.

    Raises ValueError when a score is not finite.
    """
    r = real("scores", scores)
    if not np.isfinite(r).all():
        raise ValueError(
            "scores must be finite: a response that always wins has P = 1, not an infinite score."
        )
    return PreferenceGame(sigmoid(r[..., :, None] - r[..., None, :]))
