"""Thresholds and rates near the equilibrium, from the linearised map of a round."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from pgames.bounds.bound import positive
from pgames.exact.certificates import check_tau
from pgames.exact.equilibrium import nash
from pgames.games.preference import PreferenceGame, as_game


def rotation(game: PreferenceGame, tau: float) -> float:
    """The largest rotation frequency w: i w is an eigenvalue of A (diag pi - pi pi') at pi, the Nash of tau.

    A = P - 1/2. The largest over prompts; 0 if there is only one response.
    """
    return max((float(rates[0]) for rates in _frequencies(game, tau)), default=0.0)


def inpo_stable_step(game: PreferenceGame, tau: float) -> float:
    """The eta below which INPO's Nash is locally stable: 2 tau / (tau^2 + w^2).

    A round multiplies a mode by 1 - eta tau + i eta w. Above the step the last iterate ends in a limit cycle.
    """
    positive(tau=tau)
    return 2 * tau / (tau**2 + rotation(game, tau) ** 2)


def mmd_stable_step(game: PreferenceGame, tau: float) -> float:
    """The eta below which MMD's Nash is locally stable: 2 tau / (w^2 - tau^2); inf for w <= tau."""
    positive(tau=tau)
    w = rotation(game, tau)
    return 2 * tau / (w**2 - tau**2) if w > tau else math.inf


def smoothed_best_response_stable(game: PreferenceGame, tau: float) -> bool:
    """Whether pi' = ref exp(P pi / tau), online IPO minimised every round, is locally stable: w < tau."""
    positive(tau=tau)
    return rotation(game, tau) < tau


def self_preference_growth(game: PreferenceGame) -> float:
    """What a self-preference of 1 adds to the growth of log pi near uniform play: P (1 - P) on a cycle.

    A policy judged by itself, sigma(logit P + b (log pi(y) - log pi(z))), is regularised by tau - b times
    this number. It is the largest eigenvalue of the Laplacian of the weights P (1 - P) / Y, over prompts:
    exact where all pairs are equally uncertain and on every circulant game, else an upper bound. Raises
    ValueError unless the Nash is uniform and the reference too: elsewhere the judge moves the equilibrium.
    """
    game, growth = as_game(game), 0.0
    for x in range(game.prompts):
        inside = game.support[x]
        P = game.P[x][np.ix_(inside, inside)]
        n = len(P)
        if (
            np.abs(game.reference[x, inside] * n - 1).max() > 1e-9
            or np.abs(P.mean(axis=1) - 0.5).max() > 1e-9
        ):
            raise ValueError(
                f"prompt {x} has no uniform equilibrium with a uniform reference, so a self-preferring judge "
                "moves its equilibrium: measure it with arena.judged_by."
            )
        doubt = P * (1 - P) / n
        np.fill_diagonal(doubt, 0.0)
        growth = max(growth, float(np.linalg.eigvalsh(np.diag(doubt.sum(axis=1)) - doubt)[-1]))
    return growth


def self_preference_threshold(game: PreferenceGame, tau: float) -> float:
    """The bias of a judge to itself below which uniform self-play is stable: tau / `self_preference_growth`.

    It is tau / (P (1 - P)) on a cycle, and inf where no pair is uncertain. It holds for small steps, and for
    EGPO at the step of its theorem. INPO at a step eta needs eta < `inpo_stable_step(game, tau - b growth)`,
    which fails at a smaller bias.

    Raises ValueError as `self_preference_growth` does, and for tau not above 0.
    """
    positive(tau=tau)
    growth = self_preference_growth(game)
    return tau / growth if growth > 0 else math.inf


def comal_rate(game: PreferenceGame, tau: float) -> float:
    """The factor of KL(nash || reference) per refresh of COMAL or MPO near the Nash: tau^2 / (tau^2 + w^2).

    Here w is the smallest frequency above 0 at the unregularised Nash, because the slowest mode dominates.
    The equilibrium is assumed to play every response. arXiv:2410.23223 proves that the factor is at most 1.
    """
    positive(tau=tau)
    modes = [w for rates in _frequencies(game, 0.0) for w in rates if w > 1e-9]
    turned = float(min(modes, default=0.0)) / tau
    return 1 / (1 + turned * turned)


def _frequencies(game: PreferenceGame, tau: float) -> list[NDArray[np.float64]]:
    """For each prompt, the frequencies w >= 0 in falling order, each pair +-iw once."""
    game = as_game(game)
    policy = nash(game, check_tau(tau)).policy
    rates = []
    for x in range(game.prompts):
        pi, inside = policy[x], game.support[x]
        if inside.sum() > 1:
            covariance = np.diag(pi[inside]) - np.outer(pi[inside], pi[inside])
            values, vectors = np.linalg.eigh(covariance)
            root = vectors * np.sqrt(np.maximum(values, 0))
            rotation = root.T @ game.skew[x][np.ix_(inside, inside)] @ root  # antisymmetric, same eigenvalues
            rates.append(np.linalg.svd(rotation, compute_uv=False)[::2])
    return rates
