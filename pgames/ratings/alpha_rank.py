"""alpha-rank: the share of time that a small evolving population spends on each strategy."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.games.preference import PreferenceGame
from pgames.kernels.elementary import njit
from pgames.kernels.rows import softmax
from pgames.numerics import number, real
from pgames.ratings.scores import Ratings
from pgames.ratings.sources import pair_counts

LARGEST = 10**6  # population, whose every size is a step of the computation
STRONGEST = 1e8  # selection x payoff range beyond which only rounding changes


def alpha_rank(game: PreferenceGame | ArrayLike, alpha: float, population: int = 50) -> Ratings:
    """Stationary distribution over strategies of one evolving population (arXiv:1903.01373).

    A mutant r takes over a population of s with probability (m = population, f = fitness without self-play)

        rho = 1 / sum_{l=0}^{m-1} prod_{k=1}^{l} exp(-alpha (f_r(k) - f_s(k)))

    and the chain moves from s to r with probability rho / (Y - 1). `game` is a PreferenceGame (averaged
    over prompts) or any payoff table float64[Y, Y], A[r, s] to r against s. The computation
    uses logarithms and no subtraction, so any alpha >= 0 works. If alpha * (largest payoff difference) is
    above 1e8, infinity included, 1e8 is used, which equals the limit of strong selection to 1e-6.

    Raises ValueError when the payoffs are not a finite square table, alpha < 0, or the population is not a
    whole number from 2 to 10^6.
    """
    if isinstance(game, PreferenceGame):
        labels, payoffs = game.labels, _mean_preferences(game)
    else:
        payoffs = real("payoffs", game)
        if payoffs.ndim != 2 or payoffs.shape[0] != payoffs.shape[1] or not np.isfinite(payoffs).all():
            raise ValueError(f"payoffs must be a finite square table, got shape {payoffs.shape}.")
        labels = tuple(str(i) for i in range(len(payoffs)))
    alpha, size = _checked(alpha, population)
    largest = float(np.abs(payoffs).max())
    if largest > 1e300:  # differences of payoffs must not overflow
        payoffs, alpha = payoffs / largest, alpha * largest
    spread = float(np.ptp(payoffs))
    strength = min(alpha, STRONGEST / spread) if spread > 0 else 0.0
    return Ratings(labels, _stationary(_log_fixation(payoffs, strength, size)))


def alpha_rank_of_roles(
    success: ArrayLike, alpha: float, population: int = 50
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Shares of time float64[K] and float64[L] of two evolving populations (arXiv:1903.01373).

    The row player gets success[i, j], float64[K, L], and the column player minus that. A state is a pair of
    strategies. A mutant of one population replaces the rest of it, while the other stands, with probability

        rho = 1 / sum_{l=0}^{m-1} exp(-alpha l (its payoff - the payoff of the rest)),    m = population,

    and the shares are the marginals of the stationary distribution over the K L pairs, whose computation
    takes (K L)^3 steps.

    Raises ValueError when the payoffs are not a finite table, alpha < 0, or the population is not a whole
    number from 2 to 10^6.
    """
    A = real("success", success)
    if A.ndim != 2 or 0 in A.shape or not np.isfinite(A).all():
        raise ValueError(f"success must be a finite table of shape [K, L], got shape {list(A.shape)}.")
    alpha, size = _checked(alpha, population)
    spread = float(np.ptp(A))
    strength = min(alpha, STRONGEST / spread) if spread > 0 else 0.0
    (rows, columns), (i, j) = A.shape, (at.ravel() for at in np.indices(A.shape))
    same_column, same_row = j[:, None] == j, i[:, None] == i
    logs = np.where(same_column, _log_takeover(strength * (A.ravel()[:, None] - A.ravel()), size), -np.inf)
    theirs = _log_takeover(strength * (A.ravel() - A.ravel()[:, None]), size)
    logs = np.where(same_row & ~same_column, theirs, logs)
    share = _stationary(logs).reshape(rows, columns)
    return share.sum(axis=1), share.sum(axis=0)


def _log_takeover(gain: NDArray[np.float64], m: int) -> NDArray[np.float64]:
    """-log sum_{l=0}^{m-1} exp(-l gain), of the same shape."""
    size = np.maximum(np.abs(gain), 1e-300)
    total = np.log(np.expm1(-m * size) / np.expm1(-size))  # 0 where one mutant decides
    return -(total + (m - 1) * np.maximum(-gain, 0.0))


def _checked(alpha: float, population: int) -> tuple[float, int]:
    """Both as numbers. Raises ValueError when one is out of range."""
    strength, size = number(alpha), number(population)
    if not strength >= 0 or not (2 <= size <= LARGEST and size.is_integer()):
        raise ValueError(
            f"alpha_rank needs alpha >= 0 and a whole population of 2 to {LARGEST}, got {alpha} and "
            f"{population!r:.60}."
        )
    return strength, int(size)


def _mean_preferences(game: PreferenceGame) -> NDArray[np.float64]:
    wins = pair_counts(game).wins
    total = wins + wins.T
    return np.divide(wins, total, out=np.full_like(total, 0.5), where=total > 0)


def _log_fixation(payoffs: NDArray[np.float64], alpha: float, m: int) -> NDArray[np.float64]:
    """float64[Y, Y]: log rho of a mutant r (row) in a population of s (column)."""
    alone = np.diag(payoffs)  # a strategy against itself
    # f_r(k) - f_s(k) = constant + slope * k
    constant = (m * payoffs - alone[:, None] - (m - 1) * alone[None, :]) / (m - 1)
    slope = (alone[:, None] - payoffs - payoffs.T + alone[None, :]) / (m - 1)
    total = np.zeros_like(payoffs)
    for steps in range(1, m):
        total = np.logaddexp(total, -alpha * (constant * steps + slope * (steps * (steps + 1) / 2)))
    return -total


@njit
def _log_add(a, b):
    top = max(a, b)
    if top == -np.inf:
        return top
    return top + math.log1p(math.exp(min(a, b) - top))


@njit
def _stationary(log_rates):
    """Stationary distribution for log_rates[to, from], by subtraction-free elimination of states (GTH)."""
    n = len(log_rates)
    rates = log_rates.T.copy()  # [from, to]
    for last in range(n - 1, 0, -1):
        leaving = -np.inf
        for j in range(last):
            leaving = _log_add(leaving, rates[last, j])
        for i in range(last):
            rates[i, last] -= leaving  # now the expected stays in `last` per unit of stay in i
            for j in range(last):
                if i != j:
                    rates[i, j] = _log_add(rates[i, j], rates[i, last] + rates[last, j])
    logs = np.full(n, -np.inf)
    logs[0] = 0.0
    for state in range(1, n):
        for i in range(state):
            logs[state] = _log_add(logs[state], logs[i] + rates[i, state])
    return softmax(logs)
