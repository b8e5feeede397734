"""Objectives of pairs of responses: convex losses of margins, and regression on labels."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor

from llm_backend.fits.objectives import (
    FOLDS,
    Convex,
    Groups,
    at_totals,
    likelihood,
    softmax_curvature,
    spread,
    tensor,
)
from llm_backend.spaces.draws import Draws, Floats, Ints
from pgames.losses import PairLoss


@dataclass(frozen=True, eq=False)
class FitPairs:
    """Mean over pairs of loss(beta * (d_winner - d_loser)), d = log pi / prior; `PairLoss` has the slope.

    Plus, with `bonus`, the sum of bonus log pi over responses with beta |d| below `bound` (XPO).

    prior : float64[N], log prior up to a constant per prompt.
    pairs, wins : int64[M, 2] and float64[M, 2], rows, and how often the first and the second won.
    beta : above 0.
    scale : float64[N], factors of d: ones for sums over tokens, 1 / length for the mean per token (IPO as its
        authors ran it).
    bonus : float64[N], or None.
    listed : pi and d of the bonus are normalised over the rows of a prompt.
    """

    draws: Draws
    prior: Floats
    pairs: Ints
    wins: Floats
    loss: PairLoss
    beta: float
    scale: Floats
    bonus: Floats | None = None
    bound: float = math.inf
    listed: bool = False

    def __call__(self, logp: Tensor, mask: Tensor, rows: Ints) -> tuple[float, Tensor]:
        chosen, i, j = _pairs_of(self.pairs, rows)
        ratio = self.scale[rows] * (logp.sum(dim=1).numpy() - self.prior[rows])
        margin = self.beta * (ratio[i] - ratio[j])
        share = self._share(chosen, self.draws.prompt[rows][i])
        value = (share[:, 0] * self.loss.value(margin) + share[:, 1] * self.loss.value(-margin)).sum()
        slope = share[:, 0] * self.loss.slope(margin) - share[:, 1] * self.loss.slope(-margin)
        pull = np.bincount(i, slope, len(rows)) - np.bincount(j, slope, len(rows))
        gradient = tensor(self.beta * self.scale[rows] * pull)
        if self.bonus is not None:
            bonus, push = self._bonus(logp.sum(dim=1), rows)
            value, gradient = value + bonus, gradient + push
        return float(value), spread(gradient, mask)

    def noise(self, rows: Ints) -> float:
        return 0.0

    def curvature(self, total: Floats, rows: Ints) -> Floats:
        chosen, i, j = _pairs_of(self.pairs, rows)
        scale = self.scale[rows]
        ratio = scale * (total - self.prior[rows])
        margin = self.beta * (ratio[i] - ratio[j])
        share = self._share(chosen, self.draws.prompt[rows][i])
        stiff = share[:, 0] * _stiffness(self.loss, margin) + share[:, 1] * _stiffness(self.loss, -margin)
        return self.beta**2 * _springs(stiff, i, j, len(rows)) * scale[:, None] * scale[None, :]

    def asked(self, rows: Ints) -> tuple[float, float]:
        alone = replace(self, bonus=None)
        chosen, i, _ = _pairs_of(self.pairs, rows)
        share = self._share(chosen, self.draws.prompt[rows][i])
        low, high = np.full(len(share), -50.0), np.full(len(share), 50.0)
        for _ in range(60):  # the margin at which the slope of a pair changes its sign
            middle = 0.5 * (low + high)
            rising = share[:, 0] * self.loss.slope(middle) - share[:, 1] * self.loss.slope(-middle) > 0
            low, high = np.where(rising, low, middle), np.where(rising, middle, high)
        least = share[:, 0] * self.loss.value(low) + share[:, 1] * self.loss.value(-low)
        return at_totals(alone, self.prior[rows], rows)[0], float(least.sum())

    def folds(self) -> list[tuple[Convex, Convex]]:
        return [
            (
                replace(self, pairs=self.pairs[kept], wins=self.wins[kept]),
                replace(self, pairs=self.pairs[held], wins=self.wins[held], bonus=None),
            )
            for kept, held in _pair_folds(self.pairs)
        ]

    def _share(self, chosen: Ints, prompt: Ints) -> Floats:
        """float64[M, 2]: the weights of both outcomes of pairs in the mean over the pairs of their prompt."""
        wins = self.wins[chosen]
        return wins / np.bincount(prompt, wins.sum(axis=1))[prompt][:, None]

    def _bonus(self, total: Tensor, rows: Ints) -> tuple[float, Tensor]:
        assert self.bonus is not None
        groups, prior = Groups(self.draws.prompt[rows]), tensor(self.prior[rows])
        score = self.beta * (groups.log_normalised(total) - groups.log_normalised(prior))
        score = score if self.listed else self.beta * (total - prior)
        bonus = tensor(self.bonus[rows])
        bonus = torch.where(score * bonus.sign() > -self.bound, bonus, 0.0)
        return likelihood(total, bonus, groups, self.listed)


@dataclass(frozen=True, eq=False)
class FitLabels:
    """Mean over pairs of (d - d' - step label)^2 + ridge |d|^2 + sft KL(opponent || pi), d = log pi / prior.

    prior : float64[N], log prior up to a constant per prompt.
    pairs, labels : int64[M, 2] and float64[M], rows and the difference of their win rates.
    step : the step of the mirror step that is fitted.
    ridge : pulls d, centred over the rows of a prompt, to 0; a response in no pair stays at the prior.
    sft : weight of the KL, at least 0.
    opponent : float64[N], the weight of each row as the opponent's own response.
    listed : the policy of the KL is normalised over the rows of a prompt.
    """

    draws: Draws
    prior: Floats
    pairs: Ints
    labels: Floats
    step: float
    ridge: float
    sft: float
    opponent: Floats
    listed: bool = False

    def __call__(self, logp: Tensor, mask: Tensor, rows: Ints) -> tuple[float, Tensor]:
        chosen, i, j = _pairs_of(self.pairs, rows)
        prompt, total = self.draws.prompt[rows], logp.sum(dim=1)
        groups, ratio = Groups(prompt), (total - tensor(self.prior[rows])).numpy()
        error = ratio[i] - ratio[j] - self.step * self.labels[chosen]
        share = 1 / np.bincount(prompt[i], minlength=int(prompt.max()) + 1)[prompt[i]]
        slope = 2 * share * error
        pull: Floats = np.bincount(i, slope, len(rows)) - np.bincount(j, slope, len(rows))  # type: ignore
        value = float((share * error**2).sum())
        if self.ridge:
            size = groups.sum(torch.ones_like(total))
            centred = tensor(ratio) - groups.sum(tensor(ratio)) / size
            value += self.ridge * float((centred**2).sum())
            pull = pull + 2 * self.ridge * centred.numpy()
        if self.sft:
            known, push = likelihood(total, tensor(self.opponent[rows]), groups, self.listed)
            value, pull = value - self.sft * known, pull - self.sft * push.numpy()
        return value, spread(tensor(pull), mask)

    def noise(self, rows: Ints) -> float:
        return 0.0

    def curvature(self, total: Floats, rows: Ints) -> Floats:
        _, i, j = _pairs_of(self.pairs, rows)
        prompt = self.draws.prompt[rows]
        share = 1 / np.bincount(prompt[i], minlength=int(prompt.max()) + 1)[prompt[i]]
        found = _springs(2 * share, i, j, len(rows))
        if self.ridge:
            same = (prompt[:, None] == prompt[None, :]).astype(np.float64)
            found += 2 * self.ridge * (np.eye(len(rows)) - same / same.sum(axis=1))
        if self.sft and self.listed:
            found += self.sft * softmax_curvature(prompt, total, self.opponent[rows])
        return found

    def asked(self, rows: Ints) -> tuple[float, float]:
        return at_totals(replace(self, sft=0.0), self.prior[rows], rows)[0], 0.0

    def folds(self) -> list[tuple[Convex, Convex]]:
        return [
            (
                replace(self, pairs=self.pairs[kept], labels=self.labels[kept]),
                replace(self, pairs=self.pairs[held], labels=self.labels[held], ridge=0.0, sft=0.0),
            )
            for kept, held in _pair_folds(self.pairs)
        ]


def _springs(stiff: Floats, i: Ints, j: Ints, size: int) -> Floats:
    """sum_m stiff_m (e_i - e_j)(e_i - e_j)', float64[B, B]."""
    found = np.zeros((size, size))
    for a, b, sign in ((i, i, 1), (j, j, 1), (i, j, -1), (j, i, -1)):
        np.add.at(found, (a, b), sign * stiff)
    return found


def _stiffness(loss: PairLoss, margin: Floats) -> Floats:
    """The curvature of a loss, or where it is flat and sloping that of the parabola that touches 0."""
    touching = loss.slope(margin) ** 2 / np.maximum(2 * loss.value(margin), 1e-300)
    return np.maximum(loss.curvature(margin), touching)


def _pair_folds(pairs: Ints) -> Iterator[tuple[Ints, Ints]]:
    """(pairs to train on, pairs to hold back), int64[...] each; none from fewer than eight pairs."""
    every = np.arange(len(pairs))
    for part in range(FOLDS if len(pairs) >= 2 * FOLDS else 0):
        yield every[every % FOLDS != part], every[every % FOLDS == part]


def _pairs_of(pairs: Ints, rows: Ints) -> tuple[Ints, Ints, Ints]:
    """(numbers of the pairs within `rows`, positions there of their first and of their second responses)."""
    place = np.full(max(int(pairs.max(initial=-1)), int(rows.max())) + 1, -1)
    place[rows] = np.arange(len(rows))
    i, j = place[pairs[:, 0]], place[pairs[:, 1]]
    chosen = np.flatnonzero((i >= 0) & (j >= 0))
    return chosen, i[chosen], j[chosen]
