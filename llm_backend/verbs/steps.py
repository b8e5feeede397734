"""Mirror steps, tilts and imitation on text: values of responses, and the policy fitted to them."""

from __future__ import annotations

import math
from collections.abc import Callable

import numpy as np

from llm_backend.context import Context
from llm_backend.fits.fit import best_start, fit
from llm_backend.fits.objectives import Imitate, Logistic, Objective, Regress
from llm_backend.fits.policy_gradient import PolicyGradient
from llm_backend.models.logprobs import token_rows
from llm_backend.policies.handles import BASE, Adapter, Leaf, Policy, blend_terms, leaves
from llm_backend.spaces.draws import Draws, Floats, distinct, pairs_within
from llm_backend.verbs.verdicts import judged_both_ways, rates, wins_against, wins_among

Value = Callable[[Draws], Floats]  # Draws of B rows -> float64[B]: how often each row wins, or its score


def mirror_step(context: Context, prior: Policy, opponent: Policy, step: float) -> Adapter:
    """argmax_pi P(pi > opponent) - KL(pi || prior) / step, fitted by `fit.rule`.

    A regression rule judges draws of the opponent against all of them, or every response in exact play.
    A policy gradient judges draws of the policy from which training starts against draws of the opponent.
    step = inf is the best response in exact play, and a step of size `fit.greed` otherwise.
    Raises ValueError when step is 0, and for a policy gradient when it is negative.
    """
    if step == 0:
        raise ValueError("a mirror step of 0 is its prior: use the prior.")
    if step == math.inf and context.exact:
        return _best_response(context, prior, opponent)
    step = step if math.isfinite(step) else math.copysign(context.fit.greed, step)
    if context.fit.estimator is None:
        return _regressed(
            context, prior, opponent, lambda draws: wins(context, draws, opponent), step, "mirror_step"
        )
    return _ascended(context, prior, lambda draws: _wins_apart(context, draws, opponent), step, "mirror_step")


def tilt(context: Context, prior: Policy, score: Value, step: float) -> Adapter:
    """prior * exp(step * score), normalised: fitted on draws of the prior, in exact play on every response.

    score : draws of B rows -> float64[B]. Raises ValueError for a policy gradient with a negative step.
    """
    if context.fit.estimator is None:
        return _regressed(context, prior, prior, score, step, "tilt")
    return _ascended(context, prior, score, step, "tilt")


def distil(context: Context, policy: Policy) -> Adapter:
    """The adapter fitted to a policy by cross entropy to its draws, in exact play to its probabilities."""
    exact = context.exact
    if exact:
        draws, weight = context.listing.all, context.listing.probs(policy)[context.listing.support]
    else:
        draws = context.draw(policy, "opponent")
        weight = np.full(len(draws), 1 / context.drawn)
    objective = Imitate(draws, weight, exact)
    scores = {leaf: context.space.score(leaf, draws) for leaf in leaves(policy) or (BASE,)}
    return train(context, objective, best_start(objective, scores), "distil")


def wins(context: Context, draws: Draws, opponent: Policy) -> Floats:
    """P(row > opponent), float64[B]. `draws` are of the opponent; in exact play they may be of any policy."""
    if context.exact:
        table = np.einsum("xyz,xz->xy", rates(context), context.listing.probs(opponent))
        return table[draws.prompt, draws.column]
    if context.listed:
        return _wins_of_list(context, draws, opponent)
    return wins_among(context.judge, context.prompts, draws)


def _wins_of_list(context: Context, draws: Draws, opponent: Policy) -> Floats:
    """`wins_among` with less noise, float64[B]: a response weighs p / (1 - (1 - p)^K), normalised.

    A drawn response weighs its probability divided by the probability of being drawn at least once in K, in
    place of its count. With few responses the noise is a fraction of that of counts; with many rare responses
    both are the same.
    """
    listed = context.listing
    pairs = pairs_within(draws, len(context.prompts))
    first, second = draws.take(pairs[:, 0]), draws.take(pairs[:, 1])
    won = judged_both_ways(context.judge, context.prompts, first, second)
    (X, Y), (y, z) = listed.support.shape, (first.column, second.column)
    total, met = np.zeros((X, Y, Y)), np.zeros((X, Y, Y))
    for this, other, some in ((y, z, won[0]), (z, y, won[1])):
        np.add.at(total, (first.prompt, this, other), some)
        np.add.at(met, (first.prompt, this, other), 1)
    lead = np.where(met > 0, total / np.maximum(met, 1) - 0.5, 0.0)
    p, drawn = listed.probs(opponent), np.zeros((X, Y), np.bool_)
    drawn[draws.prompt, draws.column] = True
    with np.errstate(divide="ignore"):
        chance = -np.expm1(context.drawn * np.log1p(-np.minimum(p, 1.0)))
    weight = np.where(drawn, p / np.where(drawn, chance, 1.0), 0.0)
    table = np.einsum("xyz,xz->xy", lead, weight / np.maximum(weight.sum(axis=1, keepdims=True), 1e-300))
    return 0.5 + table[draws.prompt, draws.column]


def train(context: Context, objective: Objective, start: Leaf, verb: str) -> Adapter:
    """The policy that minimises the objective, trained from `start`; appends a note to the journal."""
    how = context.space.sampling
    fitted = fit(
        context.lm,
        start,
        objective,
        how.prompts,
        context.fit,
        how.temperature,
        context.key("order"),
        how.shortest,
    )
    context.journal.append(
        {
            "round": context.round,
            "verb": verb,
            "loss": fitted.losses[-1],
            "first_loss": fitted.losses[0],
            "steps": len(fitted.losses),
            "tokens": fitted.tokens,
            "seconds": fitted.seconds,
        }
    )
    return fitted.policy


def leaf_scores(context: Context, prior: Policy, draws: Draws) -> tuple[dict[Leaf, Floats], Floats]:
    """Log-probabilities float64[B] of the prior's leaves, and of the prior up to a constant per prompt."""
    terms = blend_terms(prior)
    scores = {leaf: context.space.score(leaf, draws) for _, leaf in terms}
    return scores, np.sum([w * scores[leaf] for w, leaf in terms], axis=0)


def heaviest_leaf(policy: Policy) -> Leaf:
    """The leaf of largest absolute weight in a geometric mixture. Raises ValueError when there is none."""
    return max(blend_terms(policy), key=lambda term: abs(term[0]))[1]


def half_uniform(context: Context, policy: Policy) -> Floats:
    """float64[B] over every listed response, summing to 1 per prompt: half the policy, half uniform.

    The fit then reaches responses that the policy rarely gives.
    """
    draws, support = context.listing.all, context.listing.support
    return 0.5 * context.listing.probs(policy)[support] + 0.5 / support.sum(axis=1)[draws.prompt]


def _regressed(
    context: Context, prior: Policy, sampler: Policy, value: Value, step: float, verb: str
) -> Adapter:
    """prior * exp(step value), fitted by regression on draws of the sampler."""
    if context.exact:
        draws, weight = context.listing.all, half_uniform(context, sampler)
    else:
        draws = context.draw(sampler, "opponent")
        weight = np.full(len(draws), 1 / context.drawn)
    worth = value(draws)
    draws, where = distinct(draws)  # a repeated response is trained on once, at the mean of its values
    mass = np.bincount(where, weight).astype(np.float64)
    worth, weight = np.bincount(where, weight * worth) / mass, mass
    scores, log_prior = leaf_scores(context, prior, draws)
    loss = Regress if context.fit.rule == "regress" else Logistic
    objective = loss(draws, log_prior, step * worth, weight)
    return train(context, objective, best_start(objective, scores), verb)


def _ascended(context: Context, prior: Policy, value: Value, step: float, verb: str) -> Adapter:
    """prior * exp(step value), by policy gradient from the prior's heaviest leaf."""
    if step < 0:
        raise ValueError(f"a policy gradient needs a step above 0, got {step}: use Fit(rule='regress').")
    start, listed, how = heaviest_leaf(prior), context.space.listed, context.space.sampling
    if listed is not None:
        draws, _ = listed.of(context.round_prompts())
        weight = listed.probs(start)[draws.prompt, draws.column]
    else:
        draws = context.draw(start, "candidates")
        weight = np.full(len(draws), 1 / context.drawn)
    asked = [how.prompts[x] for x in draws.prompt]
    old = token_rows(context.lm, start, asked, draws.tokens, how.temperature, context.fit.rows, how.shortest)
    _, log_prior = leaf_scores(context, prior, draws)
    assert context.fit.estimator is not None
    objective = PolicyGradient(
        draws, log_prior, value(draws), weight, old, step, context.fit.estimator, context.listed
    )
    return train(context, objective, start, verb)


def _best_response(context: Context, prior: Policy, opponent: Policy) -> Adapter:
    """The prior restricted to the best responses of an enumerable game, imitated."""
    draws, support = context.listing.all, context.listing.support
    worth = np.full(support.shape, -np.inf)
    worth[support] = wins(context, draws, opponent)
    best = worth >= worth.max(axis=1, keepdims=True) - 1e-12
    wanted = np.where(best, context.listing.probs(prior), 0.0)
    objective = Imitate(draws, (wanted / wanted.sum(axis=1, keepdims=True))[support], listed=True)
    scores, _ = leaf_scores(context, prior, draws)
    return train(context, objective, best_start(objective, scores), "mirror_step")


def _wins_apart(context: Context, draws: Draws, opponent: Policy) -> Floats:
    """P(row > opponent), float64[B], of draws of any policy, against fresh draws of the opponent."""
    if context.exact:
        return wins(context, draws, opponent)
    return wins_against(context.judge, context.prompts, draws, context.draw(opponent, "opponent"))
