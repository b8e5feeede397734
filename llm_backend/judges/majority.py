"""Majority: several judges vote, so that consistent judges can form Condorcet cycles."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from llm_backend.judges.base import Judge, antisymmetric, ask, fair, name_of


class Majority:
    """The mean of the judges' P(first > second); `hard` makes it the verdict of the majority of votes.

    Soft: sum_j w_j P_j(y, z). Hard: 1, 1/2 or 0 as sum_j w_j sign(P_j(y, z) - 1/2) is above, at or below 0.
    w are `weights`, divided by their sum; equal when None. Judges that are each transitive can form a cycle:
    the orders abc, bca, cab give P(a > b) = P(b > c) = P(c > a) = 2/3, and 1 when hard.

    Raises ValueError without a judge, and for weights that are not one per judge, negative, or all 0.
    """

    as_is = True

    def __init__(self, judges: Sequence[Judge], hard: bool = False, weights: Sequence[float] | None = None):
        if not len(judges):
            raise ValueError("Majority needs at least one judge, got none.")
        self.judges = [fair(judge) for judge in judges]
        self.hard = hard
        self.weights = None if weights is None else _shares(weights, len(judges))
        self.antisymmetric = all(antisymmetric(judge) for judge in self.judges)
        names = ", ".join(name_of(judge) for judge in self.judges)
        weighed = "" if self.weights is None else f", weights {[round(float(w), 6) for w in self.weights]}"
        self.name = f"Majority({names}{', hard' if hard else ''}{weighed})"

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        answers = np.array([ask(judge, prompts, firsts, seconds) for judge in self.judges])
        if self.weights is None:
            if self.hard:
                return (1 + np.sign(np.sign(answers - 0.5).sum(axis=0))) / 2
            return answers.mean(axis=0)
        if self.hard:
            tally = self.weights @ np.sign(answers - 0.5)
            return (1 + np.sign(np.where(np.abs(tally) <= 1e-12, 0.0, tally))) / 2
        return self.weights @ answers


def _shares(weights: Sequence[float], judges: int) -> NDArray[np.float64]:
    """The weights float64[J] divided by their sum."""
    given = np.asarray(weights, dtype=np.float64)
    if given.shape != (judges,):
        raise ValueError(f"weights must be one number per judge, {judges} of them, got {list(given.shape)}.")
    if not ((given >= 0) & (given < np.inf)).all():
        raise ValueError(f"weights of judges must be finite and at least 0, got {given.tolist()}.")
    if not given.any():
        raise ValueError("the weights of all judges are 0, so nobody judges: leave the weights out.")
    return given / given.sum()
