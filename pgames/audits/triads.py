"""Cyclic triads beside those that noise alone makes."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.audits.board import Board
from pgames.audits.finding import LEVEL, Finding, not_asked
from pgames.kernels.blocks import njit

BOARDS = 299  # simulated
WORK = 2 * 10**8  # triads looked at in all; fewer boards are simulated where there are more
NAMED = 8


def cyclic_triads(board: Board) -> Finding:
    """Cycles of three, by their weakest step, against votes on a perfect ranking, as many on each pair."""
    probe, votes = "cyclic triads", board.votes
    items = len(votes.items)
    counts = votes.pooled_counts
    asked = np.rint(counts.votes)
    triads = _count(asked > 0)
    if triads == 0:
        return not_asked(probe, "no three items were all compared with each other.")
    seen, strength, worst = _cycles(_margins(counts.wins, asked))
    boards = int(min(BOARDS, max(99, WORK // items**3)))
    upper = np.triu_indices(items, 1)
    rate = board.found.model.win_rates[upper]
    ties = float((votes.winner == 0).mean())
    tie = np.minimum(ties, 2 * np.minimum(rate, 1 - rate))
    chance = np.stack([rate - tie / 2, tie, np.maximum(1 - rate - tie / 2, 0)], axis=1)
    chance /= chance.sum(axis=1, keepdims=True)
    made, strengths, rng = np.empty(boards), np.empty(boards), np.random.default_rng([board.seed, 31])
    for k in range(boards):
        drawn = rng.multinomial(asked[upper].astype(np.int64), chance)
        wins = np.zeros((items, items))
        wins[upper] = drawn[:, 0]
        wins.T[upper] = drawn[:, 2]
        made[k], strengths[k], _ = _cycles(_margins(wins, asked))
    p = (1 + int((strengths >= strength - 1e-9).sum())) / (1 + boards)
    fires = p < LEVEL
    line = f"{int(seen)} of {triads:,} triads are cyclic; votes on a ranking would give {made.mean():.1f}"
    line += ": a ranking is not enough, read the Nash mixture." if fires else "."
    names = votes.items
    details = tuple(
        (f"{names[i]} > {names[j]} > {names[k]} > {names[i]}", float(z)) for i, j, k, z in worst if z > 0
    )
    return Finding(probe, fires, p, line, details[:NAMED], "weakest step in standard errors")


def _margins(wins: NDArray[np.float64], asked: NDArray[np.float64]) -> NDArray[np.float64]:
    """float64[Y, Y]: (wins - losses) / sqrt(votes), 0 where there are none."""
    return np.divide(wins - wins.T, np.sqrt(asked), out=np.zeros_like(wins), where=asked > 0)


@njit
def _count(met):
    n, total = len(met), 0
    for i in range(n):
        for j in range(i + 1, n):
            if met[i, j]:
                for k in range(j + 1, n):
                    total += met[i, k] and met[j, k]
    return total


@njit
def _cycles(margin):
    """(cyclic triads, the sum of their weakest steps squared, the eight with the strongest weakest step)."""
    n, total, strength = len(margin), 0.0, 0.0
    worst = [(0, 0, 0, 0.0) for _ in range(8)]
    for i in range(n):
        for j in range(i + 1, n):  # i is the smallest of its cycle, so each cycle occurs once
            if margin[i, j] <= 0:
                continue
            for k in range(i + 1, n):
                if k != j and margin[j, k] > 0 and margin[k, i] > 0:
                    z = min(margin[i, j], margin[j, k], margin[k, i])
                    total += 1
                    strength += z * z
                    if z > worst[-1][3]:
                        worst[-1] = (i, j, k, z)
                        for place in range(7, 0, -1):
                            if worst[place][3] > worst[place - 1][3]:
                                worst[place], worst[place - 1] = worst[place - 1], worst[place]
    return total, strength, worst
