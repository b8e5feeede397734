"""What learners from labelled pairs ask of text: labels, unknown responses, beliefs."""

from __future__ import annotations

import copy
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np

import pgames
from llm_backend.evaluate import log_probabilities
from llm_backend.policies import handles as policies
from llm_backend.policies.handles import Adapter, Answers, Policy
from llm_backend.responses.draws import Draws, Floats, Ints, by_prompt
from llm_backend.training.fit import best_start
from llm_backend.training.rules import FitLabels, Regress
from llm_backend.verbs.belief import LastLayer
from llm_backend.verbs.belief import believe as learned
from llm_backend.verbs.duels import paired
from llm_backend.verbs.evidence import Buffer, Duels, Labels
from llm_backend.verbs.steps import scored, train, wins
from llm_backend.verbs.verdicts import judged
from pgames.arena import Weight
from pgames.learning.belief import Belief as TableBelief
from pgames.learning.belief import Width
from pgames.table import Tally

if TYPE_CHECKING:
    from llm_backend.arena import TextArena

DIRECTIONS = 64  # that last hidden states are projected to


def collect(arena: TextArena, buffer: Buffer, first: Policy, second: Policy, pairs: int) -> Buffer:
    """`TextArena.collect`."""
    ours, theirs = arena.draw(first, "first", pairs), arena.draw(second, "second", pairs)
    met = paired(arena, ours, theirs, np.zeros((len(ours), 2)))
    return buffer.add(met.draws, met.pairs)


def label(arena: TextArena, buffer: Buffer, opponent: Policy, pairs: int, comparators: int) -> Labels:
    """`TextArena.label`."""
    chosen = _chosen(arena, buffer, pairs)
    first, second = buffer.draws.take(chosen[:, 0]), buffer.draws.take(chosen[:, 1])
    if arena.samples is None:
        labels = wins(arena, first, opponent) - wins(arena, second, opponent)
        return _labels(arena, buffer.draws, chosen, labels, opponent, None)
    third = arena.draw(opponent, "third", pairs * comparators)
    third = third.take(np.argsort(third.prompt, kind="stable"))
    each = np.repeat(np.arange(len(chosen)), comparators)
    won = [judged(arena.judge, arena.prompts, side.take(each), third) for side in (first, second)]
    labels = (won[0] - won[1]).reshape(-1, comparators).mean(axis=1)
    return _labels(arena, buffer.draws, chosen, labels, opponent, third)


def self_duels(arena: TextArena, policy: Policy, pairs: int) -> Labels:
    """`TextArena.self_duels`."""
    first, second = arena.draw(policy, "first", pairs), arena.draw(policy, "second", pairs)
    won = judged(arena.judge, arena.prompts, first, second)
    met = paired(arena, first, second, np.stack([won, 1 - won], axis=1))
    return _labels(arena, met.draws, met.pairs, won - 0.5, policy, first)


def regress(
    arena: TextArena, prior: Policy, evidence: Labels, step: float, sft: float, ridge: float
) -> Adapter:
    """`TextArena.regress`."""
    scores, log_prior = scored(arena, prior, evidence.draws)
    objective = FitLabels(
        evidence.draws,
        log_prior,
        evidence.pairs,
        evidence.labels,
        step,
        ridge,
        sft,
        evidence.opponent,
        arena.listed,
    )
    return train(arena, objective, best_start(objective, scores), "regress")


def least_known(arena: TextArena, buffer: Buffer, policy: Policy) -> Answers:
    """`TextArena.least_known`."""
    return (
        _least_known_of_list(arena, buffer, policy) if arena.listed else _by_features(arena, buffer, policy)
    )


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
        return _answers(self.arena, {x: self.arena.space.texts[x][y] for x, y in enumerate(chosen)})


class FreeBelief:
    """The arena whose judge is a preference model learned from the duels (`llm_backend.verbs.belief`)."""

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
        return _answers(arena, {x: ours.texts[max(rows[x], key=lambda i: total[i])] for x in arena.turn()})


def features(arena: TextArena) -> LastLayer:
    """The base's last hidden states of responses, remembered."""
    if "features" not in arena._known:
        arena._known["features"] = LastLayer(arena.lm)
    return arena._known["features"]


# -- inside ---------------------------------------------------------------------------------------------


def _chosen(arena: TextArena, buffer: Buffer, pairs: int) -> Ints:
    """`pairs` pairs per prompt of the round from the buffer, with replacement, prompt by prompt."""
    owner, found = buffer.draws.prompt[buffer.pairs[:, 0]], []
    order = np.argsort(owner, kind="stable")
    first, last = (np.searchsorted(owner[order], arena.turn(), side) for side in ("left", "right"))
    for x, begin, end in zip(arena.turn(), first, last, strict=True):
        mine = order[begin:end]
        if not len(mine):
            raise ValueError(f"the buffer has no pair for prompt {x}: collect some before label.")
        found.append(np.random.default_rng([*arena.key("label"), x]).choice(mine, pairs))
    return buffer.pairs[np.concatenate(found)]


def _labels(
    arena: TextArena, draws: Draws, pairs: Ints, labels: Floats, opponent: Policy, own: Draws | None
) -> Labels:
    """Labels on the rows they need: all of an enumerable game, else the pairs' and the opponent's own."""
    if arena.listed:
        every, place = arena.space.of(arena.turn())
        weight = arena.space.probs(opponent)[every.prompt, every.column]
        return Labels(every, np.searchsorted(place, pairs), labels, weight)
    assert own is not None
    rows, where = np.unique(pairs, return_inverse=True)
    each = 1 / np.bincount(own.prompt, minlength=len(arena.prompts))[own.prompt]
    weight = np.concatenate([np.zeros(len(rows)), each])
    return Labels(Draws.join([draws.take(rows), own]), where.reshape(-1, 2), labels, weight)


def _least_known_of_list(arena: TextArena, buffer: Buffer, policy: Policy) -> Answers:
    """argmax_y |e_y - policy| in the inverse of I + sum (e_y - e_y')(e_y - e_y')', per prompt."""
    met = Duels(buffer.draws, buffer.pairs, np.ones((len(buffer.pairs), 2)))
    support = arena.space.support
    counts = met.table(support.shape) if len(buffer.pairs) else np.zeros((*support.shape, support.shape[1]))
    answers = {}
    for x, p in enumerate(arena.space.probs(policy)):
        both = counts[x] * (1 - np.eye(len(p)))  # symmetric: a pair counts for both of its orders
        inverse = np.linalg.inv(np.eye(len(p)) + np.diag(both.sum(axis=1)) - both)
        offset = np.eye(len(p)) - p
        width = np.einsum("yi,ij,yj->y", offset, inverse, offset)
        best = int(np.argmax(np.where(support[x], width, -np.inf)))
        answers[x] = arena.space.texts[x][best]
    return _answers(arena, answers)


def _by_features(arena: TextArena, buffer: Buffer, policy: Policy) -> Answers:
    """The same with projected last hidden states, one matrix for all prompts, and drawn candidates."""
    own = arena.draw(policy, "own", ahead=1)
    candidates = Draws.join([own, arena.draw(arena.reference, "candidates", ahead=1)])
    phi = _projected(arena, candidates)
    metric = np.eye(phi.shape[1])
    if len(buffer.pairs):
        seen = _projected(arena, buffer.draws)
        gap = seen[buffer.pairs[:, 0]] - seen[buffer.pairs[:, 1]]
        metric = np.linalg.inv(metric + gap.T @ gap)
    theirs, rows = by_prompt(own, len(arena.prompts)), by_prompt(candidates, len(arena.prompts))
    answers = {}
    for x in arena.turn(ahead=1):
        offset = phi[rows[x]] - phi[theirs[x]].mean(axis=0)
        width = np.einsum("yi,ij,yj->y", offset, metric, offset)
        answers[x] = candidates.texts[rows[x][int(width.argmax())]]
    return _answers(arena, answers)


def _projected(arena: TextArena, draws: Draws) -> Floats:
    """Last hidden states float64[B, d] in fixed random directions, of about unit length."""
    raw = features(arena)([arena.prompts[x] for x in draws.prompt], list(draws.texts))
    raw = raw / np.linalg.norm(raw, axis=1, keepdims=True)
    size = raw.shape[1]
    if size <= DIRECTIONS:
        return raw
    directions = np.random.default_rng(arena.seed).normal(size=(size, DIRECTIONS)) / np.sqrt(DIRECTIONS)
    return raw @ directions


def _answers(arena: TextArena, texts: dict[int, str]) -> Answers:
    """The policy that gives these answers to these prompts, and none to others."""
    known = [[texts[x]] if x in texts else [] for x in range(len(arena.prompts))]
    return Answers(tuple(map(tuple, known)), tuple(np.ones(len(each)) for each in known))
