"""Win rates of a table of votes, smoothed by pseudo-votes and pooled over prompts."""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.counts import PairCounts
from pgames.numerics import real

Ties = Literal["half", "drop"]
TABLES = 10  # float64[X, Y, Y] at the peak of `Comparisons.to_game`
LARGE = 2**30  # bytes
MOST = 1e100  # pseudo-votes, far from overflow


class NamedCounts(NamedTuple):
    """Counts float64[X, Y, Y] with the names of the Y items and the X prompts."""

    counts: PairCounts
    items: tuple[str, ...]
    prompts: tuple[str, ...]


def check_memory(X: int, Y: int) -> None:
    """Warn when the tables of X prompts and Y items take more than 1 GiB.

    Raises ValueError when they would take more than the memory that is free.
    """
    needed = TABLES * 8 * X * Y * Y
    if needed <= LARGE:
        return
    size = f"the win rates of {X:,} prompts x {Y:,} items take up to {needed / 2**30:.1f} GiB"
    advice = (
        "leave out items with few votes, read the votes with prompt=False (--no-prompt), or take fewer "
        "prompts with .subset(prompt=...) or .pooled()"
    )
    free = free_memory()
    if needed > free:
        raise ValueError(f"{size}, and {free / 2**30:.1f} GiB are free: {advice}.")
    warnings.warn(f"{size}: {advice} to need less.", stacklevel=3)


def free_memory() -> float:
    """Bytes of memory that are free, or can be freed; infinite where the system does not tell."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(1024 * int(line.split()[1]) for line in lines if line.startswith("MemAvailable"))
    except (OSError, StopIteration, ValueError):
        return float("inf")


def smoothed(
    votes: NamedCounts, in_game: NDArray[np.bool_], prior: float, pooling: float, ties: Ties
) -> NDArray[np.float64]:
    """P float64[X, Y, Y] of `Comparisons.to_game`, 1/2 on the diagonal and for pairs outside the game.

    in_game : bool[X, Y], the items that take part on each prompt.

    Raises ValueError when prior or pooling is negative or infinite, or when prior = 0 and a pair in the game
    has no votes.
    """
    for name, value in {"prior": prior, "pooling": pooling}.items():
        if not isinstance(value, int | float | np.integer | np.floating) or not 0 <= float(value) <= MOST:
            raise ValueError(f"{name} must be a number of votes in [0, {MOST:g}], got {value!r:.60}.")
    Y = len(votes.items)
    won = (votes.counts if ties == "half" else votes.counts.without_ties()).points
    cast = won + won.transpose(0, 2, 1)
    pooled = won.sum(axis=0)
    total = pooled + pooled.T
    if prior == 0:
        thin = np.broadcast_to(total, won.shape) if pooling > 0 else cast
        pairs = in_game[:, :, None] & in_game[:, None, :] & ~np.eye(Y, dtype=bool)
        _refuse_unseen((thin == 0) & pairs, votes)
    with np.errstate(invalid="ignore"):
        mean = (pooled + prior) / (total + 2 * prior)
        mean[np.isnan(mean)] = 0.5  # pairs outside the game
        P = (won + pooling * mean + prior) / (cast + pooling + 2 * prior)
        P[np.isnan(P)] = 0.5
    P[:, np.arange(Y), np.arange(Y)] = 0.5
    return P


def reference_of(votes: NamedCounts, reference: ArrayLike | None, only_seen: bool) -> NDArray[np.float64]:
    """The reference float64[X, Y], uniform by default; with only_seen, 0 for items without votes on a prompt.

    Raises ValueError when the reference has another shape, or only_seen leaves a prompt without items.
    """
    shape = len(votes.prompts), len(votes.items)
    uniform = np.full(shape, 1 / shape[1])
    policy = uniform if reference is None else real("reference", reference)
    if policy.shape not in (shape, shape[1:], (1, *shape[1:])):
        raise ValueError(
            f"reference must have shape {list(shape)} or {[shape[1]]}, got {list(policy.shape)}."
        )
    policy = np.broadcast_to(policy, shape)
    if not only_seen:
        return policy
    policy = policy * (votes.counts.votes.sum(axis=2) > 0)
    mass = policy.sum(axis=1, keepdims=True)
    if not mass.all():
        name = votes.prompts[int(np.argmin(mass))]
        raise ValueError(f"prompt {name!r} has no votes: drop it with .subset, or pass only_seen=False.")
    return policy / mass


def _refuse_unseen(unseen: NDArray[np.bool_], votes: NamedCounts) -> None:
    if unseen.any():
        x, y, z = np.argwhere(unseen)[0]
        raise ValueError(
            f"{int(unseen.sum()) // 2} pairs have no votes, the first is {votes.items[y]!r} against "
            f"{votes.items[z]!r} on prompt {votes.prompts[x]!r}: pass prior > 0 to fill them."
        )
