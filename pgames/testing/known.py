"""Games whose equilibrium is known in closed form for any tau, without a solver."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames import games
from pgames.games.preference import PreferenceGame

DEPARTURE = 0.3  # the largest distance of a regularised equilibrium from the unregularised one


class Known(NamedTuple):
    """A named game and its unique equilibrium, probabilities float64[X, Y]."""

    name: str
    game: PreferenceGame
    equilibrium: NDArray[np.float64]


def known_games(tau: float = 0.0) -> list[Known]:
    """Cycles, published tables, a ranking and a stack of unequal prompts, each with its unique equilibrium.

    tau = 0: the Nash of the published game. tau > 0: the same preferences with a reference for which the
    regularised Nash is known. Any pi is the Nash at tau when the reference is pi * exp(-P pi / tau),
    normalised; pi is chosen near the unregularised Nash, so that every game is well conditioned.

    Raises ValueError when tau is negative or not finite.
    """
    if not 0 <= tau < np.inf:
        raise ValueError(f"tau must be finite and at least 0, got {tau}.")
    named = [
        ("cyclic3", games.cyclic(3), [1 / 3] * 3, [0.5, 0.3, 0.2]),
        ("cyclic5", games.cyclic(5, p=0.9), [1 / 5] * 5, [0.4, 0.1, 0.2, 0.2, 0.1]),
        ("comal3", games.comal3(), [4 / 11, 3 / 11, 4 / 11], None),
        ("biased_rps", games.biased_rps(), [1 / 16, 10 / 16, 5 / 16], None),
        ("perturbed_rps", games.perturbed_rps(), [3 / 7, 3 / 7, 1 / 7], None),
        ("m2wu_rps", _m2wu_rps(), [1 / 5, 3 / 5, 1 / 5], None),
        ("dice", games.dice(), [1 / 3] * 3, None),
        ("raters", games.raters(0.1), [1 / 3 + 0.05, 1 / 3 + 0.05, 1 / 3 - 0.1], None),
        ("ranking", games.bradley_terry([0.0, 1.0, 3.0, 1.5]), [0.0, 0.0, 1.0, 0.0], None),
    ]
    known = [
        _known(name, game.with_reference(start) if start else game, np.array([nash]), tau)
        for name, game, nash, start in named
    ]
    by_name = {one.name: one for one in known}
    return [*known, stack_known("two_prompts", [by_name["comal3"], by_name["cyclic5"]])]


def stack_known(name: str, parts: list[Known]) -> Known:
    """Several known games as the prompts of one; the smaller are padded with responses outside the game."""
    game = games.stack([one.game for one in parts])
    rows = [row for one in parts for row in one.equilibrium]
    equilibrium = np.array([np.pad(row, (0, game.responses - len(row))) for row in rows])
    return Known(name, game, equilibrium)


def _known(name: str, game: PreferenceGame, nash: NDArray[np.float64], tau: float) -> Known:
    if tau == 0:
        return Known(name, game, nash)
    aside = np.arange(1.0, game.responses + 1)[::-1]
    away = DEPARTURE * min(1.0, tau / 0.1)
    equilibrium = (1 - away) * nash + away * aside / aside.sum()
    reference = equilibrium * np.exp(-(game.skew[0] @ equilibrium[0]) / tau)
    return Known(name, game.with_reference(reference / reference.sum()), equilibrium)


def _m2wu_rps() -> PreferenceGame:
    """The biased rock-paper-scissors of Abe et al. (arXiv:2208.09855), payoffs divided by 3."""
    return PreferenceGame((3 + np.array([[0.0, -1, 3], [1, 0, -1], [-3, 1, 0]])) / 6)
