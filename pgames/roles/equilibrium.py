"""The exact equilibrium of a game of two roles."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.arena import Pair
from pgames.exact.zero_sum import check_taus, nash_zero_sum
from pgames.numerics import normalise
from pgames.roles import certificates
from pgames.roles.matrix import MatrixRoles
from pgames.roles.prompts import PromptRoles

Array = NDArray[np.float64]
TIE = 1e-12  # rates that differ by less are equally good


class RoleEquilibrium(NamedTuple):
    """Both strategies, how often the attack succeeds, and what a best response of each role gains.

    attacker : float64[m], or float64[X] of prompts; probabilities.
    defender : float64[n], or float64[X, Y] of answers to each prompt.
    value : the success rate of the attacker against the defender.
    gains : of both roles, at least 0: the certificate, computed from the strategies alone.
    """

    attacker: Array
    defender: Array
    value: float
    gains: Pair[float]


def nash_roles(game: MatrixRoles | PromptRoles, tau: float | tuple[float, float] = 0.0) -> RoleEquilibrium:
    """The equilibrium of a game of two roles, each regularised to its reference with its own tau.

    tau : one number, or one for the attacker and one for the defender. For `MatrixRoles` both are 0 or both
        above 0 (`pgames.nash_zero_sum`); prompts have a closed form for any tau of at least 0. At 0 the best
        prompts and answers are played in proportion to the reference.

    Raises TypeError for another game, ValueError for a tau out of range, and RuntimeError as `nash_zero_sum`.
    """
    if isinstance(game, MatrixRoles):
        taus = check_taus(tau)
        found = nash_zero_sum(game.success, taus, game.halves(game.reference))
        return _certified(game, found.row, found.column, taus)
    if not isinstance(game, PromptRoles):
        raise TypeError(f"nash_roles needs MatrixRoles or PromptRoles, got {type(game).__name__}.")
    taus = check_taus(tau, alike=False)
    attacker, defender = game.halves(game.reference)
    answers = _response(defender, -game.success, taus[1])
    prompts = _response(attacker, (answers * game.success).sum(axis=-1), taus[0])
    return _certified(game, prompts, answers, taus)


def _response(reference: Array, rates: Array, tau: float) -> Array:
    """The best response to rates float64[..., N] with KL tau to the reference."""
    with np.errstate(divide="ignore"):
        logs = np.log(reference)
    if tau > 0:
        return np.exp(normalise(logs + rates / tau))
    rates = np.where(reference > 0, rates, -np.inf)
    best = rates >= rates.max(axis=-1, keepdims=True) - TIE
    return np.exp(normalise(np.where(best, logs, -np.inf)))


def _certified(
    game: MatrixRoles | PromptRoles, attacker: Array, defender: Array, taus: tuple[float, float]
) -> RoleEquilibrium:
    with np.errstate(divide="ignore"):
        logs, reference = np.log(game.table(attacker, defender)[None]), np.log(game.reference)
    gains = certificates.gains(game, reference, logs, Pair(*taus))
    rates = game.halves(game.rates(logs)[0])[0]
    value = float((attacker * rates).sum())
    return RoleEquilibrium(attacker, defender, value, Pair(*(float(one[0]) for one in gains)))
