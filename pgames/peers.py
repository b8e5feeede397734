"""Games of other libraries, by their own objects: nashpy, pygambit and OpenSpiel, read and handed back.

A peer's object is recognised by its methods, so nothing is imported to read it. A zero-sum game of two
players becomes its payoffs, for `pgames.nash_zero_sum`; where both have the same strategies and payoffs, it
also becomes a PreferenceGame.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.extras import need
from pgames.games.preference import PreferenceGame
from pgames.numerics import real

Array = NDArray[np.float64]

ROUNDING = 1e-9  # of sums of payoffs, relative to the largest


class Payoffs(NamedTuple):
    """What the row player gets, A float64[m, n], and the names of the strategies.

    total : what both players get together, 0 in a zero-sum game.
    """

    A: Array
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    total: float = 0.0


def payoffs(peer: Any) -> Payoffs:
    """The payoffs of the row player in a game of nashpy, pygambit or OpenSpiel.

    Raises TypeError for another object, and ValueError unless the game has two players whose payoffs add up
    to the same number everywhere.
    """
    first, second, rows, columns = _read(peer)
    A, B = real("the payoffs of the row player", first), real("the payoffs of the column player", second)
    if A.ndim != 2 or A.shape != B.shape or not A.size:
        raise ValueError(
            f"the payoffs of both players need one shape [m, n], got {list(A.shape)} and {list(B.shape)}."
        )
    if not (np.isfinite(A) & np.isfinite(B)).all():
        i, j = np.argwhere(~(np.isfinite(A) & np.isfinite(B)))[0]
        raise ValueError(f"the payoffs must be finite, got {A[i, j]} and {B[i, j]} at [{i}, {j}].")
    if (len(rows), len(columns)) != A.shape:
        raise ValueError(
            f"the game names {len(rows)} and {len(columns)} strategies, its payoffs have {list(A.shape)}."
        )
    size = max(float(np.abs(A).max()), float(np.abs(B).max()), 1e-300)
    both = A + B
    total = float(both.flat[0])
    if np.abs(both - total).max() > ROUNDING * size:
        i, j = np.unravel_index(np.argmax(np.abs(both - total)), both.shape)
        raise ValueError(
            f"the game is not zero-sum: the payoffs of both players add up to {total:g} in one cell and to "
            f"{both[i, j]:g} at [{i}, {j}]. pgames solves zero-sum games of two players."
        )
    return Payoffs(A, rows, columns, total)


def game(peer: Any) -> PreferenceGame:
    """The symmetric zero-sum game of nashpy, pygambit or OpenSpiel as a PreferenceGame.

    P = (1 + A) / 2 where all payoffs are in [-1, 1], else (1 + A / max |A|) / 2; with payoffs that add up to
    c > 0, P = A / c. The labels are the names of the row player's strategies.

    Raises TypeError for another object, and ValueError unless the game is zero-sum and A' = -A.
    """
    A, rows, _, total = payoffs(peer)
    skew = A - total / 2
    size = float(np.abs(skew).max())
    if A.shape[0] != A.shape[1] or np.abs(skew + skew.T).max() > ROUNDING * max(size, 1e-300):
        raise ValueError(
            f"the game is not symmetric, its payoffs have shape {list(A.shape)} and A' differs from -A: "
            "solve it as it is, pgames.nash_zero_sum(pgames.peers.payoffs(peer).A)."
        )
    unit = max(total, 2 * size) if total > 0 else 2 * max(size, 1.0)
    return PreferenceGame(0.5 + skew / unit, labels=rows, symmetrise=True)


def to_nashpy(game: PreferenceGame | ArrayLike) -> Any:
    """A nashpy.Game of the payoffs 2 P - 1, or of a matrix A float64[m, n] of any zero-sum game.

    Raises ValueError for a game of several prompts, and ModuleNotFoundError when nashpy is not installed.
    """
    return need("nashpy", "peers").Game(_own(game).A)


def to_gambit(game: PreferenceGame | ArrayLike, title: str = "pgames") -> Any:
    """A pygambit.Game of the payoffs 2 P - 1, or of a matrix A float64[m, n], with the labels as strategies.

    Raises ValueError for a game of several prompts, and ModuleNotFoundError when pygambit is not installed.
    """
    own = _own(game)
    made = need("pygambit", "peers").Game.from_arrays(own.A, -own.A, title=title)
    for player, names in zip(made.players, (own.rows, own.columns), strict=True):
        if len(set(names)) == len(names):
            for strategy, name in zip(player.strategies, names, strict=True):
                strategy.label = name
    return made


def to_openspiel(game: PreferenceGame | ArrayLike, title: str = "pgames") -> Any:
    """A matrix game of OpenSpiel with the payoffs 2 P - 1, or those of a matrix A float64[m, n].

    Raises ValueError for a game of several prompts, and ModuleNotFoundError when OpenSpiel is not installed.
    """
    A, rows, columns, _ = _own(game)
    make = need("pyspiel", "peers").create_matrix_game
    return make(title, title, list(rows), list(columns), A.tolist(), (-A).tolist())


def _own(game: PreferenceGame | ArrayLike) -> Payoffs:
    if isinstance(game, PreferenceGame):
        if game.prompts > 1:
            raise ValueError(
                f"a game of {game.prompts} prompts is {game.prompts} games: pass game.prompt(x)."
            )
        inside = np.flatnonzero(game.support[0])
        names = tuple(game.labels[y] for y in inside)
        return Payoffs(2 * game.skew[0][np.ix_(inside, inside)], names, names)
    A = real("A", game)
    if A.ndim != 2 or 0 in A.shape:
        raise ValueError(f"A must have shape [m, n], got {list(A.shape)}.")
    return Payoffs(A, _numbers(A.shape[0]), _numbers(A.shape[1]))


def _numbers(size: int) -> tuple[str, ...]:
    return tuple(str(i) for i in range(size))


def _read(peer: Any) -> tuple[ArrayLike, ArrayLike, tuple[str, ...], tuple[str, ...]]:
    """Both payoffs and the names of strategies, as the peer holds them."""
    if isinstance(tables := getattr(peer, "payoff_matrices", None), Sequence) and len(tables) == 2:  # nashpy
        shape = np.shape(tables[0]) if len(np.shape(tables[0])) == 2 else (0, 0)
        return tables[0], tables[1], _numbers(shape[0]), _numbers(shape[1])
    if hasattr(peer, "row_utilities"):  # a matrix game of OpenSpiel
        shape = (peer.num_rows(), peer.num_cols())
        A, B = (np.array(u, dtype=np.float64) for u in (peer.row_utilities(), peer.col_utilities()))
        if A.size == B.size == shape[0] * shape[1]:
            A, B = A.reshape(shape), B.reshape(shape)
        rows = tuple(peer.row_action_name(i) for i in range(shape[0]))
        return A, B, rows, tuple(peer.col_action_name(j) for j in range(shape[1]))
    if hasattr(peer, "to_arrays") and hasattr(peer, "players"):  # pygambit
        if len(peer.players) != 2:
            raise ValueError(f"a game of two players is needed, this one has {len(peer.players)}.")
        A, B = (np.array(table, dtype=np.float64) for table in peer.to_arrays())
        names = [[str(s.label) for s in player.strategies] for player in peer.players]
        rows, columns = (tuple(n or str(i) for i, n in enumerate(part)) for part in names)
        return A, B, rows, columns
    if type(peer).__module__.startswith("pyspiel"):
        raise TypeError(
            f"a matrix game is needed, got the OpenSpiel game {peer}: pass "
            "pyspiel.extensive_to_matrix_game(game) or pyspiel.load_matrix_game(name)."
        )
    raise TypeError(
        f"a game of nashpy, pygambit or OpenSpiel is needed, got {type(peer).__name__}: pass a matrix to "
        "pgames.nash_zero_sum, or a table to pgames.PreferenceGame."
    )
