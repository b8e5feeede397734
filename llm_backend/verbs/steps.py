"""Mirror steps, tilts and imitation on text: values of responses, and the policy fitted to them."""

from __future__ import annotations

import logging
import math
from collections.abc import Callable

import numpy as np

from llm_backend.context import Context
from llm_backend.fits.fit import best_start, fit
from llm_backend.fits.objectives import Imitate, Logistic, Objective, Regress
from llm_backend.fits.policy_gradient import PolicyGradient
from llm_backend.fits.settings import EXACT, LISTED, SAMPLED
from llm_backend.judges.base import JudgeError, name_of
from llm_backend.models.logprobs import token_rows
from llm_backend.policies.handles import BASE, Adapter, Answers, Leaf, Policy, blend_terms, leaves, members
from llm_backend.spaces import scores as spaces
from llm_backend.spaces.draws import Draws, Floats, distinct
from llm_backend.verbs.listed_wins import sample
from llm_backend.verbs.listed_wins import wins as listed_wins
from llm_backend.verbs.verdicts import Wins, rates, wins_against, wins_among, with_verdicts

LOG = logging.getLogger("llm_backend")
OVERLAP = 0.5  # of opponent and prior's heaviest leaf, at which draws of the opponent alone are candidates

LARGEST = 1e12  # of a finite step: log-probabilities are kept in float32

Value = Callable[[Draws], Floats]  # Draws of B rows -> float64[B]: how often each row wins, or its score


def mirror_step(context: Context, prior: Policy, opponent: Policy, step: float) -> Adapter:
    """argmax_pi P(pi > opponent) - KL(pi || prior) / step, fitted by `fit.rule`.

    A regression rule judges candidates against draws of the opponent, or every response in exact play. The
    candidates are those draws themselves when the opponent overlaps with the prior's heaviest leaf (1 - TV of
    at least 1/2), as in self-play. Otherwise half of their weight is on draws of that leaf: the draws of a
    frozen opponent do not show where the prior has its mass.
    A policy gradient judges draws of the policy from which training starts against draws of the opponent.
    step = inf is the best response in exact play, and a step of size `fit.greed` otherwise.
    Raises ValueError when step is 0, and for a policy gradient when it is negative.
    """
    if step == 0:
        raise ValueError("a mirror step of 0 is its prior: use the prior.")
    if step == math.inf and context.exact:
        worth = wins(context, context.listing.all, opponent)
        return _best_response(context, prior, worth, "mirror_step")
    step = _finite(context, step)
    if context.fit.estimator is None:
        draws, weight, worth = _candidates(context, prior, opponent)
        return _regressed(context, prior, draws, weight, worth, step, "mirror_step")
    return _ascended(context, prior, lambda draws: _wins_apart(context, draws, opponent), step, "mirror_step")


def tilt(context: Context, prior: Policy, score: Value, step: float, draws: Draws | None = None) -> Adapter:
    """prior * exp(step * score), normalised: fitted on draws of the prior, in exact play on every response.

    score : draws of B rows -> float64[B].
    draws : responses to which it is fitted instead, `samples` to each prompt; a score of single responses is
        right for any. A policy gradient draws its own.

    step = inf keeps the responses of highest score in exact play, and is a step of `fit.greed` otherwise.
    Raises ValueError for a policy gradient with a negative step.
    """
    if step == math.inf and context.exact:
        return _best_response(context, prior, score(context.listing.all), "tilt")
    step = _finite(context, step)
    if context.fit.estimator is None:
        if context.exact:
            rows, weight = _every(context, prior)
        else:
            rows, weight = _drawn(context, prior) if draws is None else (draws, _equal(context, draws))
        return _regressed(context, prior, rows, weight, Wins(score(rows), None), step, "tilt")
    return _ascended(context, prior, score, step, "tilt")


def _finite(context: Context, step: float) -> float:
    """The step, `fit.greed` for an infinite one. Raises ValueError for one beyond any log-probability."""
    step = step if math.isfinite(step) else math.copysign(context.fit.greed, step)
    if abs(step) > LARGEST:
        raise ValueError(
            f"a step of {step:g} asks for log-ratios beyond those of any model: lower the solver's step, or "
            "pass step = inf for the best response."
        )
    return step


def distil(context: Context, policy: Policy) -> Adapter:
    """The adapter fitted to a policy: by cross entropy to its draws, in exact play to its probabilities.

    Gauss-Newton fits the log-probabilities of the draws instead, where the policy has them.
    """
    exact = context.exact
    if exact:
        draws, weight = context.listing.all, context.listing.probs(policy)[context.listing.support]
    else:
        draws = context.draw(policy, "opponent")
        weight = np.full(len(draws), 1 / context.drawn)
    objective: Objective = Imitate(draws, weight, exact)
    if not exact and not context.fit.descends and spaces.scored(context.space, policy):
        draws, where = distinct(draws)
        target = spaces.log_probabilities(context.space, policy, draws)
        mass = np.bincount(where, weight).astype(np.float64)
        objective = Regress(draws, np.zeros(len(draws)), target, mass, np.zeros(len(draws)))
    scores = {leaf: context.space.score(leaf, draws) for leaf in leaves(policy) or (BASE,)}
    return train(context, objective, scores, "distil")


def wins(context: Context, draws: Draws, opponent: Policy) -> Floats:
    """P(row > opponent), float64[B], in exact play."""
    table = np.einsum("xyz,xz->xy", rates(context), context.listing.probs(opponent))
    return table[draws.prompt, draws.column]


def train(context: Context, objective: Objective, scores: dict[Leaf, Floats], verb: str) -> Adapter:
    """The policy that minimises the objective; appends a note to the journal.

    Training starts from the best of the leaves of `scores`, their log-probabilities float64[B].
    """
    how, start = context.space.sampling, best_start(objective, scores)
    fitted = fit(
        context.lm,
        start,
        objective,
        how.prompts,
        context.fit,
        how.temperature,
        context.key("order"),
        how.shortest,
        how.per_token,
        EXACT if context.exact else LISTED if context.listed else SAMPLED,
        scores.get(start),
    )
    found = fitted.certificate
    context.journal.append(
        {
            "round": context.round,
            "verb": verb,
            "loss": fitted.loss,
            "first_loss": fitted.losses[0],
            "steps": len(fitted.losses),
            "tokens": fitted.tokens,
            "seconds": fitted.seconds,
            "share": found.share,
            "noise": found.noise,
            "slope": found.realised and found.realised.slope,
            "r2": found.realised and found.realised.r2,
            "warning": found.warning,
        }
    )
    if found.warning:
        LOG.warning("round %d, %s: %s", context.round, verb, found.warning)
    return fitted.policy


def share_of(policy: Policy, leaf: Leaf) -> float:
    """The weight of a leaf in a policy: of a mixture the sum over its members, each with its own share."""
    total = 0.0
    for weight, member in members(policy):
        if not isinstance(member, Answers):
            total += weight * sum(w for w, term in blend_terms(member) if term == leaf)
    return total


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


def _every(context: Context, sampler: Policy) -> tuple[Draws, Floats]:
    """Every listed response, with the weights of `half_uniform`."""
    return context.listing.all, half_uniform(context, sampler)


def _drawn(context: Context, sampler: Policy) -> tuple[Draws, Floats]:
    """`samples` draws of the sampler, with equal weights."""
    draws = context.draw(sampler, "opponent")
    return draws, _equal(context, draws)


def _equal(context: Context, draws: Draws) -> Floats:
    """Equal weights float64[B] that sum to 1 over the `samples` responses to each prompt."""
    return np.full(len(draws), 1 / context.drawn)


def _candidates(context: Context, prior: Policy, opponent: Policy) -> tuple[Draws, Floats, Wins]:
    """The responses that a mirror step is fitted to, their weights float64[B], and their wins."""
    if context.exact:
        draws, weight = _every(context, opponent)
        return draws, weight, Wins(wins(context, draws, opponent), None)
    leaf = heaviest_leaf(prior)
    if context.listed:
        return _listed_candidates(context, leaf, opponent)
    drawn, weight = _drawn(context, opponent)
    if _covers(context, opponent, leaf, drawn):
        return drawn, weight, wins_among(context.judge, context.prompts, drawn)
    mine = context.draw(leaf, "candidates", max(2, context.drawn // 2))
    among = wins_among(context.judge, context.prompts, drawn)
    apart = wins_against(context.judge, context.prompts, mine, drawn)
    prompts = len(context.round_prompts())
    halves = [np.full(len(part), 0.5 * prompts / len(part)) for part in (mine, drawn)]
    return Draws.join([mine, drawn]), np.concatenate(halves), apart.joined(among)


def _listed_candidates(context: Context, leaf: Leaf, opponent: Policy) -> tuple[Draws, Floats, Wins]:
    """`_candidates` in an enumerable game, where every policy's probabilities are known."""
    theirs = sample(context, opponent, "opponent", context.drawn)
    candidates, weight = theirs.drawn, theirs.weight
    p, q = context.listing.probs(leaf), context.listing.probs(opponent)
    played = list(context.round_prompts())
    if np.minimum(p, q)[played].sum(axis=1).mean() < OVERLAP:
        mine = sample(context, leaf, "candidates", max(2, context.drawn // 2))
        candidates, weight = mine.drawn | theirs.drawn, 0.5 * (mine.weight + theirs.weight)
    draws, worth = listed_wins(context, candidates, theirs)
    uniform = 1 / candidates.sum(axis=1)[draws.prompt]
    return draws, 0.5 * weight[draws.prompt, draws.column] + 0.5 * uniform, worth


def _covers(context: Context, opponent: Policy, leaf: Leaf, drawn: Draws) -> bool:
    """Whether draws of the opponent show where the leaf has its mass: 1 - TV of the two is at least OVERLAP.

    It holds when the leaf is half of the opponent, and is estimated from the draws otherwise.
    """
    if share_of(opponent, leaf) >= OVERLAP - 1e-9:
        return True
    if not spaces.scored(context.space, opponent):
        return False
    ratio = context.space.score(leaf, drawn) - spaces.log_probabilities(context.space, opponent, drawn)
    return float(np.exp(np.minimum(ratio, 0.0)).mean()) >= OVERLAP


def _regressed(
    context: Context, prior: Policy, draws: Draws, weight: Floats, worth: Wins, step: float, verb: str
) -> Adapter:
    """prior * exp(step worth), fitted by regression on the draws, whose weights are float64[B]."""
    draws, weight, worth = with_verdicts(draws, weight, worth)
    draws, where = distinct(draws)  # a repeated response is trained on once, at the mean of its values
    mass = np.bincount(where, weight).astype(np.float64)
    mean, variance = np.bincount(where, weight * worth.mean) / mass, None
    if worth.variance is not None:
        variance = step**2 * np.bincount(where, weight * worth.variance) / mass
    scores, log_prior = leaf_scores(context, prior, draws)
    loss = Regress if context.fit.rule == "regress" else Logistic
    objective = loss(draws, log_prior, step * mean, mass, variance)
    return train(context, objective, scores, verb)


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
    if how.per_token:
        old = [row / len(row) for row in old]
    _, log_prior = leaf_scores(context, prior, draws)
    assert context.fit.estimator is not None
    objective = PolicyGradient(
        draws, log_prior, value(draws), weight, old, step, context.fit.estimator, context.listed
    )
    return train(context, objective, {start: np.array([row.sum() for row in old])}, verb)


def _best_response(context: Context, prior: Policy, values: Floats, verb: str) -> Adapter:
    """The prior restricted to the listed responses of highest value, float64[B], imitated."""
    draws, support = context.listing.all, context.listing.support
    worth = np.full(support.shape, -np.inf)
    worth[support] = values
    best = worth >= worth.max(axis=1, keepdims=True) - 1e-12
    wanted = np.where(best, context.listing.probs(prior), 0.0)
    objective = Imitate(draws, (wanted / wanted.sum(axis=1, keepdims=True))[support], listed=True)
    scores, _ = leaf_scores(context, prior, draws)
    return train(context, objective, scores, verb)


def _wins_apart(context: Context, draws: Draws, opponent: Policy) -> Floats:
    """P(row > opponent), float64[B], of draws of any policy, against fresh draws of the opponent."""
    if context.exact:
        return wins(context, draws, opponent)
    if context.listed:
        candidates = np.zeros(context.listing.support.shape, np.bool_)
        candidates[draws.prompt, draws.column] = True
        theirs = sample(context, opponent, "opponent", context.drawn)
        rows, worth = listed_wins(context, candidates, theirs)
        table = np.zeros(candidates.shape)
        table[rows.prompt, rows.column] = worth.mean
        return table[draws.prompt, draws.column]
    theirs = context.draw(opponent, "opponent")
    worth = wins_against(context.judge, context.prompts, draws, theirs)
    if np.isnan(worth.mean).any():
        raise JudgeError(
            f"{name_of(context.judge)} has no verdict on some responses, and a policy gradient needs one on "
            "each of them: let the judge wait for all, or fit with rule='regress'."
        )
    return worth.mean
