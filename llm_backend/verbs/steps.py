"""Mirror steps and tilts on text: what each response is worth, and the policy fitted to it."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, cast

import numpy as np

from llm_backend.fits.fit import best_start, fit
from llm_backend.fits.objectives import Imitate, Kind, Logistic, Objective, PolicyGradient, Regress
from llm_backend.models.logprobs import token_rows
from llm_backend.policies.handles import BASE, Adapter, Leaf, Policy, blend_terms, leaves
from llm_backend.spaces.draws import Draws, Floats, distinct, pairs_within
from llm_backend.verbs.verdicts import judged_both_ways, wins_against, wins_among

if TYPE_CHECKING:
    from llm_backend.arena import TextArena

Value = Callable[[Draws], Floats]  # what each row is worth: how often it wins, or its score
REGRESSIONS = ("regress", "logistic")


def mirror_step(arena: TextArena, prior: Policy, opponent: Policy, step: float) -> Adapter:
    """`TextArena.mirror_step`."""
    if step == 0:
        raise ValueError("a mirror step of 0 is its prior: use that.")
    if step == math.inf and arena.samples is None:
        return _best_response(arena, prior, opponent)
    step = step if math.isfinite(step) else math.copysign(arena.fit.greed, step)
    if arena.fit.rule in REGRESSIONS:
        return _regressed(
            arena, prior, opponent, lambda draws: wins(arena, draws, opponent), step, "mirror_step"
        )
    return _ascended(arena, prior, lambda draws: _wins_apart(arena, draws, opponent), step, "mirror_step")


def tilt(arena: TextArena, prior: Policy, score: Value, step: float) -> Adapter:
    """`TextArena.tilt`."""
    if arena.fit.rule in REGRESSIONS:
        return _regressed(arena, prior, prior, score, step, "tilt")
    return _ascended(arena, prior, score, step, "tilt")


def distil(arena: TextArena, policy: Policy) -> Adapter:
    """`TextArena.distil`."""
    exact = arena.samples is None
    if exact:
        draws, weight = arena.space.all, arena.space.probs(policy)[arena.space.support]
    else:
        draws = arena.draw(policy, "opponent")
        weight = np.full(len(draws), 1 / cast(int, arena.samples))
    objective = Imitate(draws, weight, exact)
    scores = {leaf: arena.space.score(leaf, draws) for leaf in leaves(policy) or (BASE,)}
    return train(arena, objective, best_start(objective, scores), "distil")


def wins(arena: TextArena, draws: Draws, opponent: Policy) -> Floats:
    """How often the opponent's own draws (any, in exact play) beat it: float64[B]."""
    if arena.samples is None:
        table = np.einsum("xyz,xz->xy", arena.rates(), arena.space.probs(opponent))
        return table[draws.prompt, draws.column]
    if arena.listed:
        return _wins_of_list(arena, draws, opponent)
    return wins_among(arena.judge, arena.prompts, draws)


def _wins_of_list(arena: TextArena, draws: Draws, opponent: Policy) -> Floats:
    """`wins_among`, the opponent's draws weighed by what is known of it: p / (1 - (1 - p)^K), normalised.

    A response drawn once or more of K times weighs its probability over that of being drawn, instead of how
    often it was: of few responses the noise is a fraction, of many rare ones both are the same.
    """
    pairs = pairs_within(draws, len(arena.prompts))
    first, second = draws.take(pairs[:, 0]), draws.take(pairs[:, 1])
    won = judged_both_ways(arena.judge, arena.prompts, first, second)
    (X, Y), (y, z) = arena.space.support.shape, (first.column, second.column)
    total, met = np.zeros((X, Y, Y)), np.zeros((X, Y, Y))
    for this, other, some in ((y, z, won[0]), (z, y, won[1])):
        np.add.at(total, (first.prompt, this, other), some)
        np.add.at(met, (first.prompt, this, other), 1)
    lead = np.where(met > 0, total / np.maximum(met, 1) - 0.5, 0.0)
    p, drawn = arena.space.probs(opponent), np.zeros((X, Y), np.bool_)
    drawn[draws.prompt, draws.column] = True
    with np.errstate(divide="ignore"):
        chance = -np.expm1(cast(int, arena.samples) * np.log1p(-np.minimum(p, 1.0)))
    weight = np.where(drawn, p / np.where(drawn, chance, 1.0), 0.0)
    table = np.einsum("xyz,xz->xy", lead, weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300))
    return 0.5 + table[draws.prompt, draws.column]


def train(arena: TextArena, objective: Objective, start: Leaf, verb: str) -> Adapter:
    """The policy that minimises the objective, noted in the arena's journal."""
    fitted = fit(
        arena.lm,
        start,
        objective,
        arena.space.ids,
        arena.fit,
        arena.temperature,
        arena.key("order"),
        arena.space.shortest,
    )
    arena.journal.append(
        {
            "round": arena.round,
            "verb": verb,
            "loss": fitted.losses[-1],
            "first_loss": fitted.losses[0],
            "steps": len(fitted.losses),
            "tokens": fitted.tokens,
            "seconds": fitted.seconds,
        }
    )
    return fitted.policy


def scored(arena: TextArena, prior: Policy, draws: Draws) -> tuple[dict[Leaf, Floats], Floats]:
    """Log-probabilities of the prior's leaves, and of the prior up to a constant per prompt."""
    terms = blend_terms(prior)
    scores = {leaf: arena.space.score(leaf, draws) for _, leaf in terms}
    return scores, np.sum([w * scores[leaf] for w, leaf in terms], axis=0)


def _regressed(
    arena: TextArena, prior: Policy, sampler: Policy, value: Value, step: float, verb: str
) -> Adapter:
    """prior * exp(step value), fitted by regression on draws of the sampler."""
    if arena.samples is None:
        draws, support = arena.space.all, arena.space.support
        weight = 0.5 * arena.space.probs(sampler)[support] + 0.5 / support.sum(axis=1)[draws.prompt]
    else:
        draws = arena.draw(sampler, "opponent")
        weight = np.full(len(draws), 1 / arena.samples)
    worth = value(draws)
    draws, where = distinct(draws)  # a repeated response is trained once, on the mean of what it was worth
    mass = np.bincount(where, weight).astype(np.float64)
    worth, weight = np.bincount(where, weight * worth) / mass, mass
    scores, log_prior = scored(arena, prior, draws)
    rule = Regress if arena.fit.rule == "regress" else Logistic
    objective = rule(draws, log_prior, step * worth, weight)
    return train(arena, objective, best_start(objective, scores), verb)


def _ascended(arena: TextArena, prior: Policy, value: Value, step: float, verb: str) -> Adapter:
    """prior * exp(step value), by policy gradient from the prior's heaviest leaf."""
    if step < 0:
        raise ValueError(f"a policy gradient needs a step above 0, got {step}: use Fit(rule='regress').")
    start = max(blend_terms(prior), key=lambda term: abs(term[0]))[1]
    if arena.listed:
        draws, _ = arena.space.of(arena.turn())
        weight = arena.space.probs(start)[draws.prompt, draws.column]
    else:
        draws = arena.draw(start, "candidates")
        weight = np.full(len(draws), 1 / cast(int, arena.samples))
    asked = [arena.space.ids[x] for x in draws.prompt]
    how = (arena.temperature, arena.fit.rows, arena.space.shortest)
    old = token_rows(arena.lm, start, asked, draws.tokens, *how)
    _, log_prior = scored(arena, prior, draws)
    kind = cast(Kind, arena.fit.rule)
    objective = PolicyGradient(draws, log_prior, value(draws), weight, old, step, kind, arena.listed)
    return train(arena, objective, start, verb)


def _best_response(arena: TextArena, prior: Policy, opponent: Policy) -> Adapter:
    """The prior restricted to the best responses of an enumerable game, imitated."""
    draws, support = arena.space.all, arena.space.support
    rates = np.full(support.shape, -np.inf)
    rates[support] = wins(arena, draws, opponent)
    best = rates >= rates.max(axis=1, keepdims=True) - 1e-12
    wanted = np.where(best, arena.space.probs(prior), 0.0)
    objective = Imitate(draws, (wanted / wanted.sum(axis=1, keepdims=True))[support], listed=True)
    scores, _ = scored(arena, prior, draws)
    return train(arena, objective, best_start(objective, scores), "mirror_step")


def _wins_apart(arena: TextArena, draws: Draws, opponent: Policy) -> Floats:
    """How often draws of any policy beat fresh draws of the opponent."""
    if arena.samples is None:
        return wins(arena, draws, opponent)
    return wins_against(arena.judge, arena.prompts, draws, arena.draw(opponent, "opponent"))
