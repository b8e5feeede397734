"""Meta-solvers: which mixture of the members answers. Win rates float64[S, K, K] -> weights float64[S, K]."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from pgames.exact.equilibrium import SELECTIONS, nash
from pgames.exact.one_game import Select
from pgames.exact.zero_sum import nash_zero_sum
from pgames.exact.zero_sum_selection import most_even
from pgames.games.preference import PreferenceGame
from pgames.numerics import check_numbers, number, softmax
from pgames.population.rates import check_rates, check_success
from pgames.ratings.alpha_rank import alpha_rank, alpha_rank_of_roles

Array = NDArray[np.float64]


class Meta(Protocol):
    """A frozen callable that weighs the members of a population."""

    def __call__(self, rates: Array, /) -> Array:
        """Weights float64[S, K], at least 0, each row of sum 1, for win rates float64[S, K, K]."""
        ...


@dataclass(frozen=True)
class Uniform:
    """Every member equally: fictitious self-play (Heinrich, Lanctot and Silver 2015)."""

    def __call__(self, rates: Array) -> Array:
        """1 / K: float64[S, K] for win rates float64[S, K, K]."""
        S, K, _ = check_rates(rates).shape
        return np.full((S, K), 1 / K)

    def by_role(self, success: Array) -> Array:
        """1 / K for every attacker and defender: float64[S, 2, K] for their success float64[S, K, K]."""
        S, K, _ = check_success(success).shape
        return np.full((S, 2, K), 1 / K)


@dataclass(frozen=True)
class Latest:
    """The last member alone: self-play."""

    def __call__(self, rates: Array) -> Array:
        """1 for the last member: float64[S, K] for win rates float64[S, K, K]."""
        weights = np.zeros(check_rates(rates).shape[:2])
        weights[:, -1] = 1.0
        return weights

    def by_role(self, success: Array) -> Array:
        """1 for the last attacker and the last defender: float64[S, 2, K] for success float64[S, K, K]."""
        S, K, _ = check_success(success).shape
        weights = np.zeros((S, 2, K))
        weights[:, :, -1] = 1.0
        return weights


@dataclass(frozen=True)
class Nash:
    """The Nash of the members among themselves; at tau > 0 regularised to their uniform mixture.

    `select` chooses among several, as in `pgames.nash`. It is unexploitable by members only: among all
    responses it can be more exploitable than the best single member. `against_all` cannot.

    Raises ValueError when tau is negative or not finite, or `select` is not a selection.
    """

    tau: float = 0.0
    select: Select = "centre"

    def __post_init__(self) -> None:
        if not 0 <= number(self.tau) < np.inf or self.select not in SELECTIONS:
            raise ValueError(
                f"Nash: tau must be finite and at least 0 and select one of {', '.join(SELECTIONS)}, got "
                f"tau={self.tau!r:.60}, select={self.select!r:.60}."
            )

    def __call__(self, rates: Array) -> Array:
        """The equilibrium of each run, float64[S, K], for win rates float64[S, K, K]."""
        game = PreferenceGame(check_rates(rates), symmetrise=True)  # a run is a prompt of this game
        return nash(game, self.tau, self.select).policy

    def by_role(self, success: Array) -> Array:
        """The equilibrium of attackers and defenders, float64[S, 2, K], for their success float64[S, K, K].

        Each role is weighed against the members of the other. The equilibria are all pairs of an optimal
        mixture of attackers and one of defenders: "centre" takes the centre of both sets, the other
        selections the most even mixture of both, which is the closest to the uniform one.
        """
        found = [nash_zero_sum(A, float(self.tau)) for A in check_success(success)]
        if self.select != "centre" and self.tau == 0:
            found = [most_even(A, one) for A, one in zip(success, found, strict=True)]
        return np.stack([[one.row, one.column] for one in found])


@dataclass(frozen=True)
class AlphaRank:
    """The stationary distribution of alpha-rank (`pgames.ratings.alpha_rank`, arXiv:1903.01373).

    Raises ValueError when alpha is negative or the population no whole number of at least 2.
    """

    alpha: float
    population: int = 50

    def __post_init__(self) -> None:
        check_numbers(self)
        if not self.alpha >= 0 or self.population < 2:
            raise ValueError(
                f"AlphaRank: alpha must be at least 0 and population at least 2, got {self.alpha} and "
                f"{self.population}."
            )

    def __call__(self, rates: Array) -> Array:
        """The shares of time of each run, float64[S, K], for win rates float64[S, K, K]."""
        return np.stack([alpha_rank(P, self.alpha, self.population).scores for P in check_rates(rates)])

    def by_role(self, success: Array) -> Array:
        """The shares of time of attackers and of defenders, float64[S, 2, K], for success float64[S, K, K].

        Attackers and defenders are two populations (`pgames.ratings.alpha_rank.alpha_rank_of_roles`).
        """
        return np.stack([alpha_rank_of_roles(A, self.alpha, self.population) for A in check_success(success)])


@dataclass(frozen=True)
class Replicator:
    """The time average of replicator dynamics from the uniform mixture, in `steps` steps of size `dt`.

    w' is proportional to w exp(dt P w). The last point spirals outwards on a cycle; the average approaches
    the Nash at rate 1 / (steps dt).

    Raises ValueError when steps is not a whole number of at least 1 or dt is not above 0.
    """

    steps: int = 1000
    dt: float = 0.1

    def __post_init__(self) -> None:
        check_numbers(self)
        if self.steps < 1 or not 0 < self.dt < np.inf:
            raise ValueError(
                "Replicator: steps must be at least 1 and dt finite and above 0, got "
                f"{self.steps} and {self.dt}."
            )

    def __call__(self, rates: Array) -> Array:
        """The average of each run, float64[S, K], for win rates float64[S, K, K]."""
        rates = check_rates(rates)
        out = np.empty(rates.shape[:2])
        for s, P in enumerate(rates):  # run by run: no bit depends on how many there are
            logits, total = np.zeros(len(P)), np.zeros(len(P))
            for _ in range(self.steps):
                weights = softmax(logits)
                total += weights
                logits += self.dt * (P @ weights)
            out[s] = total / total.sum()
        return out

    def by_role(self, success: Array) -> Array:
        """The averages of attackers and of defenders, float64[S, 2, K], for success float64[S, K, K].

        Both move at once: w' of the attackers is proportional to w exp(dt A v), v' of the defenders to
        v exp(-dt A' w), for the success A.
        """
        success = check_success(success)
        out = np.empty((len(success), 2, success.shape[1]))
        for s, A in enumerate(success):
            logits, total = np.zeros((2, len(A))), np.zeros((2, len(A)))
            for _ in range(self.steps):
                weights = softmax(logits)
                total += weights
                logits += self.dt * np.stack([A @ weights[1], -A.T @ weights[0]])
            out[s] = total / total.sum(axis=1, keepdims=True)
        return out
