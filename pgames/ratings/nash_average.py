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

    Raises ValueError when a table of payoffs is not finite, square and antisymmetric, and TypeError for
    votes, whose game `pgames.estimate` makes.
    """
    from pgames.exact.equilibrium import nash

    unit = 1.0
    if hasattr(game, "to_game"):  # votes
        game = as_game(game)
    if not isinstance(game, PreferenceGame):
        game, unit = _game_of_payoffs(game)
    policy = nash(game, select="max_entropy").policy
    share = game.prompt_weights[:, None] * game.support
    margins = np.einsum("xyz,xz->xy", game.skew, policy)
    total = share.sum(0)
    scores = np.divide((share * margins).sum(0), total, out=np.zeros_like(total), where=total > 0)
    return NashAverage(game.labels, scores * unit, policy=policy)


def _game_of_payoffs(payoffs: ArrayLike) -> tuple[PreferenceGame, float]:
    """(the game with P - 1/2 = payoffs / unit, unit)."""
    table = real("payoffs", payoffs)
    if table.ndim != 2 or table.shape[0] != table.shape[1] or not np.isfinite(table).all():
        raise ValueError(f"payoffs must be a finite square table, got shape {table.shape}.")
    unit = 2 * float(np.abs(table).max()) or 1.0
    error = float(np.abs(table + table.T).max())
    if error > 1e-9 * unit:
        raise ValueError(
            f"payoffs must be antisymmetric, A + A' is up to {error:.2g}: for probabilities pass "
            "PreferenceGame(P)."
        )
    return PreferenceGame(table / unit + 0.5, symmetrise=True), unit
