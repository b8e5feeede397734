"""Fit: how a policy is trained on a round's data, and the loop that does it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

import numpy as np
import torch
from torch import Tensor

from llm_backend.fits.objectives import Ints, Objective
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import token_logprobs
from llm_backend.policies.handles import BASE, Adapter, Leaf
from llm_backend.processes.fsdp import local_shard
from llm_backend.processes.workers import workers
from llm_backend.spaces.draws import by_prompt

RULES = ("regress", "logistic", "reinforce", "rloo", "grpo", "ppo")


@dataclass(frozen=True)
class Fit:
    """How a policy is fitted to the data of a round.

    rule : "regress", least squares on log-ratios (any data); "logistic", cross entropy on them; or a policy
        gradient, "reinforce", "rloo", "grpo", "ppo", with the KL of the whole response in the reward.
    epochs : passes over the data. batch : prompts per optimiser step. rows : responses per forward pass
        (lower it when memory runs out; results do not depend on it beyond rounding); four times as many are
        drawn at a time.
    lr, betas, eps, weight_decay : of AdamW. beta1 is 0: momentum makes self-play spiral on cyclic games.
    warmup, final : share of the steps that the rate rises over, and what share of lr it falls to (cosine).
    clip : largest norm of a gradient.
    moments : keep the optimiser's moments with the policy, and go on from them where training starts from it.
        Off, because every round has a new target: on exact games fresh moments fit a hundred times closer.
    per_token : pair losses take log-ratios per token instead of summed (IPO as its authors ran it).
    greed : the step that stands for step = inf, the best response, in sampled play.
    """

    rule: Literal["regress", "logistic", "reinforce", "rloo", "grpo", "ppo"] = "regress"
    epochs: int = 2
    batch: int = 32
    rows: int = 64
    lr: float = 1e-4
    betas: tuple[float, float] = (0.0, 0.95)
    eps: float = 1e-8
    weight_decay: float = 0.0
    warmup: float = 0.1
    final: float = 0.01
    clip: float = math.inf
    moments: bool = False
    per_token: bool = False
    greed: float = 50.0

    def __post_init__(self) -> None:
        if self.rule not in RULES:
            raise ValueError(f"Fit: rule must be one of {', '.join(RULES)}, got {self.rule!r}.")
        for name in ("epochs", "batch", "rows"):
            if getattr(self, name) < 1:
                raise ValueError(f"Fit: {name} must be at least 1, got {getattr(self, name)}.")
        for name in ("lr", "eps", "clip", "greed"):
            if not getattr(self, name) > 0:
                raise ValueError(f"Fit: {name} must be above 0, got {getattr(self, name)}.")
        if not all(0 <= beta < 1 for beta in self.betas) or len(self.betas) != 2:
            raise ValueError(f"Fit: betas must be two numbers in [0, 1), got {self.betas}.")
        if not (0 <= self.warmup < 1 and 0 <= self.final <= 1 and self.weight_decay >= 0):
            raise ValueError(
                "Fit: warmup must be in [0, 1), final in [0, 1] and weight_decay at least 0, got "
                f"{self.warmup}, {self.final} and {self.weight_decay}."
            )

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step 0, 1, ..., steps - 1."""
        rise = math.ceil(self.warmup * steps)
        if step < rise:
            return self.lr * (step + 1) / (rise + 1)
        fall = (step - rise) / max(1, steps - rise - 1)
        return self.lr * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, fall))))


class Fitted(NamedTuple):
    """The policy, the mean loss per prompt of every optimiser step, and what it cost."""

    policy: Adapter
    losses: list[float]
    tokens: int
    seconds: float


def fit(
    lm: LanguageModel,
    start: Leaf,
    objective: Objective,
    prompts: Sequence[list[int]],
    how: Fit,
    temperature: float = 1.0,
    key: Sequence[int] = (0,),
    shortest: int = 0,
) -> Fitted:
    """Train a copy of `start` on the objective. The order of prompts is a function of `key` alone."""
    began, us = time.perf_counter(), workers()
    draws = objective.draws
    groups = {x: rows for x, rows in enumerate(by_prompt(draws, len(prompts))) if len(rows)}
    batches = list(_batches(list(groups), how, key))
    losses, tokens = [], 0
    with lm.train(start) as trainee:
        optimiser = Adam(trainee.parameters, how, getattr(start, "moments", {}) if how.moments else {})
        for step, batch in enumerate(batches):
            loss, seen = 0.0, 0
            passes = list(_passes([groups[x] for x in us.mine(batch)], how.rows))
            for rows, counts in us.in_step(passes, groups[batch[0]]):
                answers = [draws.tokens[i] for i in rows]
                asked = [prompts[int(draws.prompt[i])] for i in rows]
                values, mask = token_logprobs(lm, asked, answers, temperature, shortest)
                part, slope = objective(values.detach().double().cpu(), mask.cpu(), rows)
                values.backward((slope * (counts / len(batch))).to(values))
                loss += counts * part / len(batch)
                seen += counts * (sum(map(len, answers)) + sum(map(len, asked)))
            us.sum_gradients(trainee.parameters.values())
            loss, seen = us.summed(loss, seen)
            tokens += int(seen)
            if not math.isfinite(loss):
                raise FloatingPointError(
                    f"the loss of step {step} is {loss}: lower Fit.lr (now {how.lr:g}) or the solver's step."
                )
            optimiser.step(how.rate(step, len(batches)))
            losses.append(loss)
        policy = lm.freeze(trainee, optimiser.moments() if how.moments else None)
    return Fitted(policy, losses, tokens, time.perf_counter() - began)


class Adam:
    """AdamW that keeps no first moment when beta1 is 0, and goes on from given moments.

    Of parameters in shares it updates those of this process; the norm of the gradient is that of all.
    """

    def __init__(self, parameters: Mapping[str, torch.nn.Parameter], how: Fit, moments: Mapping[str, Tensor]):
        self.parameters, self.how = parameters, how
        shares = {name: local_shard(p.detach()) for name, p in parameters.items()}
        self.split = any(shares[name].shape != p.shape for name, p in parameters.items())
        self.steps = int(moments["steps"]) if moments else 0
        self.second = {name: self._start(moments, f"second.{name}", p) for name, p in shares.items()}
        coarse = {name: p for name, p in shares.items() if p.dtype != torch.float32}
        self.exact = {name: p.float() for name, p in coarse.items()}  # small steps add up there
        moving = shares.items() if how.betas[0] else ()
        self.first = {name: self._start(moments, f"first.{name}", p) for name, p in moving}

    @staticmethod
    def _start(moments: Mapping[str, Tensor], name: str, parameter: Tensor) -> Tensor:
        return moments[name].clone() if name in moments else torch.zeros_like(parameter, dtype=torch.float32)

    @torch.no_grad()
    def step(self, rate: float) -> None:
        """One update from the gradients, which are then cleared."""
        (beta1, beta2), self.steps = self.how.betas, self.steps + 1
        gradients = {name: local_shard(p.grad) for name, p in self.parameters.items() if p.grad is not None}
        squares = sum(float(gradient.float().square().sum()) for gradient in gradients.values())
        total = math.sqrt(workers().summed(squares)[0] if self.split else squares)
        shrink = min(1.0, self.how.clip / total) if total > 0 else 1.0
        scale1, scale2 = 1 - beta1**self.steps, 1 - beta2**self.steps
        for name, gradient in gradients.items():
            parameter = local_shard(self.parameters[name])
            gradient = gradient.float().mul_(shrink)
            second = self.second[name].mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
            if beta1:
                gradient = self.first[name].mul_(beta1).add_(gradient, alpha=1 - beta1) / scale1
            exact = self.exact.get(name, parameter)
            if self.how.weight_decay:
                exact.mul_(1 - rate * self.how.weight_decay)
            exact.add_(gradient / (second / scale2).sqrt_().add_(self.how.eps), alpha=-rate)
            if name in self.exact:
                parameter.copy_(exact)
            self.parameters[name].grad = None

    def moments(self) -> dict[str, Tensor]:
        """What another Adam needs to go on."""
        kept = {f"second.{name}": value for name, value in self.second.items()}
        kept |= {f"first.{name}": value for name, value in self.first.items()}
        return {"steps": torch.tensor(self.steps), **kept}


def _batches(prompts: list[int], how: Fit, key: Sequence[int]) -> Iterator[list[int]]:
    for epoch in range(how.epochs):
        order = prompts
        if how.batch < len(prompts):
            order = [prompts[i] for i in np.random.default_rng([*key, epoch]).permutation(len(prompts))]
        for i in range(0, len(order), how.batch):
            yield order[i : i + how.batch]


def _passes(groups: list[Ints], rows: int) -> Iterator[Ints]:
    """Rows of whole prompts, as many at a time as there is room for."""
    part: list[Ints] = []
    for group in groups:
        if part and sum(map(len, part)) + len(group) > rows:
            yield np.concatenate(part)
            part = []
        part.append(group)
    if part:
        yield np.concatenate(part)


def value(objective: Objective, logp: np.ndarray) -> float:
    """The loss at log-probabilities of whole responses, float64[B]."""
    mask = torch.ones(len(logp), 1, dtype=torch.bool)
    return objective(torch.from_numpy(logp)[:, None], mask, np.arange(len(logp)))[0]


def best_start(objective: Objective, scores: dict[Leaf, np.ndarray]) -> Leaf:
    """The leaf that fits best already, given its log-probabilities of the rows; the base if there is none."""
    return min(scores, key=lambda leaf: value(objective, scores[leaf]), default=BASE)
