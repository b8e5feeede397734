"""Objectives: losses of a fit, with their gradients with respect to token log-probabilities.

An objective is called with the token log-probabilities float64[B, L], with a mask, of all its rows of some
prompts. It returns the loss summed over these prompts and its gradient float64[B, L]. No objective sees the
model, so each can be compared with exact enumeration.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from llm_backend.spaces.draws import Draws, Floats, Ints
from pgames.numerics import sigmoid


class Objective(Protocol):
    """A loss of the log-probabilities of `draws`."""

    @property
    def draws(self) -> Draws:
        """The N responses that the loss reads."""
        ...

    def __call__(self, logp: Tensor, mask: Tensor, rows: Ints) -> tuple[float, Tensor]:
        """(loss summed over the prompts of `rows`, its gradient float64[B, L] with respect to `logp`).

        logp, mask : float64[B, L] and bool[B, L], tokens of the responses `rows`, 0 and False after the end.
        rows : int64[B], all rows of some prompts.
        """
        ...


class Convex(Objective, Protocol):
    """An objective that is a function of the log-probabilities of whole responses, nearly convex in them.

    Gauss-Newton minimises it. Sums are over the prompts of `rows` int64[B], all rows of some prompts.
    """

    def noise(self, rows: Ints) -> float:
        """The loss that the noise of sampled targets leaves at the true target; `rows` int64[B]."""
        ...

    def curvature(self, total: Floats, rows: Ints) -> Floats:
        """A positive semidefinite model of the second derivatives, float64[B, B].

        total : float64[B], log-probabilities of the responses `rows`, which are all rows of some prompts.
        """
        ...

    def asked(self, rows: Ints) -> tuple[float, float]:
        """(the loss of the prior, the least loss), of the rows int64[B]."""
        ...

    def folds(self) -> list[tuple[Convex, Convex]]:
        """(to train on, to hold back): parts of the rows or pairs, each held back once; [] if too few."""
        ...


class Groups:
    """Sums over the rows that answer one prompt; `prompt` int64[B] are the prompts of B rows."""

    def __init__(self, prompt: Ints):
        _, inverse = np.unique(prompt, return_inverse=True)
        self.of = torch.from_numpy(inverse)
        self.count = int(inverse.max()) + 1

    def sum(self, values: Tensor) -> Tensor:
        """float64[B]: per row the sum of `values` float64[B] over the rows of its prompt."""
        total = torch.zeros(self.count, dtype=values.dtype).index_add_(0, self.of, values)
        return total[self.of]

    def log_normalised(self, logs: Tensor) -> Tensor:
        """float64[B]: `logs` float64[B], normalised over the rows of each prompt."""
        top = torch.full((self.count,), -math.inf, dtype=logs.dtype)
        top = top.scatter_reduce(0, self.of, logs, "amax")[self.of]
        return logs - top - self.sum(torch.exp(logs - top)).log()


@dataclass(frozen=True, eq=False)
class Regress:
    """Within-prompt variance of log pi - prior - target under `weight`, whose minimiser is the mirror step.

    prior : float64[N], log prior; a constant per prompt added to it or to `target` changes nothing.
    target : float64[N], step * win rate.
    weight : float64[N], summing to 1 per prompt.
    variance : float64[N], the variance of `target` from few draws of the opponent; None where it is exact.
    """

    draws: Draws
    prior: Floats
    target: Floats
    weight: Floats
    variance: Floats | None = None

    def __call__(self, logp: Tensor, mask: Tensor, rows: Ints) -> tuple[float, Tensor]:
        groups, w = Groups(self.draws.prompt[rows]), tensor(self.weight[rows])
        residual = logp.sum(dim=1) - tensor((self.prior + self.target)[rows])
        residual = residual - groups.sum(w * residual)
        return float((w * residual**2).sum()), spread(2 * w * residual, mask)

    def noise(self, rows: Ints) -> float:
        return 0.0 if self.variance is None else _noise(self.weight[rows], self.variance[rows])

    def curvature(self, total: Floats, rows: Ints) -> Floats:
        return _variance_curvature(self.draws.prompt[rows], self.weight[rows])

    def asked(self, rows: Ints) -> tuple[float, float]:
        return at_totals(self, self.prior[rows], rows)[0], 0.0

    def folds(self) -> list[tuple[Convex, Convex]]:
        return [
            (replace(self, weight=kept), replace(self, weight=held))
            for kept, held in _row_folds(self.draws.prompt, self.weight, self.variance)
        ]


@dataclass(frozen=True, eq=False)
class Logistic:
    """Cross entropy of sigmoid(difference of log pi / prior) to sigmoid(difference of targets), over pairs.

    It has the same minimiser as `Regress` when wins are exact (DNO, arXiv:2404.03715). With wins from few
    draws the sigmoid of a noisy target is biased towards 1/2.

    prior, target, weight, variance : float64[N], as for `Regress`.
    """

    draws: Draws
    prior: Floats
    target: Floats
    weight: Floats
    variance: Floats | None = None

    def __call__(self, logp: Tensor, mask: Tensor, rows: Ints) -> tuple[float, Tensor]:
        prompt = torch.from_numpy(self.draws.prompt[rows])
        w, target = tensor(self.weight[rows]), tensor(self.target[rows])
        ratio = logp.sum(dim=1) - tensor(self.prior[rows])
        margin = ratio[:, None] - ratio[None, :]
        wanted = torch.sigmoid(target[:, None] - target[None, :])
        met = w[:, None] * w[None, :] * (prompt[:, None] == prompt[None, :])
        loss = met * (torch.nn.functional.softplus(margin) - wanted * margin)
        pull = met * (torch.sigmoid(margin) - wanted)
        return float(loss.sum()), spread(pull.sum(dim=1) - pull.sum(dim=0), mask)

    def noise(self, rows: Ints) -> float:
        return 0.0

    def curvature(self, total: Floats, rows: Ints) -> Floats:
        prompt, w, ratio = self.draws.prompt[rows], self.weight[rows], total - self.prior[rows]
        margin = ratio[:, None] - ratio[None, :]
        met = w[:, None] * w[None, :] * (prompt[:, None] == prompt[None, :])
        stiff = met * sigmoid(margin) * sigmoid(-margin)
        stiff = stiff + stiff.T
        return np.diag(stiff.sum(axis=1)) - stiff

    def asked(self, rows: Ints) -> tuple[float, float]:
        best = at_totals(self, (self.prior + self.target)[rows], rows)[0]
        return at_totals(self, self.prior[rows], rows)[0], best

    def folds(self) -> list[tuple[Convex, Convex]]:
        return [
            (replace(self, weight=kept), replace(self, weight=held))
            for kept, held in _row_folds(self.draws.prompt, self.weight, self.variance)
        ]


@dataclass(frozen=True, eq=False)
class Imitate:
    """Cross entropy to responses, - sum weight log pi.

    weight : float64[N], summing to 1 per prompt.
    listed : pi is normalised over the rows of a prompt.
    """

    draws: Draws
    weight: Floats
    listed: bool = False

    def __call__(self, logp: Tensor, mask: Tensor, rows: Ints) -> tuple[float, Tensor]:
        groups, weight = Groups(self.draws.prompt[rows]), tensor(self.weight[rows])
        value, gradient = likelihood(logp.sum(dim=1), weight, groups, self.listed)
        return -value, spread(-gradient, mask)

    def noise(self, rows: Ints) -> float:
        return 0.0

    def curvature(self, total: Floats, rows: Ints) -> Floats:
        if self.listed:
            return softmax_curvature(self.draws.prompt[rows], total, self.weight[rows])
        return np.diag(2 * self.weight[rows] / np.maximum(-total, 1e-3))  # a step halves - log pi

    def asked(self, rows: Ints) -> tuple[float, float]:
        return math.inf, 0.0  # there is no prior

    def folds(self) -> list[tuple[Convex, Convex]]:
        return []


def likelihood(total: Tensor, weight: Tensor, groups: Groups, listed: bool) -> tuple[float, Tensor]:
    """(sum weight log pi, its gradient float64[B]) at log-probabilities `total` float64[B].

    With `listed`, pi is normalised over the rows of a prompt.
    """
    if not listed:
        return float((weight * total).sum()), weight
    logs = groups.log_normalised(total)
    return float((weight * logs).sum()), weight - torch.exp(logs) * groups.sum(weight)


def at_totals(objective: Objective, total: Floats, rows: Ints) -> tuple[float, Floats]:
    """(loss summed over the prompts of `rows`, its gradient float64[B]) at log-probabilities float64[B].

    rows : int64[B], all rows of some prompts.
    """
    mask = torch.ones(len(total), 1, dtype=torch.bool)
    loss, slope = objective(tensor(total)[:, None], mask, rows)
    return loss, slope[:, 0].numpy()


def _noise(weight: Floats, variance: Floats) -> float:
    """The loss of `Regress` that targets of this variance leave at the true target."""
    return float((weight * (1 - weight) * variance).sum())


def _variance_curvature(prompt: Ints, weight: Floats) -> Floats:
    same = prompt[:, None] == prompt[None, :]
    return 2 * (np.diag(weight) - same * weight[:, None] * weight[None, :])


def softmax_curvature(prompt: Ints, total: Floats, weight: Floats) -> Floats:
    """Of - sum weight log pi, with pi normalised over the rows of a prompt: float64[B, B]."""
    groups = Groups(prompt)
    p, mass = torch.exp(groups.log_normalised(tensor(total))).numpy(), groups.sum(tensor(weight)).numpy()
    same = prompt[:, None] == prompt[None, :]
    return np.diag(mass * p) - same * (mass * p)[:, None] * p[None, :]


FOLDS = 4  # at most; each holds two responses of a prompt at least


def _row_folds(prompt: Ints, weight: Floats, variance: Floats | None) -> Iterator[tuple[Floats, Floats]]:
    """(weights of the rows to train on, of those to hold back), float64[N] each, summing to 1 per prompt.

    A prompt with fewer than four responses holds none back. Nothing is held back of targets that are exact:
    they are those of every response.
    """
    place, parts = np.zeros(len(prompt), np.int64), np.zeros(len(prompt), np.int64)
    for x in np.unique(prompt):
        count = int((prompt == x).sum())
        place[prompt == x], parts[prompt == x] = np.arange(count), min(FOLDS, count // 2)
    for part in range(int(parts.max()) if variance is not None and parts.max() > 1 else 0):
        out = (parts > 1) & (place % np.maximum(parts, 1) == part)
        held, kept = np.where(out, weight, 0.0), np.where(out, 0.0, weight)
        yield _normalised(kept, prompt), _normalised(held, prompt)


def _normalised(weight: Floats, prompt: Ints) -> Floats:
    """`weight` float64[N], summing to 1 over the rows of a prompt, or to 0."""
    total = np.bincount(prompt, weight)[prompt]
    return np.where(total > 0, weight / np.where(total > 0, total, 1.0), 0.0)


def tensor(values: Floats) -> Tensor:
    """`values` float64[...] as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))


def spread(per_response: Tensor, mask: Tensor) -> Tensor:
    """The gradient [B, L] of a sum over tokens: that of the response, float64[B], at each of its tokens."""
    return per_response[:, None] * mask
