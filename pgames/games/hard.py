"""Hard instances of exploration: the reference almost never plays a response that matters."""

from __future__ import annotations

import numpy as np

from pgames.games.building import check_at_least, check_probability
from pgames.games.preference import PreferenceGame
from pgames.numerics import number


def hidden_rps(
    tau: float = 0.05, kappa: float = 0.2, q: float = 0.9, m: int = 3, pc: float = 0.7
) -> PreferenceGame:
    """A cycle of m common responses, a rare one `d` that beats them, and a rare one `e` that beats `d`.

    P[A_i > A_(i+1)] = pc, P[d > A_i] = P[e > d] = P[A_i > e] = q; the reference gives d and e
    exp(-kappa / tau) each and shares the rest among the A_i. Intransitive, with an interior equilibrium; a
    learner that does not explore needs about exp(kappa / tau) rounds to sample d.
    """
    return _hidden(tau, kappa, q, m, pc, with_answer=True)


def needle(
    tau: float = 0.05, kappa: float = 0.2, q: float = 0.9, m: int = 3, pc: float = 0.7
) -> PreferenceGame:
    """`hidden_rps` without `e`: the rare response d beats everything and is the equilibrium as tau -> 0."""
    return _hidden(tau, kappa, q, m, pc, with_answer=False)


def _hidden(tau: float, kappa: float, q: float, m: int, pc: float, with_answer: bool) -> PreferenceGame:
    check_probability("q", q)
    check_probability("pc", pc)
    check_at_least(3, "m", m)
    if not 0 < number(tau) < np.inf or not 0 < number(kappa) < np.inf:
        raise ValueError(f"tau and kappa must be finite and above 0, got {tau!r:.60} and {kappa!r:.60}.")
    rare = np.exp(-kappa / tau)
    hidden = 2 if with_answer else 1
    if hidden * rare >= 1:
        raise ValueError(
            f"exp(-kappa / tau) = {rare:.3g} leaves no mass for the cycle: lower tau or raise kappa."
        )
    P = np.full((m + hidden, m + hidden), 0.5)
    for i in range(m):
        P[i, (i + 1) % m], P[(i + 1) % m, i] = pc, 1 - pc
    P[m, :m], P[:m, m] = q, 1 - q
    if with_answer:
        P[m + 1, m], P[m, m + 1] = q, 1 - q
        P[:m, m + 1], P[m + 1, :m] = q, 1 - q
    reference = np.full(m + hidden, (1 - hidden * rare) / m)
    reference[m:] = rare
    return PreferenceGame(P, reference, labels=[f"A{i}" for i in range(m)] + ["d", "e"][:hidden])
