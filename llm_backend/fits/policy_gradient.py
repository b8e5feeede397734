"""PolicyGradient: ascent on the regularised win rate, with one of four estimators."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from llm_backend.fits.objectives import Groups, spread, tensor
from llm_backend.spaces.draws import Draws, Floats, Ints

Estimator = Literal["reinforce", "rloo", "grpo", "ppo"]
ESTIMATORS: tuple[Estimator, ...] = get_args(Estimator)


@dataclass(frozen=True, eq=False)
class PolicyGradient:
    """Ascent on E_pi[win] - KL(pi || prior) / step, with the KL of the whole response as its reward.

    R = win - (log pi - log prior) / step, A = R - baseline, gradient -sum weight ratio A grad log pi.

    prior, win, weight : float64[N], log prior, win rates, and weights that sum to 1 per prompt. The rows were
        drawn with `weight` from the policy of `old`.
    old : the token log-probabilities float64[L_i] with which row i was drawn.
    step : above 0.
    estimator : "reinforce" has baseline 1/2 and "rloo" the mean of the other rows; both weigh a response by
        its ratio pi / old. "grpo" takes A = (R - mean) / std and "ppo" the mean of the other rows; both weigh
        a token by its own ratio, and drop it when that leaves [1 - clip, 1 + clip] in the direction of the
        advantage.
    listed : the rows are all responses of an enumerable game, weighted by the old policy: the expectation
        is exact, the baseline is the policy's own mean, and ratios are those of the normalised policies.
    clip : in (0, 1).
    """

    draws: Draws
    prior: Floats
    win: Floats
    weight: Floats
    old: list[Floats]
    step: float
    estimator: Estimator = "rloo"
    listed: bool = False
    clip: float = 0.2

    def __call__(self, logp: Tensor, mask: Tensor, rows: Ints) -> tuple[float, Tensor]:
        groups, weight = Groups(self.draws.prompt[rows]), tensor(self.weight[rows])
        old = torch.zeros_like(logp)
        for i, row in enumerate(rows):
            old[i, : len(self.old[row])] = torch.from_numpy(self.old[row])
        total = logp.sum(dim=1)
        ratio = torch.exp(total - old.sum(dim=1))
        if self.listed:
            ratio = ratio / groups.sum(weight * ratio)
        reward = tensor(self.win[rows]) - (total - tensor(self.prior[rows])) / self.step
        advantage = self._advantage(reward, weight * ratio if self.listed else weight, groups)
        value = float((weight * ratio * reward).sum())
        if self.estimator in ("reinforce", "rloo"):
            return -value, spread(-weight * ratio * advantage, mask)
        each = torch.exp(logp - old)
        stopped = torch.where(advantage[:, None] > 0, each > 1 + self.clip, each < 1 - self.clip)
        pull = torch.where(stopped, torch.zeros_like(each), -(weight * advantage)[:, None] * each)
        return -value, pull * mask

    def _advantage(self, reward: Tensor, weight: Tensor, groups: Groups) -> Tensor:
        if self.estimator == "reinforce" and not self.listed:
            return reward - 0.5
        centred = reward - groups.sum(weight * reward)
        if self.estimator == "grpo":
            return centred / (groups.sum(weight * centred**2).sqrt() + 1e-4)
        if self.listed:
            return centred
        drawn = groups.sum(torch.ones_like(reward))
        return centred * drawn / (drawn - 1).clamp(min=1)  # the mean of the others, for equal weights
