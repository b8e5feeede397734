"""Named preference games: cycles with known equilibria, published tables, generators, and hard instances."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike

from pgames.games.preference import PreferenceGame


def _from_payoffs(A: ArrayLike, labels: Sequence[str] | None = None) -> PreferenceGame:
    """The game of antisymmetric payoffs in [-1, 1]: P = (1 + A) / 2."""
    return PreferenceGame((1 + np.asarray(A, dtype=np.float64)) / 2, labels=labels)


def _at_least(least: int, name: str, value: int) -> None:
    if value < least:
        raise ValueError(f"{name} must be at least {least}, got {value}.")


def _probability(name: str, value: float) -> None:
    if not 0 <= value <= 1:
        raise ValueError(f"{name} must be a probability in [0, 1], got {value}.")


# -- cycles whose equilibrium is known ---------------------------------------------------------------------


def cyclic(n: int, p: float = 1.0) -> PreferenceGame:
    """Response y beats each of the (n - 1) // 2 that follow it round the circle with probability p.

    For even n the response opposite is a tie. The Nash equilibrium is uniform, for every tau.
    """
    _at_least(1, "n", n)
    _probability("p", p)
    ahead = (np.arange(n)[None, :] - np.arange(n)[:, None]) % n
    reach = (n - 1) // 2
    beats, loses = (ahead >= 1) & (ahead <= reach), ahead >= n - reach
    return PreferenceGame(np.where(beats, p, np.where(loses, 1 - p, 0.5)))


def rock_paper_scissors() -> PreferenceGame:
    """Rock beats scissors beats paper beats rock, always; Nash (1, 1, 1) / 3."""
    return _from_payoffs([[0, -1, 1], [1, 0, -1], [-1, 1, 0]], ["rock", "paper", "scissors"])


def comal3() -> PreferenceGame:
    """COMAL's game (arXiv:2410.23223): P[b > a] = P[c > b] = 0.9, P[a > c] = 0.8; Nash (4, 3, 4) / 11."""
    return PreferenceGame([[0.5, 0.1, 0.8], [0.9, 0.5, 0.1], [0.2, 0.9, 0.5]], labels=["a", "b", "c"])


def biased_rps() -> PreferenceGame:
    """OpenSpiel's biased rock-paper-scissors; Nash (1, 10, 5) / 16."""
    return _from_payoffs([[0, -0.25, 0.5], [0.25, 0, -0.05], [-0.5, 0.05, 0]], ["rock", "paper", "scissors"])


def perturbed_rps() -> PreferenceGame:
    """OpenSpiel's MMD example, payoffs divided by 3; Nash (3, 3, 1) / 7."""
    A = np.array([[0, -1, 3], [1, 0, -3], [-3, 3, 0]]) / 3
    return _from_payoffs(A, ["rock", "paper", "scissors"])


def dice() -> PreferenceGame:
    """Nontransitive dice (arXiv:2312.00886, appendix C): each beats the next with 5/9; Nash uniform."""
    faces = np.array([[2, 4, 9], [1, 6, 8], [3, 5, 7]])
    higher = (faces[:, None, :, None] > faces[None, :, None, :]).mean(axis=(2, 3))
    np.fill_diagonal(higher, 0.5)
    return PreferenceGame(higher, labels=["2-4-9", "1-6-8", "3-5-7"])


def raters(epsilon: float = 0.0) -> PreferenceGame:
    """Three types of rater, a third each up to epsilon, make a cycle (after arXiv:2312.00886, section 3.2).

    Type k decides one pair of the cycle 0 > 1 > 2 > 0 and is indifferent to the others; shares 1/3 - epsilon
    for the pair (0, 1) and 1/3 + epsilon/2 for the other two. Nash (1/3 + epsilon/2, 1/3 + epsilon/2,
    1/3 - epsilon) moves smoothly with epsilon in [-2/3, 1/3]; the best response under a Bradley-Terry fit
    jumps from 0 to 1 as epsilon crosses 0.
    """
    if not -2 / 3 <= epsilon <= 1 / 3:
        raise ValueError(f"epsilon must be in [-2/3, 1/3], got {epsilon}.")
    first, others = 1 / 3 - epsilon, 1 / 3 + epsilon / 2
    return _from_payoffs([[0, first, -others], [-first, 0, others], [others, -others, 0]])


def six_rankers() -> PreferenceGame:
    """Win rates of six ArXiv search rankers in interleaved comparisons (Yue and Joachims, ICML 2011).

    The table as used by Komiyama et al. (COLT 2015). Ranker A beats all others: Nash is pure.
    """
    P = [
        [0.50, 0.55, 0.55, 0.54, 0.61, 0.61],
        [0.45, 0.50, 0.55, 0.55, 0.58, 0.60],
        [0.45, 0.45, 0.50, 0.54, 0.51, 0.56],
        [0.46, 0.45, 0.46, 0.50, 0.54, 0.50],
        [0.39, 0.42, 0.49, 0.46, 0.50, 0.51],
        [0.39, 0.40, 0.44, 0.50, 0.49, 0.50],
    ]
    return PreferenceGame(P, labels=list("ABCDEF"))


# -- generators --------------------------------------------------------------------------------------------


def bradley_terry(scores: ArrayLike) -> PreferenceGame:
    """P[y > z] = 1 / (1 + exp(scores[z] - scores[y])), scores float64[Y] or float64[X, Y]: no cycles."""
    r = np.asarray(scores, dtype=np.float64)
    if not np.isfinite(r).all():
        raise ValueError(
            "scores must be finite: a response that always wins has P = 1, not an infinite score."
        )
    return PreferenceGame(0.5 + 0.5 * np.tanh(0.5 * (r[..., :, None] - r[..., None, :])))


def random_skew(n: int, seed: int) -> PreferenceGame:
    """Gaussian antisymmetric payoffs scaled into [-1, 1]; the Nash is unique, with about n / 2 responses."""
    _at_least(1, "n", n)
    A = np.random.default_rng(seed).standard_normal((n, n))
    A -= A.T
    largest = max(A.max(), -A.min())
    A /= largest if largest > 0 else 1.0
    A *= 0.5
    A += 0.5
    return PreferenceGame(A)


def uniform_random(n: int, seed: int) -> PreferenceGame:
    """P[y > z], y > z, uniform on [0, 1] (the tabular setting of EGPO, arXiv:2503.08942)."""
    _at_least(1, "n", n)
    below = np.tril(np.random.default_rng(seed).random((n, n)), -1)
    upper = np.triu(np.ones((n, n)), 1)
    return PreferenceGame(below + upper * (1 - below.T) + 0.5 * np.eye(n))


def blotto(coins: int, fields: int) -> PreferenceGame:
    """Colonel Blotto: whoever puts more coins on more fields wins; blotto(10, 3) has 66 responses."""
    _at_least(1, "coins", coins)
    _at_least(1, "fields", fields)
    bars = itertools.combinations(range(coins + fields - 1), fields - 1)
    armies = np.array([np.diff((-1, *bar, coins + fields - 1)) - 1 for bar in bars])
    fields_won = np.sign(armies[:, None, :] - armies[None, :, :]).sum(axis=2)
    return _from_payoffs(np.sign(fields_won), ["-".join(map(str, army)) for army in armies])


def disc(n: int, seed: int = 0) -> PreferenceGame:
    """n points of the unit disc, payoff the cross product y1 z2 - y2 z1 (arXiv:1901.08106)."""
    _at_least(1, "n", n)
    rng = np.random.default_rng(seed)
    angle, radius = 2 * np.pi * rng.random(n), np.sqrt(rng.random(n))
    a, b = radius * np.cos(angle), radius * np.sin(angle)
    return _from_payoffs(np.outer(a, b) - np.outer(b, a))


def skill_and_cycles(n: int, cyclic_share: float, seed: int = 0) -> PreferenceGame:
    """A ranking plus a pure cycle, whose share of the energy (Hodge, on P - 1/2) is `cyclic_share`."""
    _at_least(3, "n", n)
    _probability("cyclic_share", cyclic_share)
    rng = np.random.default_rng(seed)
    skill = rng.standard_normal(n)
    ranking = skill[:, None] - skill[None, :]
    cycle = rng.standard_normal((n, n))
    cycle -= cycle.T
    drift = cycle.mean(axis=1)
    cycle -= drift[:, None] - drift[None, :]
    A = np.sqrt(1 - cyclic_share) * ranking / np.linalg.norm(ranking)
    A += np.sqrt(cyclic_share) * cycle / np.linalg.norm(cycle)
    return _from_payoffs(A / np.abs(A).max())


def low_rank(embeddings: ArrayLike, beta: float = 1.0) -> PreferenceGame:
    """A general preference model (arXiv:2410.02197): P = sigmoid(v_y' R v_z / beta).

    `embeddings` float64[Y, 2k] or float64[X, Y, 2k]; R is block diagonal with blocks [[0, -1], [1, 0]], so
    that the score is antisymmetric and of rank 2k.
    """
    v = np.asarray(embeddings, dtype=np.float64)
    if v.ndim not in (2, 3) or v.shape[-1] % 2:
        raise ValueError(f"embeddings must have shape [Y, 2k] or [X, Y, 2k], got {list(v.shape)}.")
    if not beta > 0:
        raise ValueError(f"beta must be above 0, got {beta}.")
    first, second = v[..., 0::2], v[..., 1::2]
    score = second @ np.swapaxes(first, -1, -2)
    score = score - np.swapaxes(score, -1, -2)
    return PreferenceGame(0.5 + 0.5 * np.tanh(0.5 * score / beta))


# -- hard instances of exploration ---------------------------------------------------------------------------


def hidden_rps(
    tau: float = 0.05, kappa: float = 0.2, q: float = 0.9, m: int = 3, pc: float = 0.7
) -> PreferenceGame:
    """A cycle of m common responses, a rare one `d` that beats them, and a rare one `e` that beats `d`.

    P[A_i > A_(i+1)] = pc, P[d > A_i] = P[e > d] = P[A_i > e] = q; the reference gives d and e
    exp(-kappa / tau) each and shares the rest among the A_i. Intransitive, with an interior equilibrium; a
    learner that does not explore needs about exp(kappa / tau) rounds to meet d.
    """
    return _hidden(tau, kappa, q, m, pc, with_answer=True)


def needle(
    tau: float = 0.05, kappa: float = 0.2, q: float = 0.9, m: int = 3, pc: float = 0.7
) -> PreferenceGame:
    """`hidden_rps` without `e`: the rare response d beats everything and is the equilibrium as tau -> 0."""
    return _hidden(tau, kappa, q, m, pc, with_answer=False)


def _hidden(tau: float, kappa: float, q: float, m: int, pc: float, with_answer: bool) -> PreferenceGame:
    _probability("q", q)
    _probability("pc", pc)
    _at_least(3, "m", m)
    if not tau > 0 or not kappa > 0:
        raise ValueError(f"tau and kappa must be above 0, got {tau} and {kappa}.")
    rare = np.exp(-kappa / tau)
    hidden = 2 if with_answer else 1
    if hidden * rare >= 1:
        raise ValueError(
            f"exp(-kappa / tau) = {rare:.3g} leaves the cycle no mass: lower tau or raise kappa."
        )
    P = np.full((m + hidden, m + hidden), 0.5)
    for i in range(m):
        P[i, (i + 1) % m], P[(i + 1) % m, i] = pc, 1 - pc
    P[m, :m], P[:m, m] = q, 1 - q
    if with_answer:
        P[m + 1, m], P[m, m + 1] = q, 1 - q
        P[:m, m + 1], P[m + 1, :m] = q, 1 - q
    reference = np.full(m + hidden, (1 - hidden * rare) / m)
    reference[m:] = rare
    return PreferenceGame(P, reference, labels=[f"A{i}" for i in range(m)] + ["d", "e"][:hidden])


def duel(p: float = 0.75) -> PreferenceGame:
    """Two responses, the first better: P[0 > 1] = p."""
    _probability("p", p)
    return PreferenceGame([[0.5, p], [1 - p, 0.5]])


def clones(game: PreferenceGame, copies: int | Sequence[int]) -> PreferenceGame:
    """Replace response y by `copies[y]` identical ones that share its reference probability."""
    counts = np.broadcast_to(np.asarray(copies, dtype=np.int64), (game.responses,))
    if (counts < 1).any():
        raise ValueError(f"copies must be at least 1 for every response, got {counts.min()}.")
    source = np.repeat(np.arange(game.responses), counts)
    labels = [
        game.labels[y] if counts[y] == 1 else f"{game.labels[y]}.{copy}"
        for y in range(game.responses)
        for copy in range(counts[y])
    ]
    P = game.P[:, source][:, :, source]
    return PreferenceGame(P, (game.reference / counts)[:, source], game.prompt_weights, labels)


def stack(games: Sequence[PreferenceGame]) -> PreferenceGame:
    """One game whose prompts are those of all `games`, with equal weight for each game.

    Smaller games are filled up with responses of reference probability 0, which are outside the game.
    """
    if not games:
        raise ValueError("stack needs at least one game, got none.")
    Y = max(game.responses for game in games)
    X = sum(game.prompts for game in games)
    P, reference, weights = np.full((X, Y, Y), 0.5), np.zeros((X, Y)), np.zeros(X)
    at = 0
    for game in games:
        rows, n = slice(at, at + game.prompts), game.responses
        P[rows, :n, :n], reference[rows, :n] = game.P, game.reference
        weights[rows] = game.prompt_weights / len(games)
        at += game.prompts
    largest = next(game for game in games if game.responses == Y)
    return PreferenceGame(P, reference, weights, largest.labels)
