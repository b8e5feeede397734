"""Counts of wins on the enumerable toy."""

import numpy as np

from llm_backend.verbs.evidence import Duels


def duels_of(text, wins):
    pairs = np.array([(i, i + d) for i in range(len(text.space.all)) for d in range(1, 5 - i % 5)])
    x, (y, z) = pairs[:, 0] // 5, (pairs % 5).T
    return Duels(text.space.all, pairs, np.stack([wins[x, y, z], wins[x, z, y]], axis=1))


def off_diagonal(wins):
    return wins * (1 - np.eye(wins.shape[-1]))
