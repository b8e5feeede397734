"""Majority: several judges vote, so that consistent judges can form Condorcet cycles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llm_backend.judges.base import Judge, antisymmetric, ask, fair, name_of


class Majority:
    """The mean of the judges' P(first > second); `hard` makes it the verdict of the majority of votes.

    Soft: mean_j P_j(y, z). Hard: 1, 1/2 or 0 as sum_j sign(P_j(y, z) - 1/2) is above, at or below 0. Judges
    that are each transitive can form a cycle: the orders abc, bca, cab give P(a > b) = P(b > c) = P(c > a) =
    2/3, and 1 when hard. Raises ValueError without a judge.
    """

    as_is = True

    def __init__(self, judges: Sequence[Judge], hard: bool = False):
        if not len(judges):
            raise ValueError("Majority needs at least one judge, got none.")
        self.judges = [fair(judge) for judge in judges]
        self.hard = hard
        self.antisymmetric = all(antisymmetric(judge) for judge in self.judges)
        names = ", ".join(name_of(judge) for judge in self.judges)
        self.name = f"Majority({names}{', hard' if hard else ''})"

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        answers = np.array([ask(judge, prompts, firsts, seconds) for judge in self.judges])
        if self.hard:
            return (1 + np.sign(np.sign(answers - 0.5).sum(axis=0))) / 2
        return answers.mean(axis=0)
