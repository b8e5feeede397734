"""The exact equilibrium of a preference game, regularised or not, with its certificate."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Literal, NamedTuple, overload

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.exact import convex, shown
from pgames.exact.bregman import bregman_nash
from pgames.exact.certificates import (
    PLAIN,
    check_tau,
    fixed_point_residual,
    prompt_exploitability,
)
from pgames.exact.interior_point import PathEnd
from pgames.exact.linear import check_threads, limited
from pgames.exact.one_game import Select, scaled, select_equilibrium, solve
from pgames.exact.small import LARGEST, follow_paths
from pgames.exact.tau_path import TauPath, check_path
from pgames.frames import Kind, frame
from pgames.games.preference import PreferenceGame, as_game
from pgames.numerics import number, whole
from pgames.regularisers import Regulariser, check_regulariser

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
    residual : the worst prompt's ||policy - softmax(log ref + P policy / tau)||_1, or its distance from the
        best response under another regulariser; at tau = 0 the worst prompt's exploitability.
    iterations : linear systems factored for the prompt that needed most; 0 with method "cvxpy".
    unique : whether every prompt has only this equilibrium. True for tau > 0. At tau = 0 it is decided by the
        rank of the game on its support; None where rounding leaves the rank open, and with method "cvxpy".
        `extreme_equilibria` lists the others.
    labels : the names of the Y responses.
    """

    policy: Array
    exploitability: float
    residual: float
    iterations: int
    unique: bool | None = None
    labels: tuple[str, ...] = ()

    def named(self, prompt: int = 0, above: float = 0.0) -> dict[str, float]:
        """The responses of a prompt with probability above `above`, by name, the likeliest first.

        Raises IndexError for a prompt that does not exist, and ValueError when `above` is no number.
        """
        if not whole(prompt) or not -len(self.policy) <= prompt < len(self.policy):
            raise IndexError(f"prompts are numbered 0 to {len(self.policy) - 1}, got {prompt!r:.60}.")
        if np.isnan(number(above)):
            raise ValueError(f"above must be a number, got {above!r:.60}.")
        row = self.policy[prompt]
        names = self.labels or tuple(str(y) for y in range(len(row)))
        order = np.argsort(-row, kind="stable")
        return {names[y]: float(row[y]) for y in order if row[y] > above}

    def __repr__(self) -> str:
        return shown.equilibrium_line(self.policy, self.exploitability, self.residual, self.labels)

    def _repr_html_(self) -> str:
        return shown.equilibrium_html(repr(self), self.policy, self.labels)

    def to_frame(self, kind: Kind | None = None) -> Any:
        """A data frame of prompt, response and probability, of pandas or polars as installed.

        Raises ValueError for another kind, and ModuleNotFoundError when narwhals or the library is missing.
        """
        return frame(shown.equilibrium_columns(self.policy, self.labels), kind)


@overload
def nash(
    game: PreferenceGame | ArrayLike,
    tau: float = 0.0,
    select: Select = "centre",
    method: Method = "newton",
    *,
    regulariser: Regulariser = PLAIN,
    precision: float = 0.0,
    threads: int | None = None,
) -> Equilibrium: ...


@overload
def nash(
    game: PreferenceGame | ArrayLike,
    tau: ArrayLike,
    select: Select = "centre",
    method: Method = "newton",
    *,
    regulariser: Regulariser = PLAIN,
    precision: float = 0.0,
    threads: int | None = None,
) -> TauPath: ...


def nash(
    game: PreferenceGame | ArrayLike,
    tau: float | ArrayLike = 0.0,
    select: Select = "centre",
    method: Method = "newton",
    *,
    regulariser: Regulariser = PLAIN,
    precision: float = 0.0,
    threads: int | None = None,
) -> Equilibrium | TauPath:
    """The symmetric equilibrium pi of J_tau(p, q) = P(p > q) - tau KL(p || ref) + tau KL(q || ref).

    At tau > 0 it is unique, pi = softmax(log ref + P pi / tau), with a residual of at most about
    1e-15 + 1e-16 / tau, the limit of double precision. At tau = 0 it is found by an interior-point
    method that ends in an exact solve. When there are several equilibria, `select` names one:

    "centre" : the limit of the central path, argmax sum_y log(pi_y + 1/2 - (P pi)_y): every response that
        some equilibrium plays is played, every response that some equilibrium defeats is defeated.
    "max_entropy" : the one of largest entropy.
    "closest" : argmin KL(pi || reference), the limit of the regularised equilibria as tau -> 0.

    `game` may be its table P float64[Y, Y] or float64[X, Y, Y]: an array, lists, a tensor or a data frame.
    tau float64[T] gives a `TauPath`, the equilibria along several values of tau.

    precision : an exploitability that is enough, in units of win rates; 0 asks for the exact equilibrium.
        Above 0, a game of more than 128 responses at tau = 0 is solved until the exploitability of a policy
        is known to be at most this, and `select` has no effect. Other games are solved exactly.
    threads : the number of threads of the linear algebra, in games of more than 128 responses; None does not
        change it. The last bits of an answer may depend on it.
    regulariser : one of `pgames.regularisers`, which replaces the KL at tau > 0. At tau = 0 it does not
        matter.

    method="cvxpy" solves the same problems by Clarabel, as a second opinion: slowly, to about 1e-8, and for
    the KL alone.

    Raises ValueError for bad arguments, TypeError for a regulariser without an exact answer, and RuntimeError
    when a prompt's exploitability exceeds 1e-9 (1e-6 with cvxpy), never seen on a valid game. Above tau =
    1e20, where a policy of the last bit's precision exceeds it as well, a residual of 1e-13 is enough.
    """
    game = as_game(game)
    regulariser = check_regulariser(regulariser)
    if np.ndim(tau) > 0:
        at = functools.partial(
            nash,
            game,
            select=select,
            method=method,
            regulariser=regulariser,
            precision=precision,
            threads=threads,
        )
        return _along(at, check_path(tau), game, regulariser)
    tau = check_tau(tau)  # pyright: ignore[reportArgumentType]
    _one_of("select", select, SELECTIONS)
    _one_of("method", method, tuple(TOLERANCE))
    if not 0 <= number(precision) < 0.5:
        raise ValueError(f"precision must be at least 0 and below 1/2, got {precision!r:.60}: 0 is exact.")
    check_threads(threads)
    unique: bool | None
    if tau > 0 and regulariser != PLAIN:
        if method != "newton":
            raise ValueError(f'method="{method}" solves games regularised by KL, got {regulariser.name}.')
        policy, iterations, unique = _regularised_games(game, tau, regulariser)
    elif method == "cvxpy":
        policy, iterations, unique = _by_cvxpy(game, tau, select), 0, None
    elif game.responses <= LARGEST:
        policy, iterations, unique = _small_games(game, tau, select)
    else:
        with limited(threads):
            policy, iterations, unique = _large_games(game, tau, select, precision)
    if 0 < tau < FROZEN and method == "newton" and regulariser == PLAIN:
        policy = _where_frozen(game, policy, tau)
    tolerance = max(TOLERANCE[method], precision)
    return _certified(game, policy, tau, iterations, tolerance, True if tau > 0 else unique, regulariser)


def _along(
    at: Callable[[float], Equilibrium], taus: Array, game: PreferenceGame, regulariser: Regulariser
) -> TauPath:
    """The equilibria at each of taus float64[T]."""
    found = [at(one) for one in taus.tolist()]
    return TauPath(
        game,
        taus,
        np.stack([one.policy for one in found]),
        np.array([one.exploitability for one in found]),
        np.array([one.residual for one in found]),
        regulariser,
        at,
    )


def _regularised_games(game: PreferenceGame, tau: float, regulariser: Regulariser) -> tuple[Array, int, bool]:
    policy, most = np.zeros((game.prompts, game.responses)), 0
    for x in range(game.prompts):
        inside = np.flatnonzero(game.support[x])
        A = game.skew[x][np.ix_(inside, inside)]
        policy[x, inside], steps = bregman_nash(A, game.reference[x, inside], tau, regulariser)
        most = max(most, steps)
    return policy, most, True


def _small_games(game: PreferenceGame, tau: float, select: Select) -> tuple[Array, int, bool | None]:
    """Solve all prompts in one compiled call, then the degenerate ones one by one."""
    policy, played, exact, steps = follow_paths(game.skew, _log(game.reference), tau)
    unique: list[bool | None] = []
    for x in np.flatnonzero(~exact):
        inside = np.flatnonzero(game.support[x])
        A, _, rounding = scaled(game.skew[x][np.ix_(inside, inside)])
        end = PathEnd(policy[x, inside], played[x, inside], False, 0)
        reference, copies = game.reference[x, inside], np.ones(len(inside))
        policy[x, inside], only = select_equilibrium(A, end, rounding, reference, select, copies)
        unique.append(only)
    return policy, int(steps.max()), _all(unique)


def _large_games(
    game: PreferenceGame, tau: float, select: Select, precision: float = 0.0
) -> tuple[Array, int, bool | None]:
    policy, most = np.zeros((game.prompts, game.responses)), 0
    unique: list[bool | None] = []
    for x in range(game.prompts):
        inside = np.flatnonzero(game.support[x])
        whole = len(inside) == game.responses
        A = game.skew[x] if whole else game.skew[x][np.ix_(inside, inside)]
        policy[x, inside], steps, only = solve(A, game.reference[x, inside], tau, select, precision)
        most = max(most, steps)
        unique.append(only)
    return policy, most, _all(unique)


def _all(unique: list[bool | None]) -> bool | None:
    """Whether all are True; None when some are open and none is False."""
    return False if False in unique else None if None in unique else True


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
    game: PreferenceGame,
    policy: Array,
    tau: float,
    iterations: int,
    tolerance: float,
    unique: bool | None,
    regulariser: Regulariser,
) -> Equilibrium:
    gaps = prompt_exploitability(game, policy, tau, regulariser=regulariser)
    residual = gaps if tau == 0 else fixed_point_residual(game, policy, tau, regulariser=regulariser)
    # a policy of the last bit's precision is exploitable by about 1e-32 tau
    solved = (gaps <= tolerance) | ((residual <= PRECISION) & (tau >= 1))
    if not solved.all():
        worst = int(np.argmax(np.where(solved, -1.0, gaps)))
        remedy = 'try method="cvxpy"' if regulariser == PLAIN else "try a larger tau"
        raise RuntimeError(
            f"prompt {worst} was solved to exploitability {gaps[worst]:.3g}, needed {tolerance:g}: "
            f"{remedy}, and please report this game."
        )
    gap, worst_residual = float(gaps @ game.prompt_weights), float(residual.max())
    return Equilibrium(policy, gap, worst_residual, iterations, unique, game.labels)


def _one_of(name: str, value: object, allowed: tuple[str, ...]) -> None:
    if value not in allowed:
        raise ValueError(f"{name} must be one of {', '.join(allowed)}, got {value!r}.")
