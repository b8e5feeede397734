"""Nash averaging: rate every item against the maximum-entropy equilibrium."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.games.preference import PreferenceGame, as_game
from pgames.numerics import real
from pgames.ratings.scores import Ratings


@dataclass(frozen=True, eq=False, repr=False)
class NashAverage(Ratings):
    """Scores against the equilibrium (at most 0, and 0 for the items in it), and its policy float64[X, Y]."""

    policy: NDArray[np.float64] = field(kw_only=True)  # [X, Y]


def nash_average(game: PreferenceGame | ArrayLike) -> NashAverage:
    """score_y = sum_x weight_x (P_x p_x)_y - 1/2, with p_x the maximum-entropy Nash of prompt x.

    arXiv:1806.02643. Copies of an item change no score, and no item gains by beating weak ones more often.
    An antisymmetric table float64[Y, Y] of payoffs is accepted too; the scores are then in its units. An
    item outside the game of some prompts is scored on those where it takes part.

    Where payoffs differ so much in size that doubles do not resolve those that are played, p is an extreme
    equilibrium, found in exact arithmetic.

    Raises ValueError when a table of payoffs is not finite, square and antisymmetric, and TypeError for
    votes, whose game `pgames.estimate` makes.
    """
    from pgames.exact.equilibrium import nash

    if hasattr(game, "to_game"):  # votes
        game = as_game(game)
    if not isinstance(game, PreferenceGame):
        return _of_payoffs(game)
    policy = nash(game, select="max_entropy").policy
    share = game.prompt_weights[:, None] * game.support
    margins = np.einsum("xyz,xz->xy", game.skew, policy)
    total = share.sum(0)
    scores = np.divide((share * margins).sum(0), total, out=np.zeros_like(total), where=total > 0)
    return NashAverage(game.labels, scores, policy=policy)


def _of_payoffs(payoffs: ArrayLike) -> NashAverage:
    """The scores of an antisymmetric table float64[Y, Y], in its units."""
    from pgames.exact.one_game import solve
    from pgames.exact.unregularised_pair import RESOLVED, measured, relative, unregularised

    table = real("payoffs", payoffs)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.isfinite(table).all():
        raise ValueError(f"payoffs must be a finite square table, got shape {table.shape}.")
    unit = float(np.abs(table).max()) or 1.0
    table = table / unit  # sums of payoffs could overflow
    error = float(np.abs(table + table.T).max())
    if error > 2e-9:
        raise ValueError(
            f"payoffs must be antisymmetric, A + A' is up to {error * unit:.2g}: for probabilities pass "
            "PreferenceGame(P)."
        )
    skew = (table - table.T) / 2
    n = len(skew)
    policy = solve(skew, np.full(n, 1 / n), 0.0, "max_entropy")[0]
    if relative(skew, measured(skew, policy, policy)) > 2 * RESOLVED:  # payoffs of very different size
        policy = unregularised(skew).row
    labels = tuple(str(i) for i in range(n))
    return NashAverage(labels, (skew @ policy) * unit, policy=policy[None])
