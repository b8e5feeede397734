"""Enumerable games of two roles, played exactly: every attack on every seed, every answer to each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from functools import cached_property

import numpy as np
from scipy.special import logsumexp, rel_entr

from llm_backend.arguments import answers_of
from llm_backend.context import Context
from llm_backend.judges.attack import Harmless, succeeded
from llm_backend.policies.handles import Policy
from llm_backend.roles.play import ATTACKER, DEFENDER, Rules
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.verbs import steps
from pgames.arena import AgainstAll, Pair
from pgames.exact.shared_row import shared_row


class Fixed:
    """The tables of an enumerable game of X seeds, A attacks and B answers, each computed once.

    Its members raise AttributeError when attacks are free text.
    """

    def __init__(self, rules: Rules):
        self.rules = rules

    @cached_property
    def attacking(self) -> Context:
        """The context in which the attacker reads the seeds."""
        self._check()
        prompts = self.rules.topics
        return self.rules.context(ATTACKER, prompts, Harmless(self.rules.success), 0, len(prompts))

    @cached_property
    def defending(self) -> Context:
        """The context in which the defender reads every attack on every seed, X * A prompts."""
        self._check()
        attacks = self.rules.attacks or ()
        prompts = [seed.asked(text) for seed in self.rules.seeds for text in attacks]
        return self.rules.context(DEFENDER, prompts, Harmless(self.rules.success), 0, len(prompts))

    @cached_property
    def rates(self) -> Floats:
        """P(success) of every attack at every answer, float64[X, A, B]."""
        every = self.defending.listing.all
        asked = [self.defending.prompts[x] for x in every.prompt]
        return self._shaped(succeeded(self.rules.success, asked, every.texts))

    def probs(self, policy: Pair[Policy]) -> Pair[Floats]:
        """The attacker's float64[X, A] and the defender's float64[X, A, B]."""
        attacker, defender = self.attacking.listing, self.defending.listing
        return Pair(attacker.probs(policy.attacker), self._shaped(defender.probs(policy.defender)))

    def asked(self, attacker: Policy) -> Floats:
        """How often the attacker writes each attack on each seed, float64[X, A]."""
        return self.attacking.listing.probs(attacker)

    def worth(self, defender: Policy) -> Floats:
        """The success of each attack on each seed against the defender, float64[X, A]."""
        return (self._shaped(self.defending.listing.probs(defender)) * self.rates).sum(axis=2)

    def against_all(self, members: Sequence[Pair[Policy]]) -> AgainstAll[Pair[Policy]]:
        """The mixtures of the attackers and of the defenders of K pairs that are least exploitable.

        The attackers meet every answer to each attack on each seed, the defenders every attack on each seed.
        The opponent is a set of answers for each role; weights are float64[1, 2, K].
        Raises ValueError without members.
        """
        asked = np.stack([self.asked(one.attacker) for one in members])  # [K, X, A]
        kept = 1 - np.stack([self.worth(one.defender) for one in members], axis=1)  # [X, K, A]
        (X, A, B), (attacking, defending) = self.rates.shape, (self.attacking, self.defending)
        won = np.einsum("kxa,xab->xakb", A * asked, self.rates).reshape(X * A, -1, B)
        attack = shared_row(won, np.full(X * A, 1 / (X * A)), defending.listing.support)
        defend = shared_row(kept, np.full(X, 1 / X), attacking.listing.support)
        opponent = Pair(
            answers_of(defend.columns, X, attacking.listing),
            answers_of(attack.columns, X * A, defending.listing),
        )
        gap = max(0.0, 0.5 * (1 - attack.guaranteed - defend.guaranteed))
        return AgainstAll(np.stack([attack.row, defend.row])[None], opponent, np.array([gap]))

    def success(self, attacker: Policy, defender: Policy) -> float:
        """P(an attack succeeds), the mean over seeds."""
        p, q = self.probs(Pair(attacker, defender))
        return float((p[:, :, None] * q * self.rates).sum(axis=(1, 2)).mean())

    def attack(self, context: Context, prior: Policy, defender: Policy, step: float) -> Policy:
        """prior * exp(step * success against the defender)."""
        worth = self.worth(defender)
        return steps.tilt(context, prior, lambda draws: worth[draws.prompt, draws.column], step)

    def defend(self, context: Context, prior: Policy, step: float) -> Policy:
        """prior * exp(step * (1 - success)) at every attack on every seed, attacked or not."""
        where = replace(self.defending, round=context.round)
        worth = 1 - self.rates.reshape(len(where.prompts), -1)

        def score(draws: Draws) -> Floats:
            return worth[draws.prompt, draws.column]

        return steps.tilt(where, prior, score, step)

    def gains(self, policy: Pair[Policy], reference: Pair[Policy], tau: float) -> Pair[float]:
        """What a best response of each role gains at this tau.

        Raises ValueError when tau is negative.
        """
        if not tau >= 0:
            raise ValueError(f"tau must be at least 0, got {tau}.")
        (p, q), (p0, q0) = self.probs(policy), self.probs(reference)
        ours = _gain(p, p0, (q * self.rates).sum(axis=2), tau)
        theirs = (p * _gain(q, q0, 1 - self.rates, tau)).sum(axis=1)
        return Pair(float(ours.mean()), float(theirs.mean()))

    def _shaped(self, table: Floats) -> Floats:
        return table.reshape(len(self.rules.seeds), len(self.rules.attacks or ()), -1)

    def _check(self) -> None:
        if self.rules.attacks is None:
            raise AttributeError(
                "this verb needs a list of texts for each role, and here they are free: pass attacks=[...] "
                "and answers=[...], or measure success with llm_backend.roles.measure."
            )


def _gain(p: Floats, reference: Floats, worth: Floats, tau: float) -> Floats:
    """max_pi <pi, worth> - tau KL(pi || reference), less its value at p, over the last axis."""
    now = (p * worth).sum(axis=-1)
    if tau == 0:
        return worth.max(axis=-1) - now
    best = tau * np.asarray(logsumexp(worth / tau, b=reference, axis=-1))
    return np.maximum(best - (now - tau * rel_entr(p, reference).sum(axis=-1)), 0.0)
