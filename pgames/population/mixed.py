"""A row of weights and a list of members as one policy."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from pgames.arena import Mixing
from pgames.numerics import real
from pgames.solver import Pi


def mixed(arena: Mixing[Pi], weights: NDArray[np.float64], members: Sequence[Pi]) -> Pi:
    """sum_k weights[:, k] members[k], for weights float64[S, K].

    Weights float64[S, 2, K] are one row for the attackers and one for the defenders of pairs. Members of
    weight 0 stay in the sum, so that the bits of a run do not depend on other runs. With one run the weights
    are numbers, as text needs them. Raises ValueError when there are not as many weights as members.
    """
    weights = real("weights", weights)
    join = getattr(arena, "join", None)
    if join is not None and weights.ndim == 3 and weights.shape[1] == 2:
        return join(*(mixed(arena, weights[:, role], members) for role in (0, 1)))
    if weights.ndim != 2 or weights.shape[1] != len(members):
        raise ValueError(f"weights must have shape [S, {len(members)}], got {list(weights.shape)}.")
    columns = np.ascontiguousarray(weights.T)
    terms = [
        (float(column[0]) if len(column) == 1 else column, member)
        for column, member in zip(columns, members, strict=True)
    ]
    return arena.mixture(*terms)
