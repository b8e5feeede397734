"""Whether Bradley-Terry scores are finite: every item must be linked to every other by wins or ties."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def refuse_infinite_scores(beats: NDArray[np.float64], items: tuple[str, ...]) -> None:
    """Raises ValueError, naming the items, when some score is infinite (Ford 1957).

    beats float64[Y, Y] : above 0 where y won or tied against z.
    """
    if why := infinite_scores(beats, items):
        raise ValueError(f"{why}: pass prior > 0, or take votes that connect them.")


def infinite_scores(beats: NDArray[np.float64], items: tuple[str, ...]) -> str:
    """Why some score is infinite, naming the items; empty where every score is finite.

    beats float64[Y, Y] : above 0 where y won or tied against z. Scores are finite when every item is linked
    to every other by a chain of wins or ties.
    """
    from scipy.sparse.csgraph import connected_components

    if len(items) == 1:
        return ""
    idle = np.flatnonzero(beats.sum(0) + beats.sum(1) == 0)
    if idle.size:
        return f"{items[idle[0]]!r} has no votes (nor have {idle.size - 1} others)"
    groups, group = connected_components(beats, connection="weak")
    if groups > 1:
        sizes = np.bincount(group)
        one, other = (items[int(np.argmax(group == g))] for g in (0, 1))
        return (
            f"the votes fall into {groups} groups never compared with each other (of {sizes.tolist()} items; "
            f"{one!r} and {other!r} are in different ones)"
        )
    groups, group = connected_components(beats, connection="strong")
    if groups == 1:
        return ""
    loses_out = [bool(beats[np.ix_(group != g, group == g)].any()) for g in range(groups)]
    top = group == loses_out.index(False)
    name = items[int(np.argmax(top))]
    others = f" (with {int(top.sum()) - 1} others)" if top.sum() > 1 else ""
    return (
        f"{name!r}{others} never lost nor tied against the other {int((~top).sum())} items, so its score is "
        "infinite"
    )
