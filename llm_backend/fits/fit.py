"""Fitting a policy: by Gauss-Newton steps, or by AdamW."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
import torch

from llm_backend.fits.certificate import Certificate
from llm_backend.fits.descent import descend
from llm_backend.fits.newton import NewtonFit
from llm_backend.fits.objectives import Convex, Objective, Regress, at_totals
from llm_backend.fits.policy_gradient import PolicyGradient
from llm_backend.fits.settings import SAMPLED, Fit
from llm_backend.fits.task import Task
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import BASE, Adapter, Leaf
from llm_backend.processes.workers import workers
from llm_backend.spaces.draws import Floats, Ints

CERTIFIED = 64  # responses that AdamW trained, of which about so many certify it


class Fitted(NamedTuple):
    """A trained policy.

    losses : the mean loss per prompt: of every step of AdamW, or before Gauss-Newton and after each pass.
    loss : the mean loss per prompt of the whole round, in the last epoch.
    tokens : tokens of prompts and responses in backward passes.
    seconds : wall-clock time.
    certificate : how far the fit got.
    """

    policy: Adapter
    losses: list[float]
    loss: float
    tokens: int
    seconds: float
    certificate: Certificate


def fit(
    lm: LanguageModel,
    start: Leaf,
    objective: Objective,
    prompts: Sequence[list[int]],
    how: Fit,
    temperature: float = 1.0,
    key: Sequence[int] = (0,),
    shortest: int = 0,
    per_token: bool = False,
    tolerance: float = SAMPLED,
) -> Fitted:
    """Train a copy of `start`, a leaf of the language model, on the objective.

    The other arguments are the fields of `Task`.
    Raises FloatingPointError when the loss of a step is not finite.
    """
    began = time.perf_counter()
    task = Task(lm, objective, prompts, how, temperature, key, shortest, per_token, tolerance)
    with lm.train(start) as trainee:
        if how.descends or isinstance(objective, PolicyGradient):
            policy, losses, tokens = descend(task, trainee, start)
            certificate = _certificate(task, policy, losses[0])
            epoch = math.ceil(len(task.groups()) / how.batch)
            loss = float(np.mean(losses[-epoch:]))
        else:
            newton = NewtonFit(task, objective, trainee.parameters)  # type: ignore[arg-type]
            newton.run()
            policy, losses = lm.freeze(trainee), newton.losses
            tokens = int(workers().summed(newton.tokens)[0])
            loss, rows = losses[-1], np.concatenate(list(task.groups().values()))
            certificate = _certified(newton.objective, rows, loss, losses[0])
            certificate = certificate._replace(realised=newton.realised)
    return Fitted(policy, losses, loss, tokens, time.perf_counter() - began, certificate)


def _certified(objective: Convex, rows: Ints, loss: float, first: float) -> Certificate:
    """The certificate of a fit of the rows int64[B], from the mean loss per prompt `first` to `loss`."""
    prompts = len(np.unique(objective.draws.prompt[rows]))
    asked, least = (total / prompts for total in objective.asked(rows))
    if not np.isfinite(asked) or asked <= least:
        trained = 1 - loss / first if first > 0 else 0.0
        return Certificate(None, trained, 0.0, None)
    size = asked - least
    trained = 1 - (loss - least) / (first - least) if first > least else 0.0
    return Certificate(1 - (loss - least) / size, trained, objective.noise(rows) / prompts / size, None)


def _certificate(task: Task, policy: Adapter, first: float) -> Certificate:
    """How far AdamW got from the mean loss `first`, by a pass over some of the rows it trained.

    The rows are evenly spaced over the prompts.
    """
    objective, groups = task.objective, list(task.groups().values())
    if isinstance(objective, PolicyGradient):
        old = np.array([row.sum() for row in objective.old])
        target = objective.step * objective.win
        objective = Regress(objective.draws, objective.prior, target, objective.weight)
        first = value(objective, old) / len(groups)
    some = groups[:: max(1, sum(map(len, groups)) // CERTIFIED)]
    with torch.no_grad(), task.lm.active(policy):
        total = task.totals(some)
    rows = np.concatenate(some)
    loss = at_totals(objective, total, rows)[0] / len(some)
    return _certified(objective, rows, loss, first)  # type: ignore[arg-type]


def value(objective: Objective, logp: Floats) -> float:
    """The loss at log-probabilities of whole responses, float64[B]."""
    return at_totals(objective, logp, np.arange(len(logp)))[0]


def best_start(objective: Objective, scores: dict[Leaf, Floats]) -> Leaf:
    """The leaf of smallest loss, from the leaves' log-probabilities float64[B]; the base if there is none."""
    return min(scores, key=lambda leaf: value(objective, scores[leaf]), default=BASE)
