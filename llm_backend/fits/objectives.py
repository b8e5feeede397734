"""Objectives: losses of a fit, with their gradients with respect to token log-probabilities.

An objective is called with the token log-probabilities float64[B, L], with a mask, of all its rows of some
prompts. It returns the loss summed over these prompts and its gradient float64[B, L]. No objective sees the
model, so each can be compared with exact enumeration.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import torch
from torch import Tensor

from llm_backend.spaces.draws import Draws, Floats, Ints
from pgames.losses import PairLoss


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
    """

    draws: Draws
    prior: Floats
    target: Floats
    weight: Floats

    def __call__(self, logp: Tensor, mask: Tensor, rows: Ints) -> tuple[float, Tensor]:
        groups, w = Groups(self.draws.prompt[rows]), tensor(self.weight[rows])
        residual = logp.sum(dim=1) - tensor((self.prior + self.target)[rows])
        residual = residual - groups.sum(w * residual)
        return float((w * residual**2).sum()), spread(2 * w * residual, mask)


@dataclass(frozen=True, eq=False)
class Logistic:
    """Cross entropy of sigmoid(difference of log pi / prior) to sigmoid(difference of targets), over pairs.

    It has the same minimiser as `Regress` when wins are exact (DNO, arXiv:2404.03715). With wins from few
    draws the sigmoid of a noisy target is biased towards 1/2.

    prior, target, weight : float64[N], as for `Regress`.
    """

    draws: Draws
    prior: Floats
    target: Floats
    weight: Floats

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
        prompt, wins = self.draws.prompt[rows][i], self.wins[chosen]
        share = wins / np.bincount(prompt, wins.sum(axis=1))[prompt][:, None]
        value = (share[:, 0] * self.loss.value(margin) + share[:, 1] * self.loss.value(-margin)).sum()
        slope = share[:, 0] * self.loss.slope(margin) - share[:, 1] * self.loss.slope(-margin)
        pull = np.bincount(i, slope, len(rows)) - np.bincount(j, slope, len(rows))
        gradient = tensor(self.beta * self.scale[rows] * pull)
        if self.bonus is not None:
            bonus, push = self._bonus(logp.sum(dim=1), rows)
            value, gradient = value + bonus, gradient + push
        return float(value), spread(gradient, mask)

    def _bonus(self, total: Tensor, rows: Ints) -> tuple[float, Tensor]:
        assert self.bonus is not None
        groups, prior = Groups(self.draws.prompt[rows]), tensor(self.prior[rows])
        score = self.beta * (groups.log_normalised(total) - groups.log_normalised(prior))
        score = score if self.listed else self.beta * (total - prior)
        bonus = tensor(self.bonus[rows])
        bonus = torch.where(score * bonus.sign() > -self.bound, bonus, 0.0)
        return _likelihood(total, bonus, groups, self.listed)


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
            likelihood, push = _likelihood(total, tensor(self.opponent[rows]), groups, self.listed)
            value, pull = value - self.sft * likelihood, pull - self.sft * push.numpy()
        return value, spread(tensor(pull), mask)


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
        value, gradient = _likelihood(logp.sum(dim=1), weight, groups, self.listed)
        return -value, spread(-gradient, mask)


def _likelihood(total: Tensor, weight: Tensor, groups: Groups, listed: bool) -> tuple[float, Tensor]:
    """(sum weight log pi, its gradient); with `listed`, pi is normalised over the rows of a prompt."""
    if not listed:
        return float((weight * total).sum()), weight
    logs = groups.log_normalised(total)
    return float((weight * logs).sum()), weight - torch.exp(logs) * groups.sum(weight)


def tensor(values: Floats) -> Tensor:
    """`values` float64[...] as a tensor."""
    return torch.from_numpy(np.ascontiguousarray(values, dtype=np.float64))


def spread(per_response: Tensor, mask: Tensor) -> Tensor:
    """The gradient [B, L] of a sum over tokens: that of the response, float64[B], at each of its tokens."""
    return per_response[:, None] * mask


def _pairs_of(pairs: Ints, rows: Ints) -> tuple[Ints, Ints, Ints]:
    """(numbers of the pairs within `rows`, positions there of their first and of their second responses)."""
    place = np.full(max(int(pairs.max(initial=-1)), int(rows.max())) + 1, -1)
    place[rows] = np.arange(len(rows))
    i, j = place[pairs[:, 0]], place[pairs[:, 1]]
    chosen = np.flatnonzero((i >= 0) & (j >= 0))
    return chosen, i[chosen], j[chosen]
