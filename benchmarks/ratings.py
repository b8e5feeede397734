"""Speed of Elo and Bradley-Terry on integer arrays against evalica, and the difference of the results.

"alone" is the time of the rating itself, from checked integer columns (ours) or from lists and an index
(evalica); "from arrays" includes converting int32, int32 and int8 arrays to these.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import NOT_INSTALLED, Row, cpu_seconds, folder_of, report, timed, toy_asked
from pgames import ratings
from pgames.votes.comparisons import Comparisons

ITEMS = 200
SIZES = (10**5, 10**6, 10**7)
REPEATS = 3  # of evalica, whose calls take seconds


def main(toy: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """Print the table and write ratings.json."""
    sizes = (2000,) if toy else SIZES
    list(measure(min(20_000, *sizes)))  # imports and compiles
    rows = (row for votes in sizes for row in measure(votes))
    return report("ratings", [(f"Ratings of {ITEMS} items, CPU seconds", rows)], folder_of(toy, folder))


def measure(size: int) -> Iterator[Row]:
    """One row per method for `size` votes: seconds from integer arrays, and of the rating alone."""
    left, right, winner = simulate(size)
    votes = Comparisons(left, right, winner)
    ours = {
        "elo": lambda v: ratings.elo(v).scores,
        "bradley_terry": lambda v: ratings.bradley_terry(v).strengths,
    }
    for method, rate in ours.items():
        row: Row = {"votes": size, "method": method}
        row["alone"] = cpu_seconds(lambda rate=rate: rate(_uncounted(votes)))
        row["from arrays"] = cpu_seconds(lambda rate=rate: rate(Comparisons(left, right, winner)))
        try:
            preparing, lists = timed(lambda: _lists(left, right, winner), 1)
        except ImportError:
            yield row | {"evalica": NOT_INSTALLED}
            continue
        seconds, published = timed(lambda method=method, lists=lists: _evalica(method, lists), REPEATS)
        row["evalica alone"] = seconds
        row["evalica from arrays"] = preparing + seconds
        row["ratio alone"] = row["evalica alone"] / row["alone"]
        row["ratio from arrays"] = row["evalica from arrays"] / row["from arrays"]
        row["relative difference"] = float(np.abs(rate(votes) / published - 1).max())
        yield row


def simulate(size: int, seed: int = 0) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Votes between 200 Bradley-Terry items, one in five a tie: int32, int32, int8."""
    rng = np.random.default_rng(seed)
    scores = rng.normal(size=ITEMS)
    left = rng.integers(ITEMS, size=size, dtype=np.int32)
    right = (left + rng.integers(1, ITEMS, size=size, dtype=np.int32)) % ITEMS
    won = rng.random(size) < 1 / (1 + np.exp(scores[right] - scores[left]))
    winner = np.where(rng.random(size) < 0.2, 0, np.where(won, 1, -1)).astype(np.int8)
    return left, right, winner


def _uncounted(votes: Comparisons) -> Comparisons:
    """The same votes without the counts that an earlier call left on them."""
    fresh = object.__new__(Comparisons)
    for name in ("left", "right", "winner", "prompt", "items", "prompts"):
        object.__setattr__(fresh, name, getattr(votes, name))
    return fresh


def _lists(left: np.ndarray, right: np.ndarray, winner: np.ndarray) -> tuple:
    """The arguments of evalica: lists of items and of winners, and an index of the items."""
    import pandas as pd
    from evalica import Winner

    outcome = {1: Winner.X, 0: Winner.Draw, -1: Winner.Y}
    return left.tolist(), right.tolist(), [outcome[w] for w in winner.tolist()], pd.Index(range(ITEMS))


def _evalica(method: str, lists: tuple) -> np.ndarray:
    import evalica

    if method == "elo":
        return evalica.elo(*lists).scores.loc[list(range(ITEMS))].to_numpy()
    strengths = evalica.bradley_terry(*lists, tolerance=1e-12, limit=1000).scores.loc[list(range(ITEMS))]
    return (strengths / strengths.sum()).to_numpy()


if __name__ == "__main__":
    main(toy_asked())
