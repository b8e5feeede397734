"""Cycles: small games without a best response, whose equilibrium is known in closed form."""

from __future__ import annotations

import numpy as np

from pgames.games.building import check_at_least, check_probability, from_payoffs
from pgames.games.preference import PreferenceGame
from pgames.numerics import number


def cyclic(n: int, p: float = 1.0) -> PreferenceGame:
    """Response y beats each of the (n - 1) // 2 that follow it on the circle with probability p.

    For even n it ties with the opposite response. The Nash equilibrium is uniform, for every tau.
    """
    check_at_least(1, "n", n)
    check_probability("p", p)
    ahead = (np.arange(n)[None, :] - np.arange(n)[:, None]) % n
    reach = (n - 1) // 2
    beats, loses = (ahead >= 1) & (ahead <= reach), ahead >= n - reach
    return PreferenceGame(np.where(beats, p, np.where(loses, 1 - p, 0.5)))


def rock_paper_scissors() -> PreferenceGame:
    """Rock, scissors and paper, each of which always beats the next; Nash (1, 1, 1) / 3."""
    return from_payoffs([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], ["rock", "paper", "scissors"])


def comal3() -> PreferenceGame:
    """COMAL's game (arXiv:2410.23223): P[b > a] = P[c > b] = 0.9, P[a > c] = 0.8; Nash (4, 3, 4) / 11."""
    return PreferenceGame([[0.5, 0.1, 0.8], [0.9, 0.5, 0.1], [0.2, 0.9, 0.5]], labels=["a", "b", "c"])


def biased_rps() -> PreferenceGame:
    """OpenSpiel's biased rock-paper-scissors; Nash (1, 10, 5) / 16."""
    return from_payoffs([[0, -0.25, 0.5], [0.25, 0, -0.05], [-0.5, 0.05, 0]], ["rock", "paper", "scissors"])


def perturbed_rps() -> PreferenceGame:
    """OpenSpiel's MMD example, payoffs divided by 3; Nash (3, 3, 1) / 7."""
    A = np.array([[0, -1, 3], [1, 0, -3], [-3, 3, 0]]) / 3
    return from_payoffs(A, ["rock", "paper", "scissors"])


def dice() -> PreferenceGame:
    """Nontransitive dice (arXiv:2312.00886, appendix C): each beats the next with 5/9; Nash uniform."""
    faces = np.array([[2, 4, 9], [1, 6, 8], [3, 5, 7]])
    higher = (faces[:, None, :, None] > faces[None, :, None, :]).mean(axis=(2, 3))
    np.fill_diagonal(higher, 0.5)
    return PreferenceGame(higher, labels=["2-4-9", "1-6-8", "3-5-7"])


def raters(epsilon: float = 0.0) -> PreferenceGame:
    """Three types of rater, about a third each, form a cycle (after arXiv:2312.00886, section 3.2).

    Type k decides one pair of the cycle 0 > 1 > 2 > 0 and is indifferent to the others. The shares are
    1/3 - epsilon for the pair (0, 1) and 1/3 + epsilon/2 for the other two. The Nash (1/3 + epsilon/2,
    1/3 + epsilon/2, 1/3 - epsilon) moves smoothly with epsilon in [-2/3, 1/3]; the best response under a
    Bradley-Terry fit jumps from 0 to 1 as epsilon crosses 0.

    Raises ValueError when epsilon is outside its range.
    """
    if not -2 / 3 <= number(epsilon) <= 1 / 3:
        raise ValueError(f"epsilon must be in [-2/3, 1/3], got {epsilon!r:.60}.")
    first, others = 1 / 3 - epsilon, 1 / 3 + epsilon / 2
    return from_payoffs([[0, first, -others], [-first, 0, others], [others, -others, 0]])
