"""What a regulariser must offer for an exact mirror step, and the check of one."""

from __future__ import annotations

from typing import Protocol, cast

import numpy as np
from numpy.typing import NDArray

from pgames.numerics import reading, sealed

Array = NDArray[np.float64]

ARGUMENTS = {
    "gradient": "(p, base)",
    "inverse": "(dual, base)",
    "curvature": "(p, base)",
    "divergence": "(p, q, base)",
}
MEMBERS = tuple(ARGUMENTS)
TRIED = np.array([1e-6, 0.02, 0.3, 0.67])  # probabilities at which a regulariser is checked
OTHER = np.array([2e-6, 0.03, 0.25, 0.7])
BASES = np.array([0.1, 0.2, 0.4, 0.3])
for _one in (TRIED, OTHER, BASES):
    _one.setflags(write=False)
STEP = 1e-5  # relative, of differences


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

    Raises TypeError when it lacks a member of `Regulariser` or a member takes or returns something else, and
    ValueError when the members contradict each other or write into the arrays that they are given.
    """
    if isinstance(value, type):
        raise TypeError(f"regulariser must be a value, got the class {value.__name__}: pass an instance.")
    missing = [name for name in MEMBERS if not callable(getattr(value, name, None))]
    if missing:
        raise TypeError(
            f"regulariser {value!r} lacks {', '.join(missing)}, so it has no exact mirror step and no exact "
            "Nash: pass one of pgames.regularisers (KL, ReverseKL, ChiSquare, Tsallis, L2)."
        )
    if not isinstance(getattr(value, "name", None), str):
        raise TypeError(f"regulariser {value!r:.60} needs a name, a text for figures and messages.")
    regulariser = cast(Regulariser, value)
    if type(value).__module__ != "pgames.regularisers.values":
        _try(regulariser)
    return regulariser


def _try(own: Regulariser) -> None:
    """Check a regulariser of the user at a few points. Raises as `check_regulariser` does."""
    who = f"regulariser {own!r:.60}"
    with np.errstate(all="ignore"), reading(who, "the arrays that it is given"):
        dual = _numbers(own, "gradient", TRIED, BASES)
        back = _numbers(own, "inverse", sealed(dual), BASES)
        if not np.allclose(back, TRIED, rtol=1e-6, atol=0):
            raise ValueError(
                f"{who}: inverse(gradient(p)) must be p, got {back.tolist()} for {TRIED.tolist()}; without "
                "the inverse of its gradient there is no exact mirror step."
            )
        near = [_numbers(own, "gradient", sealed(TRIED * (1 + e)), BASES) for e in (STEP, -STEP)]
        slope, bend = (near[0] - near[1]) / (2 * STEP * TRIED), _numbers(own, "curvature", TRIED, BASES)
        if not np.allclose(bend, slope, rtol=1e-3, atol=0) or not (bend > 0).all():
            raise ValueError(
                f"{who}: curvature must be the derivative of gradient, above 0, got {bend.tolist()} for "
                f"{slope.round(6).tolist()}."
            )
        # D(p, q) is the integral of <grad psi(q + t (p - q)) - grad psi(q), p - q> over t in [0, 1]
        points, weights = np.polynomial.legendre.leggauss(16)
        start, change = _numbers(own, "gradient", OTHER, BASES), TRIED - OTHER
        steps = [sealed(OTHER + (1 + t) / 2 * change) for t in points]
        rises = np.array([(_numbers(own, "gradient", p, BASES) - start) @ change for p in steps])
        expected, found = float(weights @ rises) / 2, _numbers(own, "divergence", TRIED, OTHER, BASES)
        if not np.isclose(float(found), expected, rtol=1e-3, atol=0):
            raise ValueError(
                f"{who}: divergence must be that of its gradient, got {float(found):.6g} for {expected:.6g}."
            )


def _numbers(own: Regulariser, member: str, *arrays: Array) -> Array:
    """What a member returns, float64[4], or float64[] of the divergence. Raises TypeError otherwise."""
    try:
        found = np.asarray(getattr(own, member)(*arrays), dtype=np.float64)
    except TypeError as error:
        raise TypeError(f"regulariser {own!r:.60}: {member}{ARGUMENTS[member]} fails: {error}.") from error
    shape = () if member == "divergence" else TRIED.shape
    if found.shape != shape or np.isnan(found).any():
        what = f"shape {list(found.shape)}" if found.shape != shape else "NaN"
        raise TypeError(
            f"regulariser {own!r:.60}: {member}{ARGUMENTS[member]} must return numbers of shape "
            f"{list(shape)} for arrays of shape {list(TRIED.shape)}, got {what}."
        )
    return found
