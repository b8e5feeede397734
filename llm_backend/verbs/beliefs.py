"""Beliefs as arenas: the verbs of learners, with a preference estimated from duels in the judge's place."""

from __future__ import annotations

import copy
from dataclasses import replace
from types import SimpleNamespace

import numpy as np

import pgames
from llm_backend.context import Cache, Context
from llm_backend.fits.objectives import Regress
from llm_backend.judges.learned import learn_preference
from llm_backend.policies import handles as policies
from llm_backend.policies.handles import Answers, Policy, scalar
from llm_backend.spaces.draws import Draws, Floats, by_prompt
from llm_backend.spaces.scores import log_probabilities
from llm_backend.verbs import steps
from llm_backend.verbs.evidence import Duels
from llm_backend.verbs.least_known import answering, listed_answers
from llm_backend.verbs.steps import heaviest_leaf, leaf_scores, train
from pgames.counts import PairCounts
from pgames.solver import Weight
from pgames.table.beliefs import Belief, Width


def believe(context: Context, evidence: Duels, optimism: float, width: Width) -> ListedBelief | FreeBelief:
    """An arena whose preference is the one estimated from duels, plus `optimism` times its width.

    In an enumerable game the estimate is the share of wins of each pair, in free text a preference model on
    last hidden states. Raises ValueError for an optimism below 0, or an unknown width.
    """
    if context.listed:
        return ListedBelief(context, evidence, optimism, width)
    return FreeBelief(context, evidence, optimism)


class ListedBelief:
    """The belief of `pgames.table` about an enumerable game, whose policies are trained."""

    def __init__(self, context: Context, evidence: Duels, optimism: float, width: Width):
        listed = context.listing
        X, Y = listed.support.shape
        self.context, self.reference = context, context.reference
        table = SimpleNamespace(
            round=context.round,
            prompts=X,
            responses=Y,
            reference=listed.logs(context.reference)[None],
            support=listed.support,
        )
        tally = PairCounts(evidence.table((X, Y))[None])
        self.table = Belief(table, tally, optimism, width)  # type: ignore[arg-type]

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """prod_i pi_i ** w_i as a formula: nothing is trained."""
        return policies.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """sum_i w_i pi_i: a member is drawn anew for every response."""
        return policies.mixture(*terms)

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """argmax_pi P(pi > opponent) - KL(pi || prior) / step for the believed P, in exact play."""
        believed = replace(self.context, samples=None, cache=Cache(rates=self.table.rates[0]))
        return steps.mirror_step(believed, prior, opponent, scalar(step, "a step"))

    def nash(self, tau: float, start: Policy) -> Policy:
        """The Nash of the belief regularised by tau, trained from `start`."""
        listed = self.context.listing
        draws, target = listed.all, self.table.nash(tau, listed.logs(start)[None])[0][listed.support]
        weight = 0.5 * np.exp(target) + 0.5 / listed.support.sum(axis=1)[draws.prompt]
        objective = Regress(draws, np.zeros(len(draws)), target, weight)
        leaf = heaviest_leaf(start)
        return train(self.context, objective, {leaf: self.context.space.score(leaf, draws)}, "nash")

    def favouring(self, policy: Policy, tau: float, alpha: float) -> ListedBelief:
        """The belief biased to a high gain against `policy` (VMG)."""
        biased = copy.copy(self)
        biased.table = self.table.favouring(self.context.listing.logs(policy)[None], tau, alpha)
        return biased

    def least_known(self, opponent: Policy) -> Answers:
        """Per prompt the response whose duels with `opponent` are least known."""
        listed = self.context.listing
        chosen = self.table.least_known(listed.logs(opponent)[None])[0].argmax(axis=1)
        return listed_answers(listed, [int(y) for y in chosen])


class FreeBelief:
    """An arena whose judge is a preference learned from duels of free text; see `judges.learned`."""

    def __init__(self, context: Context, evidence: Duels, optimism: float):
        draws, (i, j) = evidence.draws, evidence.pairs.T
        self.preference = learn_preference(
            context.features,
            [context.prompts[x] for x in draws.prompt[i]],
            [draws.texts[row] for row in i],
            [draws.texts[row] for row in j],
            evidence.wins[:, 0] / evidence.wins.sum(axis=1),
            optimism,
            seed=context.seed,
        )
        self.context, self.reference = replace(context, judge=self.preference), context.reference

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """prod_i pi_i ** w_i as a formula: nothing is trained."""
        return policies.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        """sum_i w_i pi_i: a member is drawn anew for every response."""
        return policies.mixture(*terms)

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """argmax_pi P(pi > opponent) - KL(pi || prior) / step for the believed P."""
        return steps.mirror_step(self.context, prior, opponent, scalar(step, "a step"))

    def nash(self, tau: float, start: Policy) -> Policy:
        """The Nash of the belief regularised by tau, over `samples` draws each of the reference and `start`.

        A draw has reference weight ref / (ref + start), so that sums over the draws estimate sums over all
        responses. The game on the draws is solved exactly, and log pi / ref = P(y > nash) / tau is fitted.
        """
        context = self.context
        draws = Draws.join([context.draw(self.reference, "candidates"), context.draw(start, "opponent")])
        logs, starts = (log_probabilities(context.space, policy, draws) for policy in (self.reference, start))
        rows = np.stack([mine for mine in by_prompt(draws, len(context.prompts)) if len(mine)])
        share = (logs - np.logaddexp(logs, starts))[rows]
        reference = np.exp(np.maximum(share - share.max(axis=1, keepdims=True), -600.0))
        believed = np.stack([self._rates_among(draws.take(mine)) for mine in rows])
        game = pgames.PreferenceGame(believed, reference / reference.sum(axis=1, keepdims=True))
        nash = pgames.nash(game, tau).policy
        worth, weight = np.empty(len(draws)), np.empty(len(draws))
        worth[rows] = np.einsum("xyz,xz->xy", believed, nash)
        weight[rows] = 0.5 * nash + 0.5 / rows.shape[1]
        scores, log_prior = leaf_scores(context, self.reference, draws)
        objective = Regress(draws, log_prior, worth / tau, weight)
        return train(context, objective, scores, "nash")

    def favouring(self, policy: Policy, tau: float, alpha: float) -> FreeBelief:
        """Raises ValueError: a bias for every pair of responses (VMG) needs a list of them."""
        raise ValueError(
            "VMG biases a table of preferences, and free text has none: pass responses=[...], or use "
            "Optimistic, OMG or Enhancer."
        )

    def least_known(self, opponent: Policy) -> Answers:
        """For each prompt of the round, the draw of opponent or reference whose duels are least known.

        The widths of its duels with all draws of the opponent are summed.
        """
        context, prompts = self.context, len(self.context.prompts)
        theirs = context.draw(opponent, "opponent")
        ours = Draws.join([theirs, context.draw(self.reference, "candidates")])
        groups = by_prompt(theirs, prompts)
        asked = np.repeat(np.arange(len(ours)), [len(groups[x]) for x in ours.prompt])
        met = np.concatenate([groups[x] for x in ours.prompt])
        _, width = self.preference.rates(
            [context.prompts[x] for x in ours.prompt[asked]],
            [ours.texts[i] for i in asked],
            [theirs.texts[i] for i in met],
        )
        total, rows = np.bincount(asked, width, len(ours)), by_prompt(ours, prompts)
        return answering(
            {x: ours.texts[rows[x][total[rows[x]].argmax()]] for x in context.round_prompts()}, prompts
        )

    def _rates_among(self, draws: Draws) -> Floats:
        """The believed P(y > z) float64[N, N] between N responses to one prompt."""
        i, j = np.triu_indices(len(draws), 1)
        prompts = [self.context.prompts[int(draws.prompt[0])]] * len(i)
        texts, table = draws.texts, np.full((len(draws), len(draws)), 0.5)
        table[i, j] = self.preference.prefer(prompts, [texts[k] for k in i], [texts[k] for k in j])
        table[j, i] = 1 - table[i, j]
        return table
