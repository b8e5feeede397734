"""Certificates: the gain of a best response, computed from the policy and the game alone."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.exact.bregman_gap import bregman_answer, bregman_gap
from pgames.games.preference import PreferenceGame, as_game
from pgames.numerics import check_distribution, indices, kl_to_logs, normalise, number, real
from pgames.regularisers import KL, Regulariser, check_regulariser

TINY = 1e-290  # advantages divided by a smaller tau overflow
PLAIN = KL()
TIES = 1e-12  # at tau = 0 a best response treats win rates closer than this as equal


def exploitability(
    game: PreferenceGame | ArrayLike,
    policy: ArrayLike,
    tau: float = 0.0,
    *,
    regulariser: Regulariser = PLAIN,
) -> float | NDArray[np.float64]:
    """max_p J_tau(p, pi) - 1/2, averaged over prompts: 0 only at an equilibrium.

    J_tau(p, q) = P(p > q) - tau KL(p || ref) + tau KL(q || ref). At tau = 0 it is max_y (P pi)_y - 1/2 over
    the responses in the game; at tau > 0 it is tau KL(pi || best response to pi), the same number as
    tau logsumexp(log ref + P pi / tau) + tau KL(pi || ref) - 1/2 without the cancellation. Another
    regulariser takes the place of the KL.

    Parameters
    ----------
    game : a PreferenceGame, or its table P float64[Y, Y] or float64[X, Y, Y].
    policy : float64[Y] (one prompt), float64[X, Y] or float64[S, X, Y], probabilities.
    tau : weight of the KL, or of the regulariser, to the reference, at least 0.
    regulariser : one of `pgames.regularisers`.

    Returns a float, or float64[S] for S policies; never negative. Raises ValueError when `policy` is not a
    policy of this game, for instance when it has mass outside the support of the reference.
    """
    game = as_game(game)
    gaps = prompt_exploitability(game, policy, tau, regulariser=regulariser) @ game.prompt_weights
    return float(gaps) if gaps.ndim == 0 else gaps


def duality_gap(
    game: PreferenceGame | ArrayLike,
    policy: ArrayLike,
    tau: float = 0.0,
    *,
    regulariser: Regulariser = PLAIN,
) -> float | NDArray[np.float64]:
    """max_p J_tau(p, pi) - min_q J_tau(pi, q), which is twice the exploitability.

    A float for a policy float64[Y] or float64[X, Y], float64[S] for float64[S, X, Y].
    """
    return 2 * exploitability(game, policy, tau, regulariser=regulariser)


def best_response(
    game: PreferenceGame | ArrayLike,
    policy: ArrayLike,
    tau: float = 0.0,
    *,
    regulariser: Regulariser = PLAIN,
) -> NDArray[np.float64]:
    """argmax_p J_tau(p, policy) as float64[X, Y] (or [S, X, Y]): proportional to ref * exp(P policy / tau).

    At tau = 0 it is the reference restricted to the best responses (win rates within 1e-12 of the best).
    Another `regulariser` of `pgames.regularisers` takes the place of the KL.
    """
    game = as_game(game)
    pi = check_policy(game, policy)
    advantage = advantages(game, pi)
    if check_tau(tau) > 0:
        if check_regulariser(regulariser) != PLAIN:
            return bregman_answer(regulariser, game.reference, advantage, tau)
        return np.exp(_log_tilt(game, advantage, tau))
    advantage = np.where(game.support, advantage, -np.inf)
    ties = advantage >= advantage.max(axis=-1, keepdims=True) - TIES
    weights = np.where(ties, game.reference, 0.0)
    return weights / weights.sum(axis=-1, keepdims=True)


def prompt_exploitability(
    game: PreferenceGame,
    policy: ArrayLike,
    tau: float = 0.0,
    *,
    regulariser: Regulariser = PLAIN,
) -> NDArray[np.float64]:
    """The exploitability of each prompt, float64[X] or float64[S, X]."""
    pi = check_policy(game, policy)
    advantage = advantages(game, pi)
    if check_tau(tau) > 0:
        if check_regulariser(regulariser) != PLAIN:
            return bregman_gap(regulariser, game.reference, pi, advantage, tau)
        if tau < TINY:
            return _regularised_gap(game, pi, advantage, tau)
        return tau * kl_to_logs(pi, _log_tilt(game, advantage, tau))
    # pi' skew pi = 0, so the maximum is at least 0; a negative value is rounding
    return np.maximum(np.where(game.support, advantage, -np.inf).max(axis=-1), 0.0)


def _regularised_gap(
    game: PreferenceGame, pi: NDArray[np.float64], advantage: NDArray[np.float64], tau: float
) -> NDArray[np.float64]:
    """tau logsumexp(log ref + advantage / tau) + tau KL(pi || ref), where dividing by tau would overflow."""
    with np.errstate(divide="ignore"):
        log_reference = np.log(game.reference)
    best = (advantage + tau * log_reference).max(axis=-1)
    return np.maximum(best + tau * kl_to_logs(pi, log_reference), 0.0)


def fixed_point_residual(
    game: PreferenceGame, policy: ArrayLike, tau: float, *, regulariser: Regulariser = PLAIN
) -> NDArray[np.float64]:
    """||pi - best response to pi||_1 of each prompt, float64[X] or float64[S, X]; with KL the latter is
    softmax(log ref + P pi / tau)."""
    pi = check_policy(game, policy)
    if regulariser != PLAIN:
        return np.abs(pi - bregman_answer(regulariser, game.reference, advantages(game, pi), tau)).sum(
            axis=-1
        )
    return np.abs(pi - np.exp(_log_tilt(game, advantages(game, pi), tau))).sum(axis=-1)


def advantages(game: PreferenceGame, pi: NDArray[np.float64]) -> NDArray[np.float64]:
    """P(y > pi) - 1/2 for every response y: float64[X, Y] or float64[S, X, Y]."""
    if pi.ndim == 2:
        return np.matmul(game.skew, pi[..., None])[..., 0]
    if game.prompts == 1:
        return -(pi[:, 0] @ game.skew[0])[:, None]  # skew' = -skew: no transpose of a large table
    return -np.matmul(pi.swapaxes(0, 1), game.skew).swapaxes(0, 1)


def check_tau(tau: float) -> float:
    """tau as a float. Raises ValueError when it is not finite or below 0."""
    if not 0 <= number(tau) < math.inf:
        raise ValueError(
            f"tau must be finite and at least 0, got {tau!r:.60}: 0 means the unregularised game."
        )
    return float(tau)


def check_policy(game: PreferenceGame, policy: ArrayLike) -> NDArray[np.float64]:
    """The policy as float64[X, Y] or float64[S, X, Y], its rows divided by their sums.

    Raises ValueError when the shape is wrong, or a row is not a distribution or has mass outside the game.
    """
    shape = (game.prompts, game.responses)
    pi = real("policy", policy)
    if pi.ndim == 1 and shape[0] == 1:
        pi = pi[None]
    if pi.ndim not in (2, 3) or pi.shape[-2:] != shape:
        raise ValueError(
            f"policy must have shape {list(shape)} or [S, {shape[0]}, {shape[1]}], got {pi.shape}."
        )
    total = check_distribution("policy", pi)
    outside = (pi > 0) & ~game.support
    if outside.any():
        worst = tuple(np.argwhere(outside)[0])
        raise ValueError(
            f"policy has mass {pi[worst]:.6g} at {indices(worst)}, which is outside the game (reference 0): "
            "move that mass or give the response a positive reference."
        )
    return pi / total


def _log_tilt(game: PreferenceGame, advantage: NDArray[np.float64], tau: float) -> NDArray[np.float64]:
    """log of the distribution proportional to ref * exp(advantage / tau)."""
    tau = max(tau, TINY)
    with np.errstate(divide="ignore"):
        return normalise(np.log(game.reference) + advantage / tau)
