"""Beliefs about a judge against the beliefs of the table."""

import numpy as np

import pgames as pg
from llm_backend import Fit, TextArena
from llm_backend.policies.handles import BASE
from pgames.counts import PairCounts
from tests.support.llm_evidence import duels_of
from tests.support.llm_listed import apart
from tests.support.llm_oracles import full_logits
from tests.support.llm_tiny import TableJudge, tiny_lm


def test_beliefs_are_those_of_the_table(text, pi, wins):
    learner = pg.DuelArena(text.game)
    there = learner.policy(text.probs(pi))
    for optimism in (0.0, 0.3):
        ours = text.believe(duels_of(text, wins), optimism)
        theirs = learner.believe(PairCounts(wins[None]), optimism)
        got = text.probs(ours.mirror_step(BASE, pi, 2.0))
        assert apart(got, learner.probs(theirs.mirror_step(learner.reference, there, 2.0))[0]) < 1e-2
        np.testing.assert_allclose(
            text.probs(ours.least_known(pi)), learner.probs(theirs.least_known(there))[0], atol=1e-12
        )
    ours, theirs = text.believe(duels_of(text, wins)), learner.believe(PairCounts(wins[None]))
    assert apart(text.probs(ours.nash(0.3, pi)), learner.probs(theirs.nash(0.3, there))[0]) < 1e-2
    biased = ours.favouring(pi, 0.3, 2.0).nash(0.3, pi)
    assert (
        apart(text.probs(biased), learner.probs(theirs.favouring(there, 0.3, 2.0).nash(0.3, there))[0]) < 1e-2
    )


def test_the_nash_of_a_learned_belief_is_that_of_the_responses_drawn():
    """One token at most: the exact Nash of the belief, against the policy fitted to a pool of draws."""
    lm, prompts, tau = tiny_lm("abc", spread=0.15), ["a", "b c"], 0.2
    cycle = np.array([[0.5, 0.1, 0.9, 0.7], [0.9, 0.5, 0.1, 0.7], [0.1, 0.9, 0.5, 0.7], [0.3, 0.3, 0.3, 0.5]])

    class Letters(TableJudge):
        def prefer(self, prompts, firsts, seconds):
            letter = [[text if text in "abc" else "" for text in side] for side in (firsts, seconds)]
            return super().prefer(prompts, *letter)

    judge = Letters(cycle[None].repeat(2, 0), prompts, ["a", "b", "c", ""])
    arena = TextArena(lm, prompts, judge, 64, max_new_tokens=1, fit=Fit(epochs=30, lr=1e-2))
    belief = arena.at(1).believe(arena.duel(BASE, BASE))
    texts = [lm.decode([token]) for token in range(len(lm.tokenizer))]
    both = [(y, z) for y in texts for z in texts]
    rates = [belief.preference.prefer([x] * len(both), *map(list, zip(*both, strict=True))) for x in prompts]

    def first(leaf):
        prompts = arena.space.sampling.prompts
        return np.array([full_logits(lm, leaf, ids, [])[0].softmax(-1).numpy() for ids in prompts])

    table = np.reshape(rates, (2, len(texts), len(texts)))
    nash = pg.nash(pg.PreferenceGame(table, first(BASE), symmetrise=True), tau).policy
    assert apart(first(belief.nash(tau, BASE)), nash) < 0.04
    assert apart(first(BASE), nash) > 0.15
