"""Gauss-Newton on the log-probabilities of responses: steps that need no learning rate.

A mirror step is a least-squares problem in the log-probabilities s of a few dozen responses. With J their
gradients, one step solves for the change d of the weights that minimises the model of the loss

    slope' J d + d' J' H J d / 2 + ridge |d|^2 / 2,

so d = -J' a with (H J J' + ridge) a = slope: a system in the responses (Levenberg 1944, Marquardt 1963).
The ridge is a share of the mean diagonal of H J J'. It rises tenfold until the loss falls by a quarter of
what the model promises, and to where the model leaves what the noise of sampled win rates explains.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llm_backend.fits.certificate import Realised
from llm_backend.fits.objectives import Convex, at_totals
from llm_backend.spaces.draws import Ints

Floats = NDArray[np.float64]

RIDGE = 1e-3  # least ridge, as a share of the mean diagonal
RISE = 10.0
TRIES = 8
SUFFICIENT = 0.25  # share of the promised fall that a step must reach


class Model(NamedTuple):
    """The loss near log-probabilities of B responses.

    loss, slope, curvature : the loss, float64[B] and float64[B, B].
    gram : J J', float64[B, B].
    """

    loss: float
    slope: Floats
    curvature: Floats
    gram: Floats

    def weights(self, ridge: float) -> Floats:
        """The a float64[B] of the step -J' a."""
        stiff = self.curvature @ self.gram
        scale = max(float(np.trace(stiff)) / len(stiff), 1e-300)
        system = stiff + ridge * scale * np.eye(len(stiff))
        return np.asarray(np.linalg.solve(system, self.slope), dtype=np.float64)

    def after(self, weights: Floats) -> float:
        """The loss that the model promises after the step -J' a, for `weights` a float64[B]."""
        moved = -self.gram @ weights
        return self.loss + float(self.slope @ moved + 0.5 * moved @ self.curvature @ moved)


def quietest(model: Model, floor: float) -> float:
    """The largest ridge at which the model leaves at most `floor`, and at least `RIDGE`."""
    ridge = RIDGE
    while ridge < 1e6 and model.after(model.weights(ridge * 2)) <= floor:
        ridge *= 2
    return ridge


def cross_fitted(objective: Convex, total: Floats, rows: Ints, gram: Floats, ridge: float) -> Realised | None:
    """The realised step of one fit by the linear model, each part of the responses held back once.

    total : float64[B], log-probabilities of the responses `rows` before the fit.
    Returns None when nothing can be held back.
    """
    asked = got = left = 0.0
    for kept, held in objective.folds():
        loss, slope = at_totals(kept, total, rows)
        model = Model(loss, slope, kept.curvature(total, rows), gram)
        moved = -gram @ model.weights(ridge)
        before, pull = at_totals(held, total, rows)
        asked, got = asked + before, got - 0.5 * float(pull @ moved)
        left += at_totals(held, total + moved, rows)[0]
    return Realised(got / asked, 1 - left / asked) if asked > 0 else None


class Step(NamedTuple):
    """A step that was taken: its loss before and after, its ridge, and whether the loss fell as promised."""

    before: float
    after: float
    ridge: float
    fell: bool


def step(
    model: Model,
    floor: float,
    move: Callable[[Floats], None],
    loss: Callable[[], float],
) -> Step:
    """Take the step whose loss falls by a quarter of its promise at least; none if there is no such step.

    floor : the loss at which the step may stop.
    move : sets the weights to their values before this step, less J' a for the a float64[B] that is passed.
    loss : the loss at the current weights.
    """
    ridge = quietest(model, floor)
    for _ in range(TRIES):
        weights = model.weights(ridge)
        promised = model.loss - model.after(weights)
        move(weights)
        after = loss()
        if np.isfinite(after) and after <= model.loss - SUFFICIENT * max(promised, 0.0):
            return Step(model.loss, after, ridge, promised > 0)
        ridge *= RISE
    move(np.zeros(len(model.slope)))
    return Step(model.loss, model.loss, ridge, False)
