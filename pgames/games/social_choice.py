"""Exchange with social choice: games from rankings and from margin matrices, and margins of a game."""

from __future__ import annotations

from collections.abc import Hashable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.games.preference import PreferenceGame
from pgames.numerics import number, real

WHOLE = 1e-6  # the largest distance of a margin from a whole number that counts as rounding


def from_rankings(
    rankings: Sequence[Sequence[Hashable]],
    counts: ArrayLike | None = None,
    labels: Sequence[str] | None = None,
) -> PreferenceGame:
    """P[y, z] = the share of ballots that rank y above z, ties halved: one game of all Y items.

    Its Nash at tau = 0 is the maximal lottery of the ballots (arXiv:2501.19266), and the von Neumann winner.

    Parameters
    ----------
    rankings : ballots, each the items from the best to the worst; the items that a ballot leaves out are tied
        below those that it ranks.
    counts : float64[B], the voters behind each ballot; one each by default.
    labels : the items in order; by default in the order in which ballots name them first.

    Raises ValueError without ballots, for an item twice on a ballot or not among the labels, and for counts
    that are negative, not finite or all 0.
    """
    if not isinstance(rankings, Sequence | np.ndarray) or isinstance(rankings, str) or not len(rankings):
        raise ValueError("rankings must be a list of at least one ballot, each a list of items.")
    seen = _named(rankings)
    items = list(seen) if labels is None else [str(one) for one in labels]
    if unknown := [one for one in seen if one not in items]:
        raise ValueError(f"a ballot ranks {unknown[0]!r}, which is not among the labels.")
    weights = np.ones(len(rankings)) if counts is None else real("counts", counts)
    if weights.shape != (len(rankings),) or not (weights >= 0).all() or not 0 < weights.sum() < np.inf:
        raise ValueError(
            f"counts must be finite, at least 0 and not all 0, one for each of the {len(rankings)} ballots."
        )
    place = {item: y for y, item in enumerate(items)}
    won = np.zeros((len(items), len(items)))
    for weight, ballot in zip(weights, rankings, strict=True):
        order = [place[str(item)] for item in ballot]
        if len(set(order)) < len(order):
            raise ValueError(f"a ballot ranks an item twice: {list(ballot)}.")
        rank = np.full(len(items), len(items))
        rank[order] = np.arange(len(order))
        won += weight * ((rank[:, None] < rank) + 0.5 * (rank[:, None] == rank))
    return PreferenceGame(won / weights.sum(), labels=items, symmetrise=True)


def _named(rankings: Sequence[Sequence[Hashable]]) -> dict[str, Hashable]:
    """The items by name, in the order in which ballots name them.

    Raises ValueError for a ballot without an order, an item that is missing or a group, and two items of one
    name.
    """
    seen: dict[str, Hashable] = {}
    for n, ballot in enumerate(rankings, start=1):
        if not isinstance(ballot, Sequence | np.ndarray):
            raise ValueError(
                f"ballot {n} must be a list of items from the best to the worst, got {type(ballot).__name__}."
            )
        for item in ballot:
            if isinstance(item, list | tuple | set | frozenset | dict | np.ndarray):
                raise ValueError(
                    f"ballot {n} ranks the group {item!r:.60} as one item: only items that a ballot leaves "
                    "out are tied; split the ballot, with counts."
                )
            if item is None or item != item or item == "":
                raise ValueError(f"ballot {n} ranks an item without a name ({item!r}): leave it out.")
            if seen.setdefault(str(item), item) != item:
                raise ValueError(f"two items are called {str(item)!r}, {item!r} and {seen[str(item)]!r}.")
    return seen


def from_margins(
    margins: ArrayLike, voters: float | None = None, labels: Sequence[str] | None = None
) -> PreferenceGame:
    """P = 1/2 + margins / (2 voters), for margins float64[Y, Y]: voters for y over z minus z over y.

    This is the margin matrix of social choice libraries. Without `voters` the largest margin stands for all
    of them: the Nash at tau = 0 and every winner depend only on ratios of margins, the win rates do not.

    Raises ValueError when margins are not finite, square and antisymmetric, or larger than `voters`.
    """
    M = real("margins", margins)
    if M.ndim != 2 or M.shape[0] != M.shape[1] or not M.size or not np.isfinite(M).all():
        raise ValueError(f"margins must be a finite table float64[Y, Y], got shape {list(M.shape)}.")
    largest = float(np.abs(M).max())
    if (error := float(np.abs(M + M.T).max())) > 1e-9 * max(largest, 1.0):
        y, z = np.unravel_index(int(np.argmax(np.abs(M + M.T))), M.shape)
        raise ValueError(
            f"margins must be antisymmetric: M[{y}, {z}] + M[{z}, {y}] = {error:g}. A table of how many "
            "voters prefer y to z has the margins N - N'."
        )
    people = (largest or 1.0) if voters is None else voters
    if not (0 < number(people) < np.inf and largest <= people):
        raise ValueError(
            f"voters must be finite and at least the largest margin, {largest:g}, got {voters!r:.60}."
        )
    return PreferenceGame(0.5 + M / (2 * people), labels=labels, symmetrise=True)


def to_margins(game: PreferenceGame, voters: int) -> NDArray[np.int64]:
    """The margin matrix int64[Y, Y] of a game of one prompt: voters (2 P - 1), for social choice libraries.

    Raises ValueError for several prompts, and when a margin of so many voters is not a whole number.
    """
    if game.prompts != 1:
        raise ValueError(
            f"margins are those of one prompt, got {game.prompts}: pass game.prompt(x), or the mean of P."
        )
    if not 0 < number(voters) < np.inf:
        raise ValueError(f"voters must be finite and above 0, got {voters!r:.60}.")
    M = 2 * voters * game.skew[0]
    off = np.abs(M - np.round(M))
    if off.max() > WHOLE:
        y, z = np.unravel_index(int(np.argmax(off)), off.shape)
        raise ValueError(
            f"with {voters} voters the margin of {game.labels[y]} over {game.labels[z]} is {M[y, z]:.6g}, no "
            "whole number: pass the number of voters behind the game, or a multiple of it."
        )
    return np.round(M).astype(np.int64)
