"""Matchmakers: whom each member plays. Win rates float64[S, K, K] -> shares float64[S, K, K].

Row i holds the shares of the opponents of member i. A row is a mixture: a table plays it exactly, and text
draws an opponent anew for every response. A member without an opponent of positive weight, such as one that
always wins under `Hard`, meets all others equally; a member alone meets itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pgames.numerics import number
from pgames.population.rates import check_rates
from pgames.ratings.settled import settled

Array = NDArray[np.float64]

PRIOR = 0.05  # games drawn with an average opponent, which keep the ratings of `Near` finite


class Matchmaker(Protocol):
    """A frozen callable that says whom each member plays."""

    def __call__(self, rates: Array, /) -> Array:
        """Shares float64[S, K, K], each row of sum 1, for win rates float64[S, K, K]."""
        ...


@dataclass(frozen=True)
class Everybody:
    """All others equally; `self_play` of the games against oneself.

    Raises ValueError when self_play is outside [0, 1].
    """

    self_play: float = 0.0

    def __post_init__(self) -> None:
        _check_share(self, self.self_play)

    def __call__(self, rates: Array) -> Array:
        """Shares float64[S, K, K] for win rates float64[S, K, K]."""
        return _shares(np.ones_like(check_rates(rates)), self.self_play)


@dataclass(frozen=True)
class Hard:
    """Those who beat the member: weight (1 - P) ** p (prioritised fictitious self-play, AlphaStar 2019).

    Raises ValueError when p is not above 0 or self_play outside [0, 1].
    """

    p: float = 1.0
    self_play: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < number(self.p) < np.inf:
            raise ValueError(f"Hard: p must be finite and above 0, got {self.p!r:.60}.")
        _check_share(self, self.self_play)

    def __call__(self, rates: Array) -> Array:
        """Shares float64[S, K, K] for win rates float64[S, K, K]."""
        return _shares((1 - check_rates(rates)) ** self.p, self.self_play)


@dataclass(frozen=True)
class Even:
    """Those of about one's own strength: weight P (1 - P).

    Raises ValueError when self_play is outside [0, 1].
    """

    self_play: float = 0.0

    def __post_init__(self) -> None:
        _check_share(self, self.self_play)

    def __call__(self, rates: Array) -> Array:
        """Shares float64[S, K, K] for win rates float64[S, K, K]."""
        P = check_rates(rates)
        return _shares(P * (1 - P), self.self_play)


@dataclass(frozen=True)
class Capped:
    """Weight min(1/2, 1 - P): equal for all who win at least half of the games.

    Raises ValueError when self_play is outside [0, 1].
    """

    self_play: float = 0.0

    def __post_init__(self) -> None:
        _check_share(self, self.self_play)

    def __call__(self, rates: Array) -> Array:
        """Shares float64[S, K, K] for win rates float64[S, K, K]."""
        return _shares(np.minimum(0.5, 1 - check_rates(rates)), self.self_play)


@dataclass(frozen=True)
class Near:
    """Those near in rating: weight exp(-(R_i - R_j)^2 / (2 width^2)), R the settled Elo of an even schedule.

    Raises ValueError when width is not above 0 or self_play outside [0, 1].
    """

    width: float = 200.0
    self_play: float = 0.0

    def __post_init__(self) -> None:
        if not 0 < number(self.width) < np.inf:
            raise ValueError(f"Near: width must be finite and above 0, got {self.width!r:.60}.")
        _check_share(self, self.self_play)

    def __call__(self, rates: Array) -> Array:
        """Shares float64[S, K, K] for win rates float64[S, K, K]."""
        R = np.stack([settled(P, prior=PRIOR).scores for P in check_rates(rates)])
        apart = (R[:, :, None] - R[:, None, :]) / self.width
        return _shares(np.exp(-(apart**2) / 2), self.self_play)


def _shares(weights: Array, self_play: float) -> Array:
    """The rows of weights over others, normalised, with a share of games against oneself."""
    K = weights.shape[1]
    own = np.eye(K, dtype=bool)
    if K == 1:
        return np.ones_like(weights)
    weights = np.where(own, 0.0, weights)
    total = weights.sum(axis=2, keepdims=True)
    others = np.where(own, 0.0, 1 / (K - 1))
    rows = np.divide(weights, total, out=np.broadcast_to(others, weights.shape).copy(), where=total > 0)
    return (1 - self_play) * rows + self_play * own


def _check_share(matchmaker: object, share: float) -> None:
    if not 0 <= number(share) <= 1:
        raise ValueError(f"{type(matchmaker).__name__}: self_play must be in [0, 1], got {share!r:.60}.")
