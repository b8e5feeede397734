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
    noise : the share of the target that is noise of sampled win rates, at most 1.
    realised : the step on responses that were held back, by cross-fitting; None where none can be held back.
    """

    share: float | None
    noise: float
    realised: Realised | None

    @property
    def warning(self) -> str | None:
        """A line if training reached under half of what noise allows, or None."""
        if self.share is None or self.share >= 0.5 * (1 - min(self.noise, 1.0)):
            return None
        if self.share < 0:
            return f"training moved away from its target (share {self.share:.2f}): lower the solver's step."
        return f"training reached only {self.share:.2f} of its target: raise Fit.epochs or lower the step."
