"""Ratings: one score per item."""

from __future__ import annotations

import html
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgames.frames import Kind, frame

SHOWN = 30  # items in a repr


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

    def to_frame(self, kind: Kind | None = None) -> Any:
        """A data frame of item, score, and low and high where there are intervals, best first.

        It is of pandas or polars as installed. Raises ValueError for another kind, and ModuleNotFoundError
        when narwhals or the library is missing.
        """
        columns: dict[str, Any] = {"item": list(self.ranking), "score": self.scores[self.order]}
        if self.intervals is not None:
            columns["low"], columns["high"] = self.intervals[self.order].T
        return frame(columns, kind)

    def _repr_html_(self) -> str:
        """The best and the number of items, in a table for notebooks."""
        heads = ["rank", "item", "score"] + ([] if self.intervals is None else ["low", "high"])
        rows = []
        for rank, i in enumerate(self.order[:SHOWN], start=1):
            numbers = [self.scores[i], *(() if self.intervals is None else self.intervals[i])]
            cells = [str(rank), html.escape(self.items[i]), *(f"{number:.4f}" for number in numbers)]
            rows.append("".join(f"<td>{cell}</td>" for cell in cells))
        head = "".join(f"<th>{name}</th>" for name in heads)
        more = f"<p>{len(self.items) - SHOWN} more</p>" if len(self.items) > SHOWN else ""
        body = "".join(f"<tr>{row}</tr>" for row in rows)
        return f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>{more}"

    def __repr__(self) -> str:
        width = max(len(self.items[i]) for i in self.order[:SHOWN])
        lines = [f"{type(self).__name__} of {len(self.items)} items"]
        for rank, i in enumerate(self.order[:SHOWN], start=1):
            line = f"{rank:>4}  {self.items[i]:<{width}}  {self.scores[i]:>10.4f}"
            if self.intervals is not None:
                low, high = self.intervals[i]
                line += f"  [{low:.4f}, {high:.4f}]"
            lines.append(line)
        if len(self.items) > SHOWN:
            lines.append(f"      and {len(self.items) - SHOWN} more: to_frame() has all")
        return "\n".join(lines)
