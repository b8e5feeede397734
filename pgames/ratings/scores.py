"""Ratings: one score per item."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, eq=False, repr=False)
class Ratings:
    """One score per item, float64[Y], higher is better; intervals float64[Y, 2] where the method has them."""

    items: tuple[str, ...]
    scores: NDArray[np.float64]
    intervals: NDArray[np.float64] | None = None

    @property
    def order(self) -> NDArray[np.intp]:
        """int64[Y]: the numbers of the items, best first; equal scores keep the order of the items."""
        return np.argsort(-self.scores, kind="stable")

    @property
    def ranking(self) -> tuple[str, ...]:
        """The items, best first."""
        return tuple(self.items[i] for i in self.order)

    def keys(self) -> tuple[str, ...]:
        """The items, so that dict(ratings) is {item: score}."""
        return self.items

    def __len__(self) -> int:
        return len(self.items)

    def __iter__(self) -> Iterator[str]:
        return iter(self.items)

    def __getitem__(self, item: str) -> float:
        """The score of an item, by name. Raises KeyError when no item has that name."""
        if item not in self.items:
            raise KeyError(f"no item is named {item!r}; the best is {self.ranking[0]!r}")
        return float(self.scores[self.items.index(item)])

    def __repr__(self) -> str:
        width = max(len(name) for name in self.items)
        lines = [f"{type(self).__name__} of {len(self.items)} items"]
        for rank, i in enumerate(self.order, start=1):
            line = f"{rank:>4}  {self.items[i]:<{width}}  {self.scores[i]:>10.4f}"
            if self.intervals is not None:
                low, high = self.intervals[i]
                line += f"  [{low:.4f}, {high:.4f}]"
            lines.append(line)
        return "\n".join(lines)
