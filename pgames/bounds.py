"""Published bounds as functions, each with its source, its assumptions and how sure it is.

    bound = bounds.nash_md(tau=0.1)          # a Bound: what the theorem promises after each number of rounds
    bound(rounds)                            # float64[R] for int[R]
    bound.name, bound.quantity, bound.status, bound.source

`quantity` is "kl" (KL(nash || pi_t), in nats), "exploitability" or "log_ratio" (the largest error of one).
`status` is "proved" (in the source, or in the docstring here) or "observed" (never violated in the tests, no
proof known to us). Constants that we could not derive or check are not here. Payoffs are win rates, so the
Lipschitz constant L of the papers is 1/2. Averages over prompts obey the same bounds.

The thresholds below the bounds are exact for small deviations from the equilibrium: the linearised map.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.exact import nash
from pgames.game import PreferenceGame

Status = Literal["proved", "observed"]


@dataclass(frozen=True)
class Bound:
    """An upper bound on `quantity` after a number of rounds."""

    name: str
    value: Callable[[NDArray[np.float64]], NDArray[np.float64]]
    quantity: Literal["kl", "exploitability", "log_ratio"]
    status: Status
    source: str

    def __call__(self, rounds: ArrayLike) -> NDArray[np.float64]:
        """float64[R] after int[R] rounds, each at least 1."""
        counts = np.asarray(rounds, dtype=np.float64)
        if (counts < 1).any():
            raise ValueError(f"rounds must be at least 1, got {counts.min():g}.")
        return self.value(counts)


def nash_md(tau: float) -> Bound:
    """Nash-MD with eta_t = 2 / (tau (t + 2)): KL(nash || pi_T) <= 8 / (tau^2 (T + 1)) (arXiv:2312.00886).

    For every reference and any number of responses. Very loose: the decay seen is T^-2.
    """
    _positive(tau=tau)
    return Bound(
        f"8 / (tau^2 (T + 1)), tau = {tau:g}",
        lambda T: 8 / (tau**2 * (T + 1)),
        "kl",
        "proved",
        "arXiv:2312.00886, Theorem 1",
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
    _positive(tau=tau, eta=eta)
    proved = 2 * (math.sqrt(1 + tau**2) - tau)
    status = _status("EGPO", eta, proved, observed=min(2.0, 0.5 / tau))
    return _linear("EGPO", 1 - eta * tau, initial, status, "arXiv:2503.08942")


def mmd(tau: float, eta: float, initial: float) -> Bound:
    """MMD (arXiv:2206.05825): KL(nash || pi_T) <= (1 + eta tau)^-T initial, for eta <= 4 tau = tau / L^2."""
    _positive(tau=tau, eta=eta)
    status = _status("MMD", eta, proved=4 * tau, observed=4 * tau)
    return _linear("MMD", 1 / (1 + eta * tau), initial, status, "arXiv:2206.05825")


def inpo(tau: float, eta: float, initial: float) -> Bound:
    """INPO at a constant step: KL(nash || pi_T) <= (1 - eta tau)^T initial, for small steps.

    INPO at eta is MMD at eta / (1 - eta tau): proved for eta / (1 - eta tau) <= 4 tau. Observed from
    there up to eta = 4 tau while eta tau <= 1/2; near eta tau = 1 it is false.
    """
    _positive(tau=tau, eta=eta)
    proved = 4 * tau / (1 + 4 * tau**2)
    status = _status("INPO", eta, proved, observed=min(4 * tau, 0.5 / tau))
    return _linear("INPO", 1 - eta * tau, initial, status, "MMD's (arXiv:2206.05825), reparametrised")


def average_iterate(eta: float, reference: ArrayLike, tau: float = 0.0) -> Bound:
    """Average(MMD(tau, eta)), or Average(SPPO(eta)) at tau = 0: log(1 / min ref) / (eta T) + eta / 8 + 1 / T.

    Bounds the exploitability, at tau, of the mean of pi_1..pi_T. For Average(INPO(tau, eta)) pass
    eta / (1 - eta tau).

    A round is a proximal step: for every p, with u = P pi in [0, 1] and pi' the next policy,
    eta (p'u - pi''u - tau KL(p || ref) + tau KL(pi' || ref)) <= KL(p || pi) - KL(p || pi') - KL(pi' || pi).
    By Hoeffding's lemma eta^2 / 8 pays for writing pi'u = 1/2 in place of pi''u. The sum telescopes,
    KL(. || ref) is convex, and taking u at pi_1..pi_T instead of pi_0..pi_(T-1) costs at most 1 / T.
    """
    _positive(eta=eta)
    smallest = np.min(np.asarray(reference, dtype=np.float64), where=np.asarray(reference) > 0, initial=1.0)
    return Bound(
        f"average iterate, eta = {eta:g}" + (f", tau = {tau:g}" if tau else ""),
        lambda T: (math.log(1 / smallest) / eta + 1) / T + eta / 8,
        "exploitability",
        "proved",
        "Freund and Schapire 1997; derived in the docstring",
    )


def spin(lam: float, initial: float) -> Bound:
    """SPIN: the log-ratios to the expert shrink by |1 - 1/lam| a round, from `initial` (arXiv:2401.01335).

    The logistic minimiser is pi' = pi (expert / pi)^(1/lam), normalised: exact in one round at lam = 1,
    divergent with period two for lam < 1/2.
    """
    _positive(lam=lam)
    factor = abs(1 - 1 / lam)
    return Bound(
        f"|1 - 1/lam|^T, lam = {lam:g}",
        lambda T: initial * factor**T,
        "log_ratio",
        "proved",
        "arXiv:2401.01335; closed form",
    )


def rotation(game: PreferenceGame, tau: float) -> float:
    """The largest rotation frequency w: i w is an eigenvalue of A (diag pi - pi pi') at pi, the Nash of tau.

    A = P - 1/2. The largest over prompts; 0 where there is one response.
    """
    return max((float(rates[0]) for rates in _frequencies(game, tau)), default=0.0)


def inpo_stable_step(game: PreferenceGame, tau: float) -> float:
    """The eta below which INPO's Nash is locally stable: 2 tau / (tau^2 + w^2).

    A round multiplies a mode by 1 - eta tau + i eta w. Above the step the last iterate ends in a limit cycle.
    """
    _positive(tau=tau)
    return 2 * tau / (tau**2 + rotation(game, tau) ** 2)


def mmd_stable_step(game: PreferenceGame, tau: float) -> float:
    """The eta below which MMD's Nash is locally stable: 2 tau / (w^2 - tau^2); inf for w <= tau."""
    _positive(tau=tau)
    w = rotation(game, tau)
    return 2 * tau / (w**2 - tau**2) if w > tau else math.inf


def smoothed_best_response_stable(game: PreferenceGame, tau: float) -> bool:
    """Whether pi' = ref exp(P pi / tau), online IPO minimised every round, is locally stable: w < tau."""
    _positive(tau=tau)
    return rotation(game, tau) < tau


def comal_rate(game: PreferenceGame, tau: float) -> float:
    """The factor of KL(nash || reference) per refresh of COMAL or MPO near the Nash: tau^2 / (tau^2 + w^2).

    w is here the smallest frequency above 0 at the unregularised Nash, because the slowest mode decides. An
    equilibrium that plays every response is assumed. arXiv:2410.23223 proves that the factor is at most 1.
    """
    _positive(tau=tau)
    modes = [w for rates in _frequencies(game, 0.0) for w in rates if w > 1e-9]
    return tau**2 / (tau**2 + min(modes, default=0.0) ** 2)


def _frequencies(game: PreferenceGame, tau: float) -> list[NDArray[np.float64]]:
    """For each prompt, the frequencies w >= 0 in falling order, each pair +-iw once."""
    policy = nash(game, tau).policy
    rates = []
    for x in range(game.prompts):
        pi, inside = policy[x], game.support[x]
        if inside.sum() > 1:
            covariance = np.diag(pi[inside]) - np.outer(pi[inside], pi[inside])
            values, vectors = np.linalg.eigh(covariance)
            root = vectors * np.sqrt(np.maximum(values, 0))
            rotation = root.T @ game.skew[x][np.ix_(inside, inside)] @ root  # antisymmetric, same eigenvalues
            rates.append(np.linalg.svd(rotation, compute_uv=False)[::2])
    return rates


def _linear(name: str, factor: float, initial: float, status: Status, source: str) -> Bound:
    return Bound(f"{name}: {factor:.4g}^T", lambda T: initial * factor**T, "kl", status, source)


def _positive(**values: float) -> None:
    for name, value in values.items():
        if not (math.isfinite(value) and value > 0):
            raise ValueError(f"{name} must be finite and above 0, got {value}.")


def _status(solver: str, eta: float, proved: float, observed: float) -> Status:
    """What is known at this step; ValueError beyond both limits."""
    if eta <= proved * (1 + 1e-12):
        return "proved"
    if eta <= observed * (1 + 1e-12):
        return "observed"
    limit = max(proved, observed)
    raise ValueError(f"{solver}: no bound is known for eta = {eta:g} at this tau; take eta <= {limit:g}.")
