"""Exact equilibria with certificates: of preference games, regularised or not, and of zero-sum games."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.exact import convex
from pgames.exact.certificates import (
    best_response,
    check_game,
    check_tau,
    duality_gap,
    exploitability,
    fixed_point_residual,
    prompt_exploitability,
)
from pgames.exact.interior_point import PathEnd, follow_path
from pgames.exact.optimal_face import centre, closest, optimal_face
from pgames.exact.small_interior_point import LARGEST, follow_paths
from pgames.games.preference import PreferenceGame

__all__ = [
    "Equilibrium",
    "ZeroSumEquilibrium",
    "best_response",
    "duality_gap",
    "exploitability",
    "nash",
    "nash_zero_sum",
]

Vector = NDArray[np.float64]
Select = Literal["centre", "max_entropy", "closest"]
Method = Literal["newton", "cvxpy"]

SELECTIONS = ("centre", "max_entropy", "closest")
WORSE = 1e-14  # a choice among equilibria is believed up to this exploitability (largest payoff 1)
TOLERANCE = {"newton": 1e-9, "cvxpy": 1e-6}  # a worse certificate of any prompt is an error


class Equilibrium(NamedTuple):
    """A policy that nobody can beat, and the proof of it.

    policy : float64[X, Y], probabilities, 0 outside the support of the reference.
    exploitability : max_p J_tau(p, policy) - 1/2 averaged over prompts, computed from the policy.
    residual : the worst prompt's ||policy - softmax(log ref + P policy / tau)||_1; at tau = 0 the worst
        prompt's exploitability.
    iterations : linear systems factored for the prompt that needed most; 0 with method "cvxpy".
    """

    policy: Vector
    exploitability: float
    residual: float
    iterations: int


def nash(
    game: PreferenceGame, tau: float = 0.0, select: Select = "centre", method: Method = "newton"
) -> Equilibrium:
    """The symmetric equilibrium pi of J_tau(p, q) = P(p > q) - tau KL(p || ref) + tau KL(q || ref).

    At tau > 0 it is unique, pi = softmax(log ref + P pi / tau), with a residual of at most about
    1e-15 + 1e-16 / tau, all that double precision can hold. At tau = 0 it is found by an interior-point
    method that ends in an exact solve, and `select` says which one is meant when there are several:

    "centre" : the limit of the central path, argmax sum_y log(pi_y + 1/2 - (P pi)_y): every response that
        some equilibrium plays is played, every response that some equilibrium defeats is defeated.
    "max_entropy" : the most mixed one.
    "closest" : argmin KL(pi || reference), the limit of the regularised equilibria as tau -> 0.

    method="cvxpy" solves the same problems by Clarabel, slowly and to about 1e-8, as a second opinion.

    Raises ValueError for bad arguments and RuntimeError when a prompt's exploitability exceeds 1e-9 (1e-6
    with cvxpy), never seen on a valid game.
    """
    check_game(game)
    tau = check_tau(tau)
    _one_of("select", select, SELECTIONS)
    _one_of("method", method, tuple(TOLERANCE))
    if method == "cvxpy":
        policy, iterations = _by_cvxpy(game, tau, select), 0
    elif game.responses <= LARGEST:
        policy, iterations = _small_games(game, tau, select)
    else:
        policy, iterations = _large_games(game, tau, select)
    return _certified(game, policy, tau, iterations, TOLERANCE[method])


class ZeroSumEquilibrium(NamedTuple):
    """Both strategies, the value row A column, and how far from optimal they are.

    exploitability : max_i (A column)_i - min_j (row A)_j, in units of A: 0 at an equilibrium.
    """

    row: Vector
    column: Vector
    value: float
    exploitability: float


def nash_zero_sum(A: ArrayLike) -> ZeroSumEquilibrium:
    """The equilibrium of the zero-sum game in which the row player gets A[i, j], float64[m, n] of any scale.

    Solved as the symmetric game of size m + n + 1 of Gale, Kuhn and Tucker; among several equilibria the
    centre. Raises ValueError unless A is a finite matrix.
    """
    payoff = np.array(A, dtype=np.float64)
    if payoff.ndim != 2 or 0 in payoff.shape:
        raise ValueError(f"A must have shape [m, n], got {payoff.shape}.")
    if not np.isfinite(payoff).all():
        i, j = np.argwhere(~np.isfinite(payoff))[0]
        raise ValueError(f"A must be finite, got A[{i}, {j}] = {payoff[i, j]}.")
    m, n = payoff.shape
    low, high = payoff.min(), payoff.max()
    spread = (high / 2 - low / 2) * 2 or 1.0
    embedded = np.zeros((m + n + 1, m + n + 1))
    embedded[:m, m:-1] = (payoff - low) / spread + 1
    embedded[:m, -1] = -1
    embedded[m:-1, -1] = 1
    embedded -= embedded.T
    z = _solved(embedded, np.full(m + n + 1, 1 / (m + n + 1)), 0.0, "centre")[0]
    row, column = z[:m] / z[:m].sum(), z[m:-1] / z[m:-1].sum()
    gap = float((payoff @ column).max() - (row @ payoff).min())
    rounding = np.finfo(np.float64).eps * (m + n) * max(abs(low), abs(high))  # of the sums in the gap
    if not gap <= 1e-9 * spread + rounding:
        raise RuntimeError(
            f"no equilibrium to 1e-9 of the payoff range: the best pair leaves a gap of {gap:.3g}."
        )
    return ZeroSumEquilibrium(row, column, float(row @ payoff @ column), gap)


def _small_games(game: PreferenceGame, tau: float, select: Select) -> tuple[Vector, int]:
    """All prompts in one compiled call; the degenerate ones are then looked at one by one."""
    policy, played, exact, steps = follow_paths(game.skew, _log(game.reference), tau)
    for x in np.flatnonzero(~exact):
        inside = np.flatnonzero(game.support[x])
        A, _, rounding = _scaled(game.skew[x][np.ix_(inside, inside)])
        end = PathEnd(policy[x, inside], played[x, inside], False, 0)
        policy[x, inside] = _selected(A, end, rounding, game.reference[x, inside], select)
    return policy, int(steps.max())


def _large_games(game: PreferenceGame, tau: float, select: Select) -> tuple[Vector, int]:
    policy, most = np.zeros((game.prompts, game.responses)), 0
    for x in range(game.prompts):
        inside = np.flatnonzero(game.support[x])
        whole = len(inside) == game.responses
        A = game.skew[x] if whole else game.skew[x][np.ix_(inside, inside)]
        policy[x, inside], steps = _solved(A, game.reference[x, inside], tau, select)
        most = max(most, steps)
    return policy, most


def _by_cvxpy(game: PreferenceGame, tau: float, select: Select) -> Vector:
    policy = np.zeros((game.prompts, game.responses))
    for x in range(game.prompts):
        inside = np.flatnonzero(game.support[x])
        A = game.skew[x][np.ix_(inside, inside)]
        policy[x, inside] = convex.equilibrium(A, game.reference[x, inside], tau, select)
    return policy


def _solved(A: Vector, reference: Vector, tau: float, select: Select) -> tuple[Vector, int]:
    """(x, steps) for one antisymmetric A of any scale."""
    A, scale, rounding = _scaled(A)
    end = follow_path(A, np.log(reference), tau / scale, rounding)
    return (end.x if end.exact else _selected(A, end, rounding, reference, select)), end.steps


def _scaled(A: Vector) -> tuple[Vector, float, float]:
    """(A with largest entry 1, the factor taken out, the error of its entries: that of P near 1/2)."""
    scale = float(A.max()) or 1.0
    return A / scale, scale, float(np.finfo(float).eps) * max(1.0, 0.5 / scale)


def _selected(A: Vector, end: PathEnd, rounding: float, reference: Vector, select: Select) -> Vector:
    """The equilibrium that `select` means, among those around the end of the path."""
    face = optimal_face(A, end.x, end.played, rounding)
    if face is None:
        return end.x
    if face.directions.shape[1] == 0:
        inner = face.point
    elif select == "centre":
        inner = centre(face)
    else:
        inner = closest(face, reference[end.played] if select == "closest" else np.ones(len(face.point)))
    x = np.zeros(len(A))
    x[end.played] = np.maximum(inner, 0)
    x /= x.sum()
    # a game within rounding of a degenerate one may have no face; then the end of the path is as good as any
    return x if (A @ x).max() <= max(WORSE, (A @ end.x).max()) else end.x


def _log(probabilities: Vector) -> Vector:
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


def _certified(
    game: PreferenceGame, policy: Vector, tau: float, iterations: int, tolerance: float
) -> Equilibrium:
    gaps = prompt_exploitability(game, policy, tau)
    worst = int(np.argmax(gaps))
    if not gaps[worst] <= tolerance:
        raise RuntimeError(
            f"prompt {worst} was solved to exploitability {gaps[worst]:.3g} only (wanted {tolerance:g}): "
            'compare method="cvxpy", and please report this game.'
        )
    residual = gaps if tau == 0 else fixed_point_residual(game, policy, tau)
    return Equilibrium(policy, float(gaps @ game.prompt_weights), float(residual.max()), iterations)


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}.")
