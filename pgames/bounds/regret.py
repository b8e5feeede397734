"""Regret of learning from duels: gap lemmas, published rates, and lower bounds. T counts rounds.

K is the number of responses and X that of prompts; tau is the KL weight of the game.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.bounds.bound import Bound, positive
from pgames.exact.equilibrium import nash
from pgames.games.preference import PreferenceGame, as_game
from pgames.numerics import check_distribution, check_whole, real

LARGEST = math.log(1e308)  # the power of e that is no float any more


def greedy_gap(policy: ArrayLike, error: ArrayLike, tau: float) -> float:
    """Gap lemma (a): gap(pi) <= (e^(1/tau) / (2 tau)) E_pi error^2, for pi the Nash of a skew estimate.

    error(y) = (P - estimate)(y > pi), float64[Y]. Since pi is its own best response under the estimate,
    gap(pi) = tau log E_pi exp(error / tau); the first-order term vanishes because both tables are
    antisymmetric, and the second derivative is a variance under a tilt of at most e^(1/tau).
    """
    positive(tau=tau)
    p, e = _beside(policy, "error", error)
    spread = float(p @ e**2)
    return _exp(1 / tau + math.log(spread / (2 * tau))) if spread > 0 else 0.0


def optimistic_gap(policy: ArrayLike, width: ArrayLike, tau: float) -> tuple[float, float]:
    """Gap lemma (b): gap(pi) <= E_q b and <= (e / (2 tau)) E_q b^2, q proportional to pi e^(b / tau).

    For |error| <= b = `width` float64[Y]. q is the optimistic best response. It is sampled, so its widths
    shrink, and neither e^(1/tau) nor coverage is needed. Raises ValueError when a width is negative, or not
    one finite number per response.
    """
    positive(tau=tau)
    p, b = _beside(policy, "width", width)
    if (b < 0).any():
        raise ValueError(f"width must be at least 0, got {b.min():g}.")
    with np.errstate(under="ignore"):
        q = p * np.exp((b - b[p > 0].max()) / tau)
    q /= q.sum()
    return float(q @ b), float(math.e / (2 * tau) * (q @ b**2))


def _beside(
    policy: ArrayLike, name: str, values: ArrayLike
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """A policy float64[Y] and the values float64[Y] of its responses. Raises ValueError for anything else."""
    p, beside = real("policy", policy), real(name, values)
    if p.ndim != 1 or beside.shape != p.shape:
        raise ValueError(
            f"policy and {name} must have one number per response, got {list(p.shape)} and "
            f"{list(beside.shape)}."
        )
    check_distribution("policy", p)
    if not np.isfinite(beside).all():
        raise ValueError(f"{name} must be finite, got {beside[~np.isfinite(beside)][0]}.")
    return p, beside


def _exp(power: float) -> float:
    """e^power, inf where that is above every float."""
    return math.exp(power) if power < LARGEST else math.inf


def optimistic_oracle(game: PreferenceGame, tau: float, delta: float = 0.05) -> Bound:
    """`Optimistic`: the lesser of a log T and a sqrt T bound, with probability 1 - delta (our notes, D2).

    (e / (2 tau)) N and sqrt(T N), N = X (K (K - 1) / 2) (1 + (L / 2) (1 + ln T)), L = log(2 K^2 X (1 + T)^2),
    from gap lemma (b) and the widths summed along the duels. Left out: a martingale term of order
    log(1 / delta) / tau, whose constant was not worked out; hence a sketch. T counts rounds of one duel per
    prompt. Raises ValueError when tau is not above 0, or delta not in (0, 1).
    """
    game = as_game(game)
    positive(tau=tau, delta=delta)
    if not delta < 1:
        raise ValueError(f"delta must be a probability in (0, 1), got {delta!r:.60}.")
    pairs = game.responses * (game.responses - 1) / 2

    def value(T: NDArray[np.float64]) -> NDArray[np.float64]:
        confidence = np.log(2 * game.responses**2 * game.prompts * (1 + T) ** 2)
        width = game.prompts * pairs * (1 + confidence / 2 * (1 + np.log(T)))
        return np.minimum(math.e / (2 * tau) * width, np.sqrt(T * width))

    return Bound("minimax oracle, D2", value, "regret", "sketch", "derived from the gap lemma", tau=tau)


def oracle_rate(game: PreferenceGame, tau: float) -> float:
    """The factor b of the a + b ln T that minimax-oracle learners show: sum P (1 - P) nash(z) / (4 tau).

    Over ordered pairs y != z, after burn-in, with duels drawn from the Nash itself; averaged over prompts.
    On `hidden_rps` b = 0.113 / tau; 0.106 / tau is measured.
    """
    game = as_game(game)
    positive(tau=tau)
    pi = nash(game, tau).policy
    noise = (game.P * (1 - game.P)).sum(axis=1) - 0.25  # the diagonal is known
    return float(game.prompt_weights @ (noise * pi).sum(axis=1) / (4 * tau))


def enpo(game: PreferenceGame, tau: float, confidence: float = 1.0, ridge: float = 1.0) -> Bound:
    """`ENPO` at the step sqrt(D / T): external regret of order sqrt(T), without e^(1/tau) (a sketch, D3).

    sqrt(D T) (1 + (1 + 2 tau B)^2 / 2) + rho sqrt(2 K T log(1 + 2 T / ridge)), D = min(1/tau, log 1/min ref),
    |log pi / ref| <= B = 1/tau, rho = `confidence` the error of a round's regression in the buffer's norm.
    Assumes that the mirror step is in the policy class and that rho does not grow.
    """
    game = as_game(game)
    positive(tau=tau, confidence=confidence, ridge=ridge)
    smallest = np.min(game.reference, where=game.reference > 0, initial=1.0)
    D = min(1 / tau, math.log(1 / smallest))

    def value(T: NDArray[np.float64]) -> NDArray[np.float64]:
        explored = confidence * np.sqrt(2 * game.responses * T * np.log(1 + 2 * T / ridge))
        return np.sqrt(D * T) * (1 + (1 + 2 * tau / tau) ** 2 / 2) + explored

    source = "arXiv:2606.01382 (abstract); derived here"
    return Bound("ENPO, sqrt T", value, "regret", "sketch", source, tau=tau)


def passive_lower(rare: float, advantage: float) -> Bound:
    """A learner that does not explore: E Reg(T) >= a (1 - (1 - 2 r)^T) / (2 r) (our notes, D4).

    r = `rare` is the reference probability of a response that would gain a = `advantage` in gap. Until it is
    sampled the policy keeps it at r, and a round samples it with probability at most 2 r. Holds up to factors
    1 + o(1), for learners that treat unseen responses with indifference or as the reference does. On
    `hidden_rps`, r = exp(-kappa / tau) and a = gap(ref), about 0.2: exponential in 1/tau. Raises ValueError
    when `rare` is above 1/2, or either number is not above 0.
    """
    positive(rare=rare, advantage=advantage)
    if rare > 0.5:
        raise ValueError(f"rare must be at most 1/2, got {rare}.")
    return Bound(
        "passive, from below",
        lambda T: advantage * -np.expm1(T * math.log1p(-2 * rare)) / (2 * rare),
        "regret",
        "sketch",
        "derived here; an analogue of arXiv:2405.21046, Proposition 2.1",
        "lower",
    )


def batch_threshold(tau: float, rare: float, advantage: float) -> float:
    """Labels a round below which passive iterative NLHF never escapes: tau / (2 g r) (our notes, D5).

    The rare response is in a round's batch with probability 2 m r; each time, its log-probability moves by
    g / eta, against a pull of (tau / eta) log(pi / ref) of order 1 / eta. Observed: within a factor 5.
    """
    positive(tau=tau, rare=rare, advantage=advantage)
    return tau / (2 * advantage * rare)


def greedy_order(tau: float, responses: int) -> Bound:
    """`Greedy` (Wu, Shi, Yang and Shen, arXiv:2510.24700): of order e^(1/tau) d log T, d = K^2."""
    positive(tau=tau)
    check_whole("responses", responses, 1)
    positive(responses=responses)
    scale = _exp(1 / tau) * responses**2
    return Bound(
        "greedy: e^(1/tau) d log T",
        lambda T: scale * np.log(T + 1),
        "regret",
        "order",
        "arXiv:2510.24700",
        tau=tau,
    )


def enhancer_order(responses: int) -> Bound:
    """Ye et al. (2402.07314): eps-Nash from d / eps^2 samples, so regret of order sqrt(d T); d = K^2."""
    check_whole("responses", responses, 1)
    positive(responses=responses)
    return Bound(
        "enhancer: sqrt(d T)", lambda T: responses * np.sqrt(T), "regret", "order", "arXiv:2402.07314"
    )


def kl_ucb_order(tau: float, responses: int) -> Bound:
    """KL-regularised bandits (arXiv:2502.07460): of order K log^2 T / tau, never above sqrt(K T)."""
    positive(tau=tau)
    check_whole("responses", responses, 1)
    positive(responses=responses)
    return Bound(
        "KL-UCB: min(K log^2 T / tau, sqrt(K T))",
        lambda T: np.minimum(responses * np.log(T + 1) ** 2 / tau, np.sqrt(responses * T)),
        "regret",
        "order",
        "arXiv:2502.07460, arXiv:2603.02155",
        tau=tau,
    )


def inpo_average_order() -> Bound:
    """INPO's average iterate (arXiv:2407.00617): exploitability of order 1 / sqrt(T), exact preferences."""
    return Bound("INPO: 1 / sqrt(T)", lambda T: 1 / np.sqrt(T), "exploitability", "order", "arXiv:2407.00617")
