"""Certificates: how far a fit got, on the responses that it trained and on those it did not."""

from __future__ import annotations

from typing import NamedTuple


class Realised(NamedTuple):
    """How much of the step that was asked for happens on drawn responses that were not trained.

    slope : the regression coefficient of the change of log-probabilities on the change that was asked for.
    r2 : the share of the squared change that was asked for which the policy explains; below 0 if the policy
        is farther from its target than before.
    """

    slope: float
    r2: float


class Certificate(NamedTuple):
    """How far a fit got.

    share : the share of the target that was reached on the trained responses: 1 - loss / loss of the prior,
        both less the least loss. None for a fit without a prior.
    trained : the same, counted from the leaf that training started from: below 0 if its loss rose.
    noise : the share of the target that is noise of sampled win rates.
    realised : the step on responses that were held back, by cross-fitting; None where none can be held back.
    """

    share: float | None
    trained: float
    noise: float
    realised: Realised | None

    @property
    def warning(self) -> str | None:
        """A line if training got under half as far as noise allows, or None."""
        if self.trained < 0:
            return f"the loss rose in training ({self.trained:.2g} of its target): lower Fit.lr or the step."
        if self.share is None or max(self.trained, self.share) >= 0.5 * (1 - min(self.noise, 1.0)):
            return None
        return (
            f"training reached {self.trained:.2f} of its target: take more epochs (with AdamW, another lr) "
            "or lower the solver's step."
        )
