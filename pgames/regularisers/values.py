"""KL, reverse KL, chi-square, Tsallis and L2 as frozen values."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from pgames.regularisers.power import bend, bregman, slope, unslope

Array = NDArray[np.float64]


@dataclass(frozen=True)
class KL:
    """KL(p || ref) = sum p log(p / ref): the regulariser of RLHF, Nash-MD, INPO and EGPO.

    Its policies play every response of the reference. D(p, q) = KL(p || q), whatever the base.
    """

    @property
    def name(self) -> str:
        return "KL"

    def gradient(self, p: Array, base: Array) -> Array:
        return slope(p / base, 1)

    def inverse(self, dual: Array, base: Array) -> Array:
        return base * unslope(dual, 1)

    def curvature(self, p: Array, base: Array) -> Array:
        with np.errstate(divide="ignore", over="ignore"):
            return 1 / p

    def divergence(self, p: Array, q: Array, base: Array) -> Array:
        return bregman(p, q, 1).sum(axis=-1)


@dataclass(frozen=True)
class ReverseKL:
    """KL(ref || p) = sum ref log(ref / p), plus `kl` times KL(p || ref).

    arXiv:2503.00030 calls KL(ref || p) the forward KL, and proposes the combination of both. Its policies
    play every response: one that loses by g keeps a mass of about tau ref / g, against ref exp(-g / tau)
    with KL.

    kl : weight of KL(p || ref), at least 0. Raises ValueError when it is not.
    """

    kl: float = 0.0

    def __post_init__(self) -> None:
        _check_weight("ReverseKL", self.kl)

    @property
    def name(self) -> str:
        return _named("reverse KL", self.kl)

    def gradient(self, p: Array, base: Array) -> Array:
        with np.errstate(divide="ignore", over="ignore"):
            return _plus(-base / p, self.kl, p / base)

    def inverse(self, dual: Array, base: Array) -> Array:
        with np.errstate(divide="ignore", over="ignore"):
            if self.kl == 0:
                return np.where(dual < 0, base / -dual, np.inf)
            from scipy.special import wrightomega  # u = base / p: -u - kl log u = dual

            return base / (self.kl * wrightomega(-dual / self.kl - math.log(self.kl)))

    def curvature(self, p: Array, base: Array) -> Array:
        with np.errstate(divide="ignore", over="ignore"):
            return base / p / p + self.kl / p

    def divergence(self, p: Array, q: Array, base: Array) -> Array:
        return _divergence(p, q, base, 0, self.kl)


@dataclass(frozen=True)
class ChiSquare:
    """chi^2(p || ref) = sum (p - ref)^2 / (2 ref), plus `kl` times KL(p || ref).

    With kl = 1 it is the mixed chi-square of chi-PO (arXiv:2407.13399), whose link is t + log t; DPO on an
    arena with ChiSquare(kl=1) is chi-PO without its clipping. With kl = 0 its policies leave out responses
    that lose by enough.

    kl : weight of KL(p || ref), at least 0. Raises ValueError when it is not.
    """

    kl: float = 0.0

    def __post_init__(self) -> None:
        _check_weight("ChiSquare", self.kl)

    @property
    def name(self) -> str:
        return _named("chi-square", self.kl)

    def gradient(self, p: Array, base: Array) -> Array:
        return _plus(p / base, self.kl, p / base)

    def inverse(self, dual: Array, base: Array) -> Array:
        if self.kl == 0:
            return base * np.maximum(dual, 0.0)
        from scipy.special import wrightomega  # t = p / base: t + kl log t = dual

        return base * self.kl * wrightomega(dual / self.kl - math.log(self.kl))

    def curvature(self, p: Array, base: Array) -> Array:
        with np.errstate(divide="ignore", over="ignore"):
            return 1 / base + self.kl / p if self.kl else 1 / base + 0 * p

    def divergence(self, p: Array, q: Array, base: Array) -> Array:
        return _divergence(p, q, base, 2, self.kl)


@dataclass(frozen=True)
class Tsallis:
    """The divergence of the Tsallis entropy of order q: psi(p) = sum (p^q - q p) / (q (q - 1)).

    q -> 1 is KL, q = 2 is L2, q = 1/2 the regulariser of Tsallis-INF (arXiv:1807.07623). Above q = 1 its
    policies leave out responses that lose by enough (sparsemax is q = 2).

    q : in (0, 2], not 1. Above 2 a mixture of policies in dual coordinates can leave the simplex, so the
    solvers' sentences would not be mirror descent. Raises ValueError outside this range.
    """

    q: float

    def __post_init__(self) -> None:
        if not (isinstance(self.q, (int, float)) and 0 < self.q <= 2):
            raise ValueError(
                f"Tsallis: q must be in (0, 2], got {self.q}: a step of another order has no exact answer "
                "as a mirror step from a mixture."
            )
        if abs(self.q - 1) < 1e-6:
            raise ValueError(f"Tsallis: q = {self.q} is the KL up to rounding: pass KL().")

    @property
    def name(self) -> str:
        return f"Tsallis {self.q:g}"

    def gradient(self, p: Array, base: Array) -> Array:
        return slope(p, self.q)

    def inverse(self, dual: Array, base: Array) -> Array:
        return unslope(dual, self.q)

    def curvature(self, p: Array, base: Array) -> Array:
        return bend(p, self.q)

    def divergence(self, p: Array, q: Array, base: Array) -> Array:
        return bregman(p, q, self.q).sum(axis=-1)


@dataclass(frozen=True)
class L2:
    """||p - ref||^2 / 2: its mirror step is a projected gradient step.

    SPPO is then projected gradient ascent, EGPO the extragradient method of Korpelevich, ONPO optimistic
    gradient ascent.
    """

    @property
    def name(self) -> str:
        return "L2"

    def gradient(self, p: Array, base: Array) -> Array:
        return p

    def inverse(self, dual: Array, base: Array) -> Array:
        return np.maximum(dual, 0.0)

    def curvature(self, p: Array, base: Array) -> Array:
        return np.ones_like(p)

    def divergence(self, p: Array, q: Array, base: Array) -> Array:
        return 0.5 * ((p - q) ** 2).sum(axis=-1)


def _named(name: str, kl: float) -> str:
    return name if kl == 0 else f"{name} + KL" if kl == 1 else f"{name} + {kl:g} KL"


def _plus(dual: Array, weight: float, t: Array) -> Array:
    return dual + weight * slope(t, 1) if weight else dual


def _divergence(p: Array, q: Array, base: Array, order: float, kl: float) -> Array:
    terms = base * bregman(p / base, q / base, order)
    return (terms + kl * bregman(p, q, 1) if kl else terms).sum(axis=-1)


def _check_weight(name: str, kl: float) -> None:
    if not (isinstance(kl, (int, float)) and 0 <= kl < math.inf):
        raise ValueError(f"{name}: kl must be finite and at least 0, got {kl}.")


def check_kl(regulariser: object, plays: str, why: str) -> None:
    """Raises ValueError for a regulariser other than KL; `plays` is who needs KL, and `why` the reason."""
    if regulariser != KL():
        name = getattr(regulariser, "name", None)
        said = name if isinstance(name, str) else f"{regulariser!r:.60}"
        raise ValueError(f"the regulariser of {plays} is KL, got {said}: {why}.")
