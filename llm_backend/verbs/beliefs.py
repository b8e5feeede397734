"""Beliefs as arenas: the verbs of learners when the preference is what duels say of it."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

import pgames
from llm_backend.evaluate import log_probabilities
from llm_backend.fits.fit import best_start
from llm_backend.fits.objectives import Regress
from llm_backend.judges.learned import believe as learned
from llm_backend.policies import handles as policies
from llm_backend.policies.handles import Policy
from llm_backend.spaces.draws import Draws, Floats, by_prompt
from llm_backend.verbs.evidence import Duels
from llm_backend.verbs.least_known import answering, features
from llm_backend.verbs.steps import scored, train
from pgames.arena import Weight
from pgames.table.arena import Tally
from pgames.table.beliefs import Belief as TableBelief
from pgames.table.beliefs import Width

if TYPE_CHECKING:
    from llm_backend.arena import TextArena


def believe(arena: TextArena, evidence: Duels, optimism: float, width: Width) -> Any:
    """`TextArena.believe`."""
    return (
        ListedBelief(arena, evidence, optimism, width)
        if arena.listed
        else FreeBelief(arena, evidence, optimism)
    )


class ListedBelief:
    """What a table would believe of an enumerable game, answering with trained policies."""

    def __init__(self, arena: TextArena, evidence: Duels, optimism: float, width: Width):
        shape = arena.space.support.shape
        self.arena, self.reference = arena, arena.reference
        table = SimpleNamespace(
            round=arena.round,
            prompts=shape[0],
            responses=shape[1],
            reference=arena.space.logs(arena.reference)[None],
            support=arena.space.support,
        )
        tally = Tally(evidence.table(shape)[None])
        self.table = TableBelief(table, tally, optimism, width)  # type: ignore[arg-type]

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        return policies.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        return policies.mixture(*terms)

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """argmax_pi P(pi > opponent) - KL(pi || prior) / step, P as believed."""
        view = copy.copy(self.arena)
        view.samples, view._known = None, {"rates": self.table.rates[0]}
        return view.mirror_step(prior, opponent, step)

    def nash(self, tau: float, start: Policy) -> Policy:
        """A policy trained to be the regularised Nash of the belief."""
        wanted = self.table.nash(tau, self.arena.space.logs(start)[None])[0]
        space, draws = self.arena.space, self.arena.space.all
        target = wanted[space.support]
        weight = 0.5 * np.exp(target) + 0.5 / space.support.sum(axis=1)[draws.prompt]
        objective = Regress(draws, np.zeros(len(draws)), target, weight)
        leaf = max(policies.blend_terms(start), key=lambda term: abs(term[0]))[1]
        return train(self.arena, objective, leaf, "nash")

    def favouring(self, policy: Policy, tau: float, alpha: float) -> ListedBelief:
        """The belief biased to a high gain against `policy` (VMG)."""
        biased = copy.copy(self)
        biased.table = self.table.favouring(self.arena.space.logs(policy)[None], tau, alpha)
        return biased

    def least_known(self, opponent: Policy) -> Policy:
        """The response least known against `opponent`."""
        chosen = self.table.least_known(self.arena.space.logs(opponent)[None])[0].argmax(axis=1)
        return answering(self.arena, {x: self.arena.space.texts[x][y] for x, y in enumerate(chosen)})


class FreeBelief:
    """The arena whose judge is a preference model learned from the duels (`llm_backend.judges.learned`)."""

    def __init__(self, arena: TextArena, evidence: Duels, optimism: float):
        self.arena, self.reference = copy.copy(arena), arena.reference
        draws, (i, j) = evidence.draws, evidence.pairs.T
        self.belief = learned(
            features(arena),
            [arena.prompts[x] for x in draws.prompt[i]],
            [draws.texts[row] for row in i],
            [draws.texts[row] for row in j],
            evidence.wins[:, 0] / evidence.wins.sum(axis=1),
            optimism,
            seed=arena.seed,
        )
        self.arena.judge = self.belief

    def geometric_mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        return policies.geometric_mixture(*terms)

    def mixture(self, *terms: tuple[Weight, Policy]) -> Policy:
        return policies.mixture(*terms)

    def mirror_step(self, prior: Policy, opponent: Policy, step: Weight) -> Policy:
        """argmax_pi P(pi > opponent) - KL(pi || prior) / step, P as believed."""
        return self.arena.mirror_step(prior, opponent, step)

    def nash(self, tau: float, start: Policy) -> Policy:
        """The regularised Nash of the belief, among `samples` responses each of the reference and `start`.

        The reference weighs a response by ref / (ref + start), so that sums over the drawn stand for sums
        over all; their game is solved exactly, and log pi / ref = P(y > nash) / tau is fitted to them.
        """
        arena = self.arena
        draws = Draws.join([arena.draw(self.reference, "candidates"), arena.draw(start, "opponent")])
        logs, own = (log_probabilities(arena, policy, draws) for policy in (self.reference, start))
        rows = np.stack([mine for mine in by_prompt(draws, len(arena.prompts)) if len(mine)])
        share = (logs - np.logaddexp(logs, own))[rows]
        reference = np.exp(np.maximum(share - share.max(axis=1, keepdims=True), -600.0))
        rates = np.stack([self._among(draws.take(mine)) for mine in rows])
        game = pgames.PreferenceGame(rates, reference / reference.sum(axis=1, keepdims=True))
        nash = pgames.nash(game, tau).policy
        worth, weight = np.empty(len(draws)), np.empty(len(draws))
        worth[rows] = np.einsum("xyz,xz->xy", rates, nash)
        weight[rows] = 0.5 * nash + 0.5 / rows.shape[1]
        scores, log_prior = scored(arena, self.reference, draws)
        objective = Regress(draws, log_prior, worth / tau, weight)
        return train(arena, objective, best_start(objective, scores), "nash")

    def favouring(self, policy: Policy, tau: float, alpha: float) -> FreeBelief:
        """Raises ValueError: a bias for every pair of responses (VMG) needs a list of them."""
        raise ValueError(
            "VMG biases a table of preferences, and free text has none: pass responses=[...], or use "
            "Optimistic, OMG or Enhancer."
        )

    def _among(self, draws: Draws) -> Floats:
        """The believed P(y > z) float64[N, N] between responses to one prompt."""
        i, j = np.triu_indices(len(draws), 1)
        prompts = [self.arena.prompts[int(draws.prompt[0])]] * len(i)
        texts, table = draws.texts, np.full((len(draws), len(draws)), 0.5)
        table[i, j] = self.belief.prefer(prompts, [texts[k] for k in i], [texts[k] for k in j])
        table[j, i] = 1 - table[i, j]
        return table

    def least_known(self, opponent: Policy) -> Policy:
        """Of draws of opponent and reference, per prompt the one whose duels with it are least known."""
        arena = self.arena
        theirs = arena.draw(opponent, "opponent")
        ours = Draws.join([theirs, arena.draw(self.reference, "candidates")])
        groups = by_prompt(theirs, len(arena.prompts))
        asked = np.repeat(np.arange(len(ours)), [len(groups[x]) for x in ours.prompt])
        met = np.concatenate([groups[x] for x in ours.prompt])
        _, width = self.belief.rates(
            [arena.prompts[x] for x in ours.prompt[asked]],
            [ours.texts[i] for i in asked],
            [theirs.texts[i] for i in met],
        )
        total = np.bincount(asked, width, len(ours))
        rows = by_prompt(ours, len(groups))
        return answering(arena, {x: ours.texts[max(rows[x], key=lambda i: total[i])] for x in arena.turn()})
