"""Rates of convergence of solvers that know the preference. Payoffs are win rates: the papers' L is 1/2."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike

from pgames.bounds.bound import Bound, Status, not_negative, positive
from pgames.numerics import check_distribution, real


def nash_md(tau: float) -> Bound:
    """Nash-MD with eta_t = 2 / (tau (t + 2)): KL(nash || pi_T) <= 8 / (tau^2 (T + 1)) (arXiv:2312.00886).

    For every reference and any number of responses. The bound is loose: the observed decay is T^-2.
    """
    positive(tau=tau)
    return Bound(
        f"Nash-MD: 8 / (tau^2 (T + 1)), tau = {tau:g}",
        lambda T: 8 / (tau**2 * (T + 1)),
        "kl",
        "proved",
        "arXiv:2312.00886, Theorem 1",
        tau=tau,
        exact=True,
    )


def egpo(tau: float, eta: float, initial: float) -> Bound:
    """EGPO (arXiv:2503.08942): KL(nash || pi_T) <= (1 - eta tau)^T initial, for small steps.

    Proved where eta^2 <= 4 (1 - eta tau), that is h^2 <= 4 (1 + h tau) for h = eta / (1 - eta tau). A round
    is two proximal steps of size h from pi; add their three-point inequalities at the equilibrium, where
    J(nash, ahead) - 1/2 = tau KL(ahead || nash) >= 0. With d = |pi' - ahead|_1, e = |ahead - pi|_1,
    by Pinsker, (1 + h tau) KL(nash || pi') <= KL(nash || pi) - (1 + h tau) d^2/2 - e^2/2 + h d e/2,
    whose last three terms sum to at most 0. Observed up to eta = 2 = 1/L while eta tau <= 1/2; near
    eta tau = 1 it is false.
    """
    positive(tau=tau, eta=eta)
    not_negative(initial=initial)
    proved = 2 / (math.hypot(1, tau) + tau)  # 2 (sqrt(1 + tau^2) - tau)
    status = _status("EGPO", eta, proved, observed=min(2.0, 0.5 / tau))
    return _linear("EGPO", 1 - eta * tau, initial, status, "arXiv:2503.08942", tau)


def mmd(tau: float, eta: float, initial: float) -> Bound:
    """MMD (arXiv:2206.05825): KL(nash || pi_T) <= (1 + eta tau)^-T initial, for eta <= 4 tau = tau / L^2."""
    positive(tau=tau, eta=eta)
    not_negative(initial=initial)
    status = _status("MMD", eta, proved=4 * tau, observed=4 * tau)
    return _linear("MMD", 1 / (1 + eta * tau), initial, status, "arXiv:2206.05825", tau)


def inpo(tau: float, eta: float, initial: float) -> Bound:
    """INPO at a constant step: KL(nash || pi_T) <= (1 - eta tau)^T initial, for small steps.

    INPO at eta is MMD at eta / (1 - eta tau): proved for eta / (1 - eta tau) <= 4 tau. Observed from
    there up to eta = 4 tau while eta tau <= 1/2; near eta tau = 1 it is false.
    """
    positive(tau=tau, eta=eta)
    not_negative(initial=initial)
    proved = 4 * tau / (1 + 4 * tau**2)
    status = _status("INPO", eta, proved, observed=min(4 * tau, 0.5 / tau))
    return _linear("INPO", 1 - eta * tau, initial, status, "MMD's (arXiv:2206.05825), reparametrised", tau)


def average_iterate(eta: float, reference: ArrayLike, tau: float = 0.0) -> Bound:
    """Average(MMD(tau, eta)), or Average(SPPO(eta)) at tau = 0: log(1 / min ref) / (eta T) + eta / 8 + 1 / T.

    Bounds the exploitability, at tau, of the mean of pi_1..pi_T, for a reference float64[Y] or [X, Y]. For
    Average(INPO(tau, eta)) pass eta / (1 - eta tau).

    A round is a proximal step: for every p, with u = P pi in [0, 1] and pi' the next policy,
    eta (p'u - pi''u - tau KL(p || ref) + tau KL(pi' || ref)) <= KL(p || pi) - KL(p || pi') - KL(pi' || pi).
    By Hoeffding's lemma eta^2 / 8 pays for writing pi'u = 1/2 in place of pi''u. The sum telescopes,
    KL(. || ref) is convex, and taking u at pi_1..pi_T instead of pi_0..pi_(T-1) costs at most 1 / T.
    """
    positive(eta=eta)
    not_negative(tau=tau)
    table = real("reference", reference)
    check_distribution("reference", table)
    smallest = np.min(table, where=table > 0, initial=1.0)
    return Bound(
        f"average iterate, eta = {eta:g}" + (f", tau = {tau:g}" if tau else ""),
        lambda T: (math.log(1 / smallest) / eta + 1) / T + eta / 8,
        "exploitability",
        "proved",
        "Freund and Schapire 1997; derived in the docstring",
        tau=tau,
        exact=True,
    )


def spin(lam: float, initial: float) -> Bound:
    """SPIN: the log-ratios to the expert shrink by |1 - 1/lam| a round, from `initial` (arXiv:2401.01335).

    The logistic minimiser is pi' = pi (expert / pi)^(1/lam), normalised: exact in one round at lam = 1,
    divergent with period two for lam < 1/2.
    """
    positive(lam=lam)
    not_negative(initial=initial)
    factor = abs(1 - 1 / lam)
    return Bound(
        f"|1 - 1/lam|^T, lam = {lam:g}",
        lambda T: initial * factor**T,
        "log_ratio",
        "proved",
        "arXiv:2401.01335; closed form",
    )


def _linear(name: str, factor: float, initial: float, status: Status, source: str, tau: float) -> Bound:
    return Bound(
        f"{name}: {factor:.4g}^T",
        lambda T: initial * factor**T,
        "kl",
        status,
        source,
        tau=tau,
        exact=True,
    )


def _status(solver: str, eta: float, proved: float, observed: float) -> Status:
    """The status of the bound at this step. Raises ValueError beyond both limits."""
    if eta <= proved * (1 + 1e-12):
        return "proved"
    if eta <= observed * (1 + 1e-12):
        return "observed"
    limit = max(proved, observed)
    raise ValueError(f"{solver}: no bound is known for eta = {eta:g} at this tau; take eta <= {limit:g}.")
