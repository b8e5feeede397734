"""Responses that play alike, merged into one before a game is solved, and told apart again afterwards.

Clones win and lose alike against every response, so an equilibrium of the merged game gives one of the whole
game however the probability of a response is split among its clones. The three selections split it as
follows, because each of them is the maximum of a strictly concave function on the equilibria:

    centre, max_entropy : equally; the merged problem weighs a response by the number of its clones.
    closest, and tau > 0 : in proportion to the reference, whose sum is the reference of the merged game.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]

LOOKED_AT = 64  # rows that are compared first; others decide only where these are equal


class Clones(NamedTuple):
    """The groups of clones of a game of n responses.

    first int64[m], the first response of each group; group int64[n], of each response; size float64[m].
    """

    first: NDArray[np.int64]
    group: NDArray[np.int64]
    size: Array

    def sums(self, values: Array) -> Array:
        """The sum of values float64[n] over each group, float64[m]."""
        return np.asarray(np.bincount(self.group, values, len(self.first)), dtype=np.float64)

    def split(self, x: Array, weights: Array) -> Array:
        """Probabilities float64[n]: those of groups, x float64[m], in proportion to weights float64[n]."""
        return x[self.group] * (weights / self.sums(weights)[self.group])


def find_clones(A: Array) -> Clones | None:
    """The groups of equal rows of A float64[n, n] = -A'; None when no two rows are equal."""
    n = len(A)
    some = A[np.linspace(0, n - 1, min(n, LOOKED_AT)).astype(int)]
    # clones are equal in every column, so a weighted sum of some rows tells most responses apart
    codes = (np.sqrt(np.arange(2.0, len(some) + 2))[:, None] * some).sum(axis=0)
    _, candidate, count = np.unique(codes, return_inverse=True, return_counts=True)
    if count.max(initial=1) == 1:
        return None
    first: list[int] = []
    group = np.empty(n, dtype=np.int64)
    known: dict[tuple[int, bytes], int] = {}
    for y, (kind, alone) in enumerate(zip(candidate.tolist(), (count == 1)[candidate].tolist(), strict=True)):
        key = (kind, b"" if alone else (A[y] + 0.0).tobytes())  # -0.0 is 0.0
        if (place := known.setdefault(key, len(first))) == len(first):
            first.append(y)
        group[y] = place
    if len(first) == n:
        return None
    return Clones(np.array(first), group, np.bincount(group).astype(np.float64))
