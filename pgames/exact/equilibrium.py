"""The exact equilibrium of a preference game, regularised or not, with its certificate."""

from __future__ import annotations

from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.exact import convex
from pgames.exact.certificates import check_tau, fixed_point_residual, prompt_exploitability
from pgames.exact.interior_point import PathEnd
from pgames.exact.one_game import Select, scaled, select_equilibrium, solve
from pgames.exact.small import LARGEST, follow_paths
from pgames.games.preference import PreferenceGame, as_game

Array = NDArray[np.float64]
Method = Literal["newton", "cvxpy"]

SELECTIONS = ("centre", "max_entropy", "closest")
FROZEN = 1e-9  # below this tau double precision may not resolve A x / tau
PRECISION = 1e-13  # the fixed point's residual that double precision allows, with a margin
TOLERANCE = {"newton": 1e-9, "cvxpy": 1e-6}  # a prompt with a larger exploitability is an error


class Equilibrium(NamedTuple):
    """A policy that no policy beats, with its certificate.

    policy : float64[X, Y], probabilities, 0 outside the support of the reference.
    exploitability : max_p J_tau(p, policy) - 1/2 averaged over prompts, computed from the policy.
    residual : the worst prompt's ||policy - softmax(log ref + P policy / tau)||_1; at tau = 0 the worst
        prompt's exploitability.
    iterations : linear systems factored for the prompt that needed most; 0 with method "cvxpy".
    """

    policy: Array
    exploitability: float
    residual: float
    iterations: int


def nash(
    game: PreferenceGame | ArrayLike, tau: float = 0.0, select: Select = "centre", method: Method = "newton"
) -> Equilibrium:
    """The symmetric equilibrium pi of J_tau(p, q) = P(p > q) - tau KL(p || ref) + tau KL(q || ref).

    At tau > 0 it is unique, pi = softmax(log ref + P pi / tau), with a residual of at most about
    1e-15 + 1e-16 / tau, the limit of double precision. At tau = 0 it is found by an interior-point
    method that ends in an exact solve. When there are several equilibria, `select` names one:

    "centre" : the limit of the central path, argmax sum_y log(pi_y + 1/2 - (P pi)_y): every response that
        some equilibrium plays is played, every response that some equilibrium defeats is defeated.
    "max_entropy" : the one of largest entropy.
    "closest" : argmin KL(pi || reference), the limit of the regularised equilibria as tau -> 0.

    `game` may be its table P float64[Y, Y] or float64[X, Y, Y]: an array, lists, a tensor or a data frame.

    method="cvxpy" solves the same problems by Clarabel, slowly and to about 1e-8, as a second opinion.

    Raises ValueError for bad arguments and RuntimeError when a prompt's exploitability exceeds 1e-9 (1e-6
    with cvxpy), never seen on a valid game. Above tau = 1e20, where a policy of the last bit's precision
    exceeds it as well, a residual of 1e-13 is enough.
    """
    game = as_game(game)
    tau = check_tau(tau)
    _one_of("select", select, SELECTIONS)
    _one_of("method", method, tuple(TOLERANCE))
    if method == "cvxpy":
        policy, iterations = _by_cvxpy(game, tau, select), 0
    elif game.responses <= LARGEST:
        policy, iterations = _small_games(game, tau, select)
    else:
        policy, iterations = _large_games(game, tau, select)
    if 0 < tau < FROZEN and method == "newton":
        policy = _where_frozen(game, policy, tau)
    return _certified(game, policy, tau, iterations, TOLERANCE[method])


def _small_games(game: PreferenceGame, tau: float, select: Select) -> tuple[Array, int]:
    """Solve all prompts in one compiled call, then the degenerate ones one by one."""
    policy, played, exact, steps = follow_paths(game.skew, _log(game.reference), tau)
    for x in np.flatnonzero(~exact):
        inside = np.flatnonzero(game.support[x])
        A, _, rounding = scaled(game.skew[x][np.ix_(inside, inside)])
        end = PathEnd(policy[x, inside], played[x, inside], False, 0)
        policy[x, inside] = select_equilibrium(A, end, rounding, game.reference[x, inside], select)
    return policy, int(steps.max())


def _large_games(game: PreferenceGame, tau: float, select: Select) -> tuple[Array, int]:
    policy, most = np.zeros((game.prompts, game.responses)), 0
    for x in range(game.prompts):
        inside = np.flatnonzero(game.support[x])
        whole = len(inside) == game.responses
        A = game.skew[x] if whole else game.skew[x][np.ix_(inside, inside)]
        policy[x, inside], steps = solve(A, game.reference[x, inside], tau, select)
        most = max(most, steps)
    return policy, most


def _where_frozen(game: PreferenceGame, policy: Array, tau: float) -> Array:
    """The policy float64[X, Y], or the limit tau -> 0 on prompts where that is better: A x / tau is noise."""
    total = policy.sum(axis=1)
    policy = np.where(np.abs(total - 1)[:, None] < 1e-9, policy, game.reference)
    gaps = prompt_exploitability(game, policy, tau)
    if (gaps <= TOLERANCE["newton"]).all():
        return policy
    limit = (_small_games if game.responses <= LARGEST else _large_games)(game, 0.0, "closest")[0]
    better = prompt_exploitability(game, limit, tau) < gaps
    return np.where(better[:, None], limit, policy)


def _by_cvxpy(game: PreferenceGame, tau: float, select: Select) -> Array:
    policy = np.zeros((game.prompts, game.responses))
    for x in range(game.prompts):
        inside = np.flatnonzero(game.support[x])
        A = game.skew[x][np.ix_(inside, inside)]
        policy[x, inside] = convex.equilibrium(A, game.reference[x, inside], tau, select)
    return policy


def _log(probabilities: Array) -> Array:
    with np.errstate(divide="ignore"):
        return np.log(probabilities)


def _certified(
    game: PreferenceGame, policy: Array, tau: float, iterations: int, tolerance: float
) -> Equilibrium:
    gaps = prompt_exploitability(game, policy, tau)
    residual = gaps if tau == 0 else fixed_point_residual(game, policy, tau)
    # a policy of the last bit's precision is exploitable by about 1e-32 tau
    solved = (gaps <= tolerance) | ((residual <= PRECISION) & (tau >= 1))
    if not solved.all():
        worst = int(np.argmax(np.where(solved, -1.0, gaps)))
        raise RuntimeError(
            f"prompt {worst} was solved to exploitability {gaps[worst]:.3g}, needed {tolerance:g}: "
            'try method="cvxpy", and please report this game.'
        )
    return Equilibrium(policy, float(gaps @ game.prompt_weights), float(residual.max()), iterations)


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}.")
