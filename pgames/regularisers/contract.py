"""What a regulariser must offer for an exact mirror step, and the check of one."""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from pgames.numerics import reading, sealed

Array = NDArray[np.float64]

MEMBERS = ("gradient", "inverse", "curvature", "divergence")
TRIED = np.array([1e-6, 0.02, 0.3, 0.67])  # probabilities at which a regulariser is checked
BASES = np.array([0.1, 0.2, 0.4, 0.3])
TRIED.setflags(write=False)
BASES.setflags(write=False)


class Regulariser(Protocol):
    """A strictly convex function psi(p) = sum_y phi(p_y; base_y) of a policy, and its Bregman divergence

        D(p, q) = psi(p) - psi(q) - <grad psi(q), p - q>.

    `base` is the reference of the game; phi may ignore it. The penalty of a policy p in the game of weight
    tau is tau D(p, reference). All arrays are float64[..., Y] and broadcast against each other.
    """

    @property
    def name(self) -> str:
        """The name in figures and messages."""
        ...

    def gradient(self, p: Array, base: Array) -> Array:
        """phi'(p), increasing in p: the dual coordinates float64[..., Y]; -inf is allowed at p = 0."""
        ...

    def inverse(self, dual: Array, base: Array) -> Array:
        """The p >= 0 with phi'(p) = dual, float64[..., Y]; 0 where dual is below phi'(0)."""
        ...

    def curvature(self, p: Array, base: Array) -> Array:
        """phi''(p) > 0, float64[..., Y]."""
        ...

    def divergence(self, p: Array, q: Array, base: Array) -> Array:
        """D(p, q), float64[...], summed over responses; inf where q is 0, p is not and phi'(0) = -inf."""
        ...


def check_regulariser(value: object) -> Regulariser:
    """The value, if it is a regulariser with an exact mirror step.

    Raises TypeError when it lacks a member of `Regulariser`, and ValueError when `inverse` does not undo
    `gradient`, or a member writes into the arrays that it is given.
    """
    if isinstance(value, type):
        raise TypeError(f"regulariser must be a value, got the class {value.__name__}: pass an instance.")
    missing = [name for name in MEMBERS if not callable(getattr(value, name, None))]
    if missing:
        raise TypeError(
            f"regulariser {value!r} lacks {', '.join(missing)}, so it has no exact mirror step and no exact "
            "Nash: pass one of pgames.regularisers (KL, ReverseKL, ChiSquare, Tsallis, L2)."
        )
    regulariser = cast(Regulariser, value)
    with np.errstate(all="ignore"), reading(f"regulariser {value!r:.60}", "the arrays that it is given"):
        dual = np.asarray(regulariser.gradient(TRIED, BASES), dtype=np.float64)
        back = np.asarray(regulariser.inverse(sealed(dual), BASES), dtype=np.float64)
        regulariser.curvature(TRIED, BASES)
        regulariser.divergence(TRIED, TRIED, BASES)
    if back.shape != TRIED.shape or not np.allclose(back, TRIED, rtol=1e-6, atol=0):
        raise ValueError(
            f"regulariser {value!r}: inverse(gradient(p)) must be p, got {back.tolist()} for "
            f"{TRIED.tolist()}; without the inverse of its gradient there is no exact mirror step."
        )
    return regulariser
