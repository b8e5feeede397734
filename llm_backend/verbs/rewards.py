"""Scores: what RLHF puts in the place of a preference."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from llm_backend.judges.learned import Features
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.verbs.evidence import Duels

RIDGE = 1e-2  # on the weights of a linear score, per duel


class Score(Protocol):
    """A number for every response."""

    def __call__(self, draws: Draws) -> Floats:
        """float64[B], one per row."""
        ...


@dataclass(frozen=True, eq=False)
class ListedScore:
    """Scores float64[X, Y] of the responses of an enumerable game."""

    table: Floats

    def __call__(self, draws: Draws) -> Floats:
        return self.table[draws.prompt, draws.column]


@dataclass(frozen=True, eq=False)
class LinearScore:
    """weights . standardised last hidden states of the base, averaged over the response."""

    features: Features
    prompts: tuple[str, ...]
    scale: Floats
    weights: Floats

    def __call__(self, draws: Draws) -> Floats:
        phi = self.features([self.prompts[x] for x in draws.prompt], list(draws.texts))
        return (phi / self.scale) @ self.weights


def linear_score(features: Features, prompts: Sequence[str], duels: Duels) -> LinearScore:
    """The Bradley-Terry score, linear in last hidden states, by penalised maximum likelihood."""
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
        slope = (lost - (won + lost) * 0.5 * (1 + np.tanh(-0.5 * margin))) / total
        return value + 0.5 * RIDGE * w @ w, gap.T @ slope + RIDGE * w

    found = minimize(loss, np.zeros(gap.shape[1]), jac=True, method="L-BFGS-B")
    return LinearScore(features, tuple(prompts), scale, found.x)
