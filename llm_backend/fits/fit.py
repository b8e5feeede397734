"""Fitting a policy: by Gauss-Newton steps, or by AdamW."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from llm_backend.fits.certificate import Certificate
from llm_backend.fits.descent import descend
from llm_backend.fits.newton import NewtonFit
from llm_backend.fits.objectives import Convex, Objective, Regress, at_totals
from llm_backend.fits.policy_gradient import PolicyGradient
from llm_backend.fits.settings import LITTLE, ROUNDING, SAMPLED, Fit
from llm_backend.fits.task import Task
from llm_backend.models.language_model import LanguageModel
from llm_backend.policies.handles import BASE, Adapter, Leaf
from llm_backend.processes.workers import workers
from llm_backend.spaces.draws import Floats, Ints

CERTIFIED = 64  # responses that certify a fit by AdamW, at most, unless one prompt has more
PASS = 4  # prompts of which one certifies a fit by AdamW, so that this costs a quarter of a pass


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
    scored: Floats | None = None,
) -> Fitted:
    """Train a copy of `start`, a leaf of the language model, on the objective.

    `scored` float64[B] are the log-probabilities of the responses under `start`; they are computed if absent.
    The other arguments are the fields of `Task`.
    Raises FloatingPointError when the loss of a step is not finite.
    """
    began = time.perf_counter()
    task = Task(lm, objective, prompts, how, temperature, key, shortest, per_token, tolerance)
    if isinstance(objective, PolicyGradient):
        scored = np.array([row.sum() for row in objective.old])
    with lm.train(start) as trainee:
        if scored is not None and (there := _there(_convex(objective), scored)) is not None:
            policy, losses, loss, tokens = lm.freeze(trainee), [there], there, 0
            certificate = Certificate(None, 0.0, 0.0, None)
        elif how.descends or isinstance(objective, PolicyGradient):
            some = _certifying(list(task.groups().values()))
            first = task.totals(some) if scored is None else scored[np.concatenate(some)]
            policy, losses, tokens = descend(task, trainee, start)
            with lm.active(policy):
                last = task.totals(some)
            certificate = _certificate(_convex(objective), np.concatenate(some), first, last)
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
    if not np.isfinite(asked) or asked - least <= LITTLE:
        trained = 1 - loss / first if first > ROUNDING else 0.0
        return Certificate(None, trained, 0.0, None)
    size = asked - least
    trained = 1 - (loss - least) / (first - least) if first > least else 0.0
    return Certificate(1 - (loss - least) / size, trained, objective.noise(rows) / prompts / size, None)


def _there(objective: Objective, scored: Floats) -> float | None:
    """The mean loss per prompt at log-probabilities float64[B], if nothing else is asked for; else None.

    Steps would follow rounding alone: AdamW's are of one size however small the gradient is.
    """
    rows = np.arange(len(scored))
    prompts = len(np.unique(objective.draws.prompt))
    loss = value(objective, scored) / prompts
    asked, least = (total / prompts for total in objective.asked(rows))  # type: ignore[attr-defined]
    nothing = np.isfinite(asked) and asked - least <= LITTLE and loss - least <= ROUNDING
    return loss if nothing else None


def _certifying(groups: list[Ints]) -> list[Ints]:
    """The rows, by prompt, that certify a fit by AdamW: of evenly spaced prompts, two at least."""
    apart = max(sum(map(len, groups)) // CERTIFIED, min(PASS, len(groups) // 2), 1)
    return groups[::apart]


def _convex(objective: Objective) -> Objective:
    """The regression to the target of a policy gradient; any other objective as it is."""
    if not isinstance(objective, PolicyGradient):
        return objective
    target = objective.step * objective.win
    return Regress(objective.draws, objective.prior, target, objective.weight)


def _certificate(objective: Objective, rows: Ints, first: Floats, last: Floats) -> Certificate:
    """The certificate of a fit of the rows int64[B] from log-probabilities `first` to `last`, float64[B]."""
    prompts = len(np.unique(objective.draws.prompt[rows]))
    before, after = (at_totals(objective, logp, rows)[0] / prompts for logp in (first, last))
    return _certified(objective, rows, after, before)  # type: ignore[arg-type]


def value(objective: Objective, logp: Floats) -> float:
    """The loss at log-probabilities of whole responses, float64[B]."""
    return at_totals(objective, logp, np.arange(len(logp)))[0]


def best_start(objective: Objective, scores: dict[Leaf, Floats]) -> Leaf:
    """The leaf of smallest loss, from the leaves' log-probabilities float64[B]; the base if there is none."""
    if len(scores) == 1:
        return next(iter(scores))
    return min(scores, key=lambda leaf: value(objective, scores[leaf]), default=BASE)
