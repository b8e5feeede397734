"""Scores: in RLHF a number for every response replaces the preference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from llm_backend.context import Context
from llm_backend.judges.learned import Features
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.verbs.evidence import Duels
from pgames.losses import logistic, minimise
from pgames.numerics import sigmoid

RIDGE = 1e-2  # penalty on the weights of a linear score, per duel


class Score(Protocol):
    """A number for every response."""

    def __call__(self, draws: Draws) -> Floats:
        """float64[B], one per row."""
        ...


@dataclass(frozen=True, eq=False)
class ListedScore:
    """Scores of the responses of an enumerable game: `table` float64[X, Y]."""

    table: Floats

    def __call__(self, draws: Draws) -> Floats:
        return self.table[draws.prompt, draws.column]


@dataclass(frozen=True, eq=False)
class LinearScore:
    """weights . features / scale, with the base's last hidden states as features.

    prompts : the texts that `draws.prompt` indexes.
    scale : float64[D], the standard deviation of each feature over the duels.
    weights : float64[D].
    """

    features: Features
    prompts: tuple[str, ...]
    scale: Floats
    weights: Floats

    def __call__(self, draws: Draws) -> Floats:
        phi = self.features([self.prompts[x] for x in draws.prompt], list(draws.texts))
        return (phi / self.scale) @ self.weights


def fit_reward(context: Context, pairs: Duels) -> Score:
    """The Bradley-Terry score by maximum likelihood: a number per listed response, or linear for free text.

    Raises ValueError when the score is linear and there is no duel.
    """
    if (listed := context.space.listed) is not None:
        return ListedScore(minimise(logistic, pairs.table(listed.support.shape)))
    return linear_score(context.features, context.prompts, pairs)


def linear_score(features: Features, prompts: Sequence[str], duels: Duels) -> LinearScore:
    """The Bradley-Terry score that is linear in features float64[B, D], by penalised maximum likelihood.

    Raises ValueError when there is no duel.
    """
    from scipy.optimize import minimize

    if not len(duels.pairs):
        raise ValueError("fit_reward needs at least one duel, got none.")
    phi = features([prompts[int(x)] for x in duels.draws.prompt], list(duels.draws.texts))
    scale = np.maximum(phi.std(axis=0), 1e-6)
    gap = (phi[duels.pairs[:, 0]] - phi[duels.pairs[:, 1]]) / scale
    won, lost = duels.wins.T
    total = duels.wins.sum()

    def loss(w: Floats) -> tuple[float, Floats]:
        margin = gap @ w
        value = (won * np.logaddexp(0, -margin) + lost * np.logaddexp(0, margin)).sum() / total
        slope = (lost - (won + lost) * sigmoid(-margin)) / total
        return value + 0.5 * RIDGE * w @ w, gap.T @ slope + RIDGE * w

    found = minimize(loss, np.zeros(gap.shape[1]), jac=True, method="L-BFGS-B")
    return LinearScore(features, tuple(prompts), scale, found.x)
