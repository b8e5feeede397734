"""Fit, the settings of training a policy on the data of a round, and `fit`, the loop that trains it."""

from __future__ import annotations

import math
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple, get_args

import numpy as np
import torch

from llm_backend.fits.adam import Adam
from llm_backend.fits.objectives import Objective
from llm_backend.fits.policy_gradient import ESTIMATORS, Estimator
from llm_backend.models.language_model import LanguageModel
from llm_backend.models.logprobs import token_logprobs
from llm_backend.policies.handles import BASE, Adapter, Leaf
from llm_backend.processes.workers import workers
from llm_backend.spaces.draws import Floats, Ints, by_prompt

Rule = Literal["regress", "logistic", "reinforce", "rloo", "grpo", "ppo"]
RULES: tuple[Rule, ...] = get_args(Rule)


@dataclass(frozen=True)
class Fit:
    """How a policy is fitted to the data of a round.

    rule : "regress", least squares on log-ratios, for any data; "logistic", cross entropy on them; or a
        policy gradient, "reinforce", "rloo", "grpo" or "ppo", with the KL of whole responses in the reward.
    epochs : passes over the data, at least 1.
    batch : prompts per optimiser step, at least 1.
    rows : responses per forward pass, at least 1; lower it when memory runs out. Results do not depend on it
        beyond rounding. Four times as many are drawn at a time.
    lr, betas, eps, weight_decay : of AdamW. beta1 is 0: momentum makes self-play spiral on cyclic games.
    warmup, final : fraction of the steps in which the rate rises, and fraction of lr to which it then falls
        (cosine).
    clip : largest norm of a gradient, above 0.
    moments : keep the optimiser's moments with the policy, and continue from them when training starts from
        it. Off by default, because every round has a new target: on exact games fresh moments fit 100 times
        closer.
    per_token : pair losses take the mean of log-ratios over tokens instead of the sum (IPO as its authors ran
        it).
    greed : the finite step used for step = inf, the best response, in sampled play.

    Raises ValueError naming the setting that is out of range.
    """

    rule: Rule = "regress"
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

    @property
    def estimator(self) -> Estimator | None:
        """The estimator if the rule is a policy gradient, or None for a regression."""
        return next((estimator for estimator in ESTIMATORS if estimator == self.rule), None)

    def rate(self, step: int, steps: int) -> float:
        """The learning rate of step 0, 1, ..., steps - 1."""
        rise = math.ceil(self.warmup * steps)
        if step < rise:
            return self.lr * (step + 1) / (rise + 1)
        fall = (step - rise) / max(1, steps - rise - 1)
        return self.lr * (self.final + (1 - self.final) * 0.5 * (1 + math.cos(math.pi * min(1.0, fall))))


class Fitted(NamedTuple):
    """A trained policy.

    losses : the mean loss per prompt, one per optimiser step.
    tokens : trained tokens of prompts and responses, over all epochs.
    seconds : wall-clock time.
    """

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
    """Train a copy of `start` on the objective.

    Parameters
    ----------
    lm : the language model that holds `start`.
    start : the leaf whose weights training starts from.
    objective : the loss and its responses.
    prompts : the tokens of X prompts, which `objective.draws.prompt` indexes.
    how : the settings.
    temperature : of the log-probabilities that are trained.
    key : the order of the prompts is a function of it alone.
    shortest : stop tokens are forbidden before this many tokens.

    Raises FloatingPointError when the loss of a step is not finite.
    """
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


def _batches(prompts: list[int], how: Fit, key: Sequence[int]) -> Iterator[list[int]]:
    """The prompts of every optimiser step, shuffled in every epoch if there are several steps in one."""
    for epoch in range(how.epochs):
        order = prompts
        if how.batch < len(prompts):
            order = [prompts[i] for i in np.random.default_rng([*key, epoch]).permutation(len(prompts))]
        for i in range(0, len(order), how.batch):
            yield order[i : i + how.batch]


def _passes(groups: list[Ints], rows: int) -> Iterator[Ints]:
    """Rows of whole prompts, at most `rows` at a time unless one prompt has more."""
    part: list[Ints] = []
    for group in groups:
        if part and sum(map(len, part)) + len(group) > rows:
            yield np.concatenate(part)
            part = []
        part.append(group)
    if part:
        yield np.concatenate(part)


def value(objective: Objective, logp: Floats) -> float:
    """The loss at log-probabilities of whole responses, float64[B]."""
    mask = torch.ones(len(logp), 1, dtype=torch.bool)
    return objective(torch.from_numpy(logp)[:, None], mask, np.arange(len(logp)))[0]


def best_start(objective: Objective, scores: dict[Leaf, Floats]) -> Leaf:
    """The leaf of smallest loss, from the leaves' log-probabilities float64[B]; the base if there is none."""
    return min(scores, key=lambda leaf: value(objective, scores[leaf]), default=BASE)
