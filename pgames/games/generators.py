"""Generators: random games, and families of games indexed by size."""

from __future__ import annotations

import itertools

import numpy as np
from numpy.typing import ArrayLike

from pgames.games.building import check_at_least, check_probability, from_payoffs
from pgames.games.preference import PreferenceGame
from pgames.numerics import number, real, sigmoid


def random_skew(n: int, seed: int) -> PreferenceGame:
    """Gaussian antisymmetric payoffs scaled into [-1, 1]; the unique Nash plays about n / 2 responses."""
    check_at_least(1, "n", n)
    check_at_least(0, "seed", seed)
    A = np.random.default_rng(seed).standard_normal((n, n))
    A -= A.T
    largest = max(A.max(), -A.min())
    A /= largest if largest > 0 else 1.0
    A *= 0.5
    A += 0.5
    return PreferenceGame(A)


def uniform_random(n: int, seed: int) -> PreferenceGame:
    """P[y > z], y > z, uniform on [0, 1] (the tabular setting of EGPO, arXiv:2503.08942)."""
    check_at_least(1, "n", n)
    check_at_least(0, "seed", seed)
    below = np.tril(np.random.default_rng(seed).random((n, n)), -1)
    upper = np.triu(np.ones((n, n)), 1)
    return PreferenceGame(below + upper * (1 - below.T) + 0.5 * np.eye(n))


def blotto(coins: int, fields: int) -> PreferenceGame:
    """Colonel Blotto: the player with more coins on more fields wins; blotto(10, 3) has 66 responses."""
    check_at_least(1, "coins", coins)
    check_at_least(1, "fields", fields)
    bars = itertools.combinations(range(coins + fields - 1), fields - 1)
    armies = np.array([np.diff((-1, *bar, coins + fields - 1)) - 1 for bar in bars])
    fields_won = np.sign(armies[:, None, :] - armies[None, :, :]).sum(axis=2)
    return from_payoffs(np.sign(fields_won), ["-".join(map(str, army)) for army in armies])


def disc(n: int, seed: int = 0) -> PreferenceGame:
    """n points of the unit disc, payoff the cross product y1 z2 - y2 z1 (arXiv:1901.08106)."""
    check_at_least(1, "n", n)
    check_at_least(0, "seed", seed)
    rng = np.random.default_rng(seed)
    angle, radius = 2 * np.pi * rng.random(n), np.sqrt(rng.random(n))
    a, b = radius * np.cos(angle), radius * np.sin(angle)
    return from_payoffs(np.outer(a, b) - np.outer(b, a))


def skill_and_cycles(n: int, cyclic_share: float, seed: int = 0) -> PreferenceGame:
    """A ranking plus a pure cycle, whose share of the energy (Hodge, on P - 1/2) is `cyclic_share`."""
    check_at_least(3, "n", n)
    check_at_least(0, "seed", seed)
    check_probability("cyclic_share", cyclic_share)
    rng = np.random.default_rng(seed)
    skill = rng.standard_normal(n)
    ranking = skill[:, None] - skill[None, :]
    cycle = rng.standard_normal((n, n))
    cycle -= cycle.T
    drift = cycle.mean(axis=1)
    cycle -= drift[:, None] - drift[None, :]
    A = np.sqrt(1 - cyclic_share) * ranking / np.linalg.norm(ranking)
    A += np.sqrt(cyclic_share) * cycle / np.linalg.norm(cycle)
    return from_payoffs(A / np.abs(A).max())


def disc_and_skill(n: int, cyclic_share: float = 0.95, seed: int = 0) -> PreferenceGame:
    """The cycle of a `disc` plus a ranking of random skills; the cycle has `cyclic_share` of the energy.

    The energy is that of Hodge's decomposition on P - 1/2.
    """
    check_at_least(3, "n", n)
    check_at_least(0, "seed", seed)
    check_probability("cyclic_share", cyclic_share)
    rng = np.random.default_rng(seed)
    angle, radius = 2 * np.pi * rng.random(n), np.sqrt(rng.random(n))
    a, b = radius * np.cos(angle), radius * np.sin(angle)
    cycle = np.outer(a, b) - np.outer(b, a)
    drift = cycle.mean(axis=1)
    cycle -= drift[:, None] - drift[None, :]
    skill = rng.standard_normal(n)
    ranking = skill[:, None] - skill[None, :]
    A = np.sqrt(cyclic_share) * cycle / np.linalg.norm(cycle)
    A += np.sqrt(1 - cyclic_share) * ranking / np.linalg.norm(ranking)
    return from_payoffs(A / np.abs(A).max())


def low_rank(embeddings: ArrayLike, beta: float = 1.0) -> PreferenceGame:
    """A general preference model (arXiv:2410.02197): P = sigmoid(v_y' R v_z / beta).

    `embeddings` float64[Y, 2k] or float64[X, Y, 2k]; R is block diagonal with blocks [[0, -1], [1, 0]], so
    that the score is antisymmetric and of rank 2k. Raises ValueError when the shape is different or beta
    is not above 0.
    """
    v = real("embeddings", embeddings)
    if v.ndim not in (2, 3) or v.shape[-1] % 2:
        raise ValueError(f"embeddings must have shape [Y, 2k] or [X, Y, 2k], got {list(v.shape)}.")
    if not 0 < number(beta) < np.inf:
        raise ValueError(f"beta must be finite and above 0, got {beta!r:.60}.")
    if not np.isfinite(v).all():
        raise ValueError("embeddings must be finite: drop the rows that hold NaN or an infinite number.")
    first, second = v[..., 0::2], v[..., 1::2]
    score = second @ np.swapaxes(first, -1, -2)
    score = score - np.swapaxes(score, -1, -2)
    return PreferenceGame(sigmoid(score / beta))
