"""The algebra of verbs: formulas and identities of mixtures, win rates and mirror steps."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from pgames.regularisers import KL
from pgames.solver import Pi, Weight
from pgames.testing.looking import Tried, offers_rates
from pgames.testing.report import Measured, Property
from pgames.testing.subject import Array, Subject, apart, inner_step, worst_identity

STEP = 2.0


def _normalised(logs: Array) -> Array:
    p = np.exp(logs - logs.max(axis=-1, keepdims=True))
    return p / p.sum(axis=-1, keepdims=True)


def _weighted(weight: float, logs: Array) -> Array:
    return np.where(np.isneginf(logs), -np.inf, weight * logs)


# -- mixtures --------------------------------------------------------------------------------------------


def _geometric_formula(s: Subject[Pi]) -> Measured:
    a, b, c = s.policies
    worst = 0.0
    for weights in ((0.2, 0.5, 0.3), (1.5, -0.8, 0.3), (0.4, 0.1, 0.9)):
        made = s.arena.geometric_mixture(*zip(weights, (a, b, c), strict=True))
        if s.regulariser != KL():
            dual = sum(_weighted(w, s.dual(pi)) for w, pi in zip(weights, (a, b, c), strict=True))
            worst = np.maximum(worst, apart(s.probs(made), s.with_dual(np.asarray(dual), made)))
            continue
        logs = sum(_weighted(w, s.logs(pi)) for w, pi in zip(weights, (a, b, c), strict=True))
        worst = np.maximum(worst, apart(s.probs(made), _normalised(np.asarray(logs))))
    return Measured("the distance from prod pi ** w, normalised,", float(worst), s.tolerance)


def _geometric_identities(s: Subject[Pi]) -> Measured:
    a, b, c = s.policies
    mix = s.arena.geometric_mixture
    pairs = {
        "one term of weight 1": (mix((1.0, a)), a),
        "a policy with itself": (mix((0.3, a), (0.7, a)), a),
        "another order of terms": (mix((0.3, a), (0.7, b)), mix((0.7, b), (0.3, a))),
        "a mixture of mixtures": (
            mix((0.6, mix((0.5, a), (0.5, b))), (0.4, c)),
            mix((0.3, a), (0.3, b), (0.4, c)),
        ),
        "a negative weight that undoes a mixture": (mix((2.0, mix((0.5, a), (0.5, b))), (-1.0, b)), a),
    }
    return worst_identity(s, pairs)


def _mixture_formula(s: Subject[Pi]) -> Measured:
    a, b, c = s.policies
    made = s.probs(s.arena.mixture((0.2, a), (0.5, b), (0.3, c)))
    formula = 0.2 * s.probs(a) + 0.5 * s.probs(b) + 0.3 * s.probs(c)
    return Measured("the distance from sum w pi", apart(made, formula), s.tolerance)


def _mixture_identities(s: Subject[Pi]) -> Measured:
    a, b, c = s.policies
    mix = s.arena.mixture
    pairs = {
        "one term of weight 1": (mix((1.0, a)), a),
        "a policy with itself": (mix((0.3, a), (0.7, a)), a),
        "a term of weight 0": (mix((0.0, a), (1.0, b)), b),
        "another order of terms": (mix((0.3, a), (0.7, b)), mix((0.7, b), (0.3, a))),
        "a mixture of mixtures": (
            mix((0.6, mix((0.5, a), (0.5, b))), (0.4, c)),
            mix((0.3, a), (0.3, b), (0.4, c)),
        ),
    }
    return worst_identity(s, pairs)


# -- win rates -------------------------------------------------------------------------------------------


def _antisymmetry(s: Subject[Pi]) -> Measured:
    a, b, _ = s.policies
    gap, allowed = s.average(lambda arena: arena.win_rate(a, b) + arena.win_rate(b, a) - 1, 2**0.5)
    return Measured("P(a > b) + P(b > a) - 1", gap, allowed)


def _self_play(s: Subject[Pi]) -> Measured:
    a, b, _ = s.policies
    gap, allowed = s.average(
        lambda arena: np.stack([np.atleast_1d(arena.win_rate(p, p)) - 0.5 for p in (a, b)], axis=-1)
    )
    return Measured("P(a > a) - 1/2", gap, allowed)


def _bilinear(s: Subject[Pi]) -> Measured:
    a, b, c = s.policies

    def gap(arena: Tried[Pi]) -> Weight:
        blend = arena.mixture((0.25, a), (0.75, b))
        return arena.win_rate(blend, c) - 0.25 * arena.win_rate(a, c) - 0.75 * arena.win_rate(b, c)

    got, allowed = s.average(gap, 1.5)
    return Measured("P(mixture > c) minus the mean of P(member > c)", got, allowed)


def _win_rate_formula(s: Subject[Pi]) -> Measured | None:
    game = s.game
    if game is None:
        return None
    a, b, _ = s.policies
    exact = s.over_prompts(np.einsum("...xy,xyz,...xz->...x", s.probs(a), game.P, s.probs(b)))
    gap, allowed = s.average(lambda arena: arena.win_rate(a, b) - exact)
    return Measured("P(a > b) minus a' P b of the arena's game", gap, allowed)


def _rates_formula(s: Subject[Pi]) -> Measured | None:
    game = s.game
    if game is None or not offers_rates(s.arena):
        return None
    _, b, _ = s.policies
    exact = np.einsum("xyz,...xz->...xy", game.P, s.probs(b))

    def gap(arena: Tried[Pi]) -> Array:
        assert offers_rates(arena)
        return np.where(game.support, arena.rates(b) - exact, 0.0)

    got, allowed = s.average(gap, 2.0)
    return Measured("P(y > b) minus P b of the arena's game", got, allowed)


# -- mirror steps ----------------------------------------------------------------------------------------


def _mirror_optimal(s: Subject[Pi]) -> Measured:
    """At the maximum pi' of J = P(pi > o) - D(pi, prior) / step, J(pi') - J(pi) = D(pi, pi') / step.

    Where pi' leaves out a response of pi, the left side may be larger.
    """
    a, b, c = s.policies

    def gap(arena: Tried[Pi]) -> Weight:
        best = arena.mirror_step(a, b, STEP)
        won = arena.win_rate(best, b) - arena.win_rate(c, b)
        if s.regulariser == KL():
            return won + (kl(c, a) - kl(best, a) - kl(c, best)) / STEP
        beyond = won + (divergence(c, a) - divergence(best, a) - divergence(c, best)) / STEP
        return np.where(leaves_out(best), np.minimum(beyond, 0.0), beyond)

    def divergence(p: Pi, q: Pi) -> Array:
        return s.over_prompts(s.regulariser.divergence(s.probs(p), s.probs(q), s.base))

    def leaves_out(best: Pi) -> Array:
        return ((s.probs(best) == 0) & (s.probs(c) > 0)).any(axis=(-2, -1))

    def kl(p: Pi, q: Pi) -> Array:
        inside = s.probs(p) > 0
        ratio = np.subtract(s.logs(p), s.logs(q), where=inside, out=np.zeros_like(s.probs(p)))
        return s.over_prompts((s.probs(p) * ratio).sum(axis=-1))

    got, allowed = s.average(gap, 2.0)
    return Measured("the gap in J(pi') - J(pi) = KL(pi || pi') / step", got, allowed + STEP * s.noise**2)


def _mirror_formula(s: Subject[Pi]) -> Measured | None:
    game = s.game
    if game is None:
        return None
    a, b, _ = s.policies
    inside = s.probs(a) > 0
    rates = np.einsum("xyz,...xz->...xy", game.P, s.probs(b))

    def gap(arena: Tried[Pi]) -> Array:
        made = arena.mirror_step(a, b, STEP)
        if s.regulariser != KL():
            return _dual_error(s, a, made, rates)
        stepped, before = s.logs(made), s.logs(a)
        ratio = np.subtract(stepped, before, where=inside, out=np.zeros_like(before)) / STEP
        return _centred(ratio - rates, inside)

    got, allowed = s.average(gap, 2.0)
    return Measured("log(pi' / prior) / step minus P(y > opponent), centred,", got, allowed)


def _dual_error(s: Subject[Pi], prior: Pi, made: Pi, rates: Array) -> Array:
    """(phi'(made) - phi'(prior)) / STEP - rates, centred over the responses that `made` plays."""
    played = (s.probs(made) > 0) & (s.probs(prior) > 0)
    with np.errstate(invalid="ignore"):
        moved = (s.dual(made) - s.dual(prior)) / STEP
    return _centred(np.where(played, moved, 0.0) - rates, played)


def _centred(error: Array, inside: NDArray[np.bool_]) -> Array:
    error = np.where(inside, error, 0.0)
    return np.where(inside, error - error.sum(-1, keepdims=True) / inside.sum(-1, keepdims=True), 0.0)


def _steps_add_up(s: Subject[Pi]) -> Measured:
    a, b, _ = s.policies
    step = s.arena.mirror_step
    size = inner_step(s, a, lambda size: step(a, b, size))
    pairs = {
        "two half steps and one": (step(step(a, b, 0.5 * size), b, 0.5 * size), step(a, b, size)),
        "a step and back": (step(step(a, b, 0.5 * size), b, -0.5 * size), a),
        "a step of almost nothing": (step(a, b, 1e-10), a),
    }
    return worst_identity(s, pairs)


def _best_response(s: Subject[Pi]) -> Measured:
    a, b, c = s.policies

    def regret(arena: Tried[Pi]) -> Array:
        best = arena.mirror_step(a, b, np.inf)
        others = (a, c, arena.mirror_step(best, b, 5.0))
        rate = arena.win_rate(best, b)
        return np.stack([np.atleast_1d(arena.win_rate(other, b) - rate) for other in others], axis=-1)

    got, allowed = s.average(regret, 2.0, one_sided=True)
    return Measured("the win rate of another policy above that of step = inf", got, allowed)


ALGEBRA = (
    Property(
        "geometric_formula",
        _geometric_formula,
        "Is the product normalised, and are negative weights allowed?",
    ),
    Property(
        "geometric_identities",
        _geometric_identities,
        "Exponents must compose: is a mixture approximated, or a term dropped?",
    ),
    Property(
        "mixture_formula",
        _mixture_formula,
        "mixture is a weighted sum of probabilities, not of logits.",
    ),
    Property(
        "mixture_identities",
        _mixture_identities,
        "Weights must compose: is a mixture approximated, or a term dropped?",
    ),
    Property(
        "antisymmetry",
        _antisymmetry,
        "The judge favours one position: ask in both orders, or use (P + 1 - P') / 2.",
    ),
    Property(
        "self_play",
        _self_play,
        "A policy beats itself half of the time: is a response judged 1/2 against itself?",
    ),
    Property(
        "bilinear",
        _bilinear,
        "The win rate of a mixture is the mean of its members': does win_rate use only one of them?",
    ),
    Property(
        "win_rate_formula",
        _win_rate_formula,
        "win_rate(first, second) must be first' P second, averaged with the prompt weights.",
    ),
    Property(
        "rates_formula",
        _rates_formula,
        "rates(policy) are P(y > policy) of every response y: not P(policy > y), and of the same prompt.",
    ),
    Property(
        "mirror_optimal",
        _mirror_optimal,
        "mirror_step is not the maximum: a wrong sign, a missing prior, or win rates against another policy "
        "than the opponent (pair labels on draws of the prior measure the prior).",
    ),
    Property(
        "mirror_formula",
        _mirror_formula,
        "log(pi' / prior), or phi'(pi') - phi'(prior), must be step * P(y > opponent): not against the "
        "prior, and not twice the step.",
    ),
    Property(
        "steps_add_up",
        _steps_add_up,
        "Steps against one opponent add up, negative ones too; a step of 0 is the prior.",
    ),
    Property("best_response", _best_response, "step = inf must be the best response to the opponent."),
)
