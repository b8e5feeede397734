"""Winners of social choice: who wins when a game is read as an election."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.games.preference import PreferenceGame, as_game

TIED = 1e-12  # a preference this close to 1/2 is a tie, as are scores this close


class Winners(NamedTuple):
    """The winners of one election, by name.

    condorcet : the item that a majority prefers to every other, or None.
    weak_condorcet : the items that no majority prefers another to; there can be none.
    copeland : the items that win most pairs, a tie counting one half.
    borda : the items of the largest mean win rate.
    von_neumann : the items that the maximal lottery plays.
    lottery : float64[Y], the maximal lottery: the Nash of the win rates (C2), at tau = 0.
    majority_lottery : float64[Y], the Nash of the majority relation alone (C1): who beats whom, not by how
        much.
    unique : whether the lottery is the only maximal one; None where rounding leaves that open.
    """

    condorcet: str | None
    weak_condorcet: tuple[str, ...]
    copeland: tuple[str, ...]
    borda: tuple[str, ...]
    von_neumann: tuple[str, ...]
    lottery: NDArray[np.float64]
    majority_lottery: NDArray[np.float64]
    unique: bool | None


def winners(game: PreferenceGame) -> Winners:
    """The Condorcet, weak Condorcet, Copeland, Borda and von Neumann winners of a game of one prompt.

    A Condorcet winner is the only weak Condorcet, Copeland and von Neumann winner, but need not win by Borda.
    Where maximal lotteries are several, `lottery` is the one in their middle, which plays every item that
    some of them plays. Responses outside the game take no part. `game` may be a table P[Y, Y].

    Raises ValueError for several prompts: who wins may differ between them.
    """
    from pgames.exact.equilibrium import nash

    game = as_game(game)
    if game.prompts != 1:
        raise ValueError(
            f"winners are those of one prompt, got {game.prompts}: pass game.prompt(x), or PreferenceGame of "
            "the mean of P."
        )
    inside = game.support[0]
    skew = np.where(np.outer(inside, inside), game.skew[0], 0.0)
    sign = np.where(np.abs(skew) <= TIED, 0.0, np.sign(skew))
    n = int(inside.sum())
    names = np.array(game.labels, dtype=object)

    def named(chosen: NDArray[np.bool_]) -> tuple[str, ...]:
        return tuple(str(name) for name in names[chosen & inside])

    beaten = np.asarray((sign < 0).any(axis=1))
    beats_all = np.asarray((sign > 0).sum(axis=1) == n - 1) & inside
    found = nash(game)
    majority = nash(PreferenceGame(0.5 + sign / 2, game.reference, labels=game.labels))
    return Winners(
        condorcet=named(beats_all)[0] if beats_all.any() else None,
        weak_condorcet=named(np.logical_not(beaten)),
        copeland=named(_best(sign.sum(axis=1), inside)),
        borda=named(_best(skew.sum(axis=1), inside)),
        von_neumann=named(found.policy[0] > TIED),
        lottery=found.policy[0],
        majority_lottery=majority.policy[0],
        unique=found.unique,
    )


def _best(scores: NDArray[np.float64], inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    return scores >= np.where(inside, scores, -np.inf).max() - TIED * len(scores)
