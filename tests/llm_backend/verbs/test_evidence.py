"""Duels, labels and samples, and the policies fitted to them, against the table on the same evidence."""

import numpy as np
import pytest

import pgames as pg
from llm_backend import Fit
from llm_backend.policies.handles import BASE, Answers
from llm_backend.verbs.evidence import Duels, Labels, Samples
from pgames.counts import PairCounts
from pgames.table.duels import Labels as TableLabels
from pgames.table.duels import Samples as TableSamples
from tests.support.llm_evidence import duels_of, off_diagonal
from tests.support.llm_listed import apart, handle, make


def test_pairs_of_another_policy_need_third_sample_labels(text, pi):
    """Pairs that pi did not draw: labels against fresh draws of pi are unbiased, those of pairs are not."""
    many = make(samples=8, lm=text.lm)
    exact = text.probs(text.mirror_step(BASE, pi, 2.0))
    buffer = many.collect(many.empty_buffer(), many.uniform, many.uniform, 3000)
    third = many.label(buffer, pi, 4000, comparators=2)
    assert apart(many.probs(many.regress(BASE, third, 2.0)), exact) < 0.03
    own = many.self_duels(pi, 4000)
    assert apart(many.probs(many.regress(BASE, own, 2.0)), exact) < 0.03
    wrong = many.self_duels(many.uniform, 4000)
    assert apart(many.probs(many.regress(BASE, wrong, 2.0)), exact) > 0.06


def test_evidence_is_that_of_the_table(text, table, pi):
    one, other = handle(table, text, pi), table.reference
    np.testing.assert_allclose(
        off_diagonal(text.duel(pi, BASE).table((3, 5))), off_diagonal(table.duel(one, other).wins[0])
    )
    np.testing.assert_allclose(
        off_diagonal(text.demonstrate(text.expert, BASE).table((3, 5))),
        off_diagonal(table.demonstrate(table.expert, other).wins[0]),
    )
    both = text.duel(pi, BASE) + text.duel(BASE, BASE)
    added = table.duel(one, other).wins + table.duel(other, other).wins
    np.testing.assert_allclose(off_diagonal(both.table((3, 5))), off_diagonal(added[0]))


def test_optimistic_fits_are_those_of_the_table(text, wins):
    learner = pg.DuelArena(text.game)
    given = np.random.default_rng(4).integers(0, 4, (3, 5)).astype(float)
    samples = text.no_samples() + Samples(text.space.all, given[text.space.support])
    got = text.fit_pairs(BASE, duels_of(text, wins), pg.losses.logistic, 0.7, samples, 0.1, bound=50.0)
    want = learner.fit_pairs(
        learner.reference,
        PairCounts(wins[None]),
        pg.losses.logistic,
        0.7,
        TableSamples(given[None]),
        0.1,
        bound=50.0,
    )
    assert apart(text.probs(got), learner.probs(want)[0]) < 1e-2


@pytest.mark.parametrize("sft", [0.0, 0.3])
def test_regression_on_labels_is_that_of_the_table(text, pi, sft):
    learner = pg.DuelArena(text.game)
    draw = np.random.default_rng(6)
    met = draw.integers(0, 4, (1, 3, 12, 2)).astype(np.int32)  # the last response is never met
    labels = draw.uniform(-1, 1, (1, 3, 12))
    rows = (met[0] + 5 * np.arange(3)[:, None, None]).reshape(-1, 2).astype(np.int64)
    ours = Labels(text.space.all, rows, labels.ravel(), text.probs(pi).ravel())
    theirs = TableLabels(met, labels, text.probs(pi)[None])
    patient = make(lm=text.lm, fit=Fit(epochs=200, lr=1e-2))
    got = patient.regress(pi, ours, 1.2, sft, ridge=0.02)
    want = learner.regress(learner.policy(text.probs(pi)), theirs, 1.2, sft, ridge=0.02)
    assert apart(text.probs(got), learner.probs(want)[0]) < 1e-2


def test_evidence_of_streamed_prompts_is_fitted_as_the_table_fits_it(text):
    """With one prompt per round, three rounds of XPO reach the policy of the table with all three at once."""
    arena = make(samples=60, lm=text.lm, per_round=1, fit=Fit(epochs=120, lr=1e-2))
    learner, state = pg.DuelArena(text.game), pg.solve(pg.XPO(2.0, 0.02), arena, 3)
    pairs, samples = state.memory
    wins, given = pairs.table((3, 5)), np.zeros((3, 5))
    np.add.at(given, (samples.draws.prompt, samples.draws.column), samples.weight)
    assert wins.sum(axis=(1, 2)) == pytest.approx(60) and given.sum(axis=1) == pytest.approx(60)

    def table(wins, given):
        evidence = (
            PairCounts(off_diagonal(wins)[None]),
            pg.losses.logistic,
            2.0,
            TableSamples(given[None]),
            0.02,
        )
        return learner.probs(learner.fit_pairs(learner.reference, *evidence))[0]

    assert apart(text.probs(state.policy), table(wins, given)) < 1e-2
    forgetful = [np.stack([counts.sum(axis=0), *np.zeros_like(counts[1:])]) for counts in (wins, given)]
    assert apart(text.probs(state.policy), table(*forgetful)) > 0.1  # all evidence assigned to prompt 0


def test_a_prompt_whose_duels_are_all_of_one_response_has_its_samples_weighed(text):
    """XPO's bonus is per duel: two equal responses are a duel too."""
    every = text.space.all
    pairs = Duels(every, np.array([[0, 1], [5, 5]]), np.array([[1.0, 0.0], [0.5, 0.5]]))
    samples = Samples(every, np.ones(len(every)))
    arena = make(lm=text.lm)
    policy = arena.fit_pairs(BASE, pairs, pg.losses.logistic, 0.7, samples, 0.01)
    assert abs(arena.journal[-1]["first_loss"]) < 2
    assert apart(text.probs(policy)[:2], text.probs(BASE)[:2]) > 0.02


def test_where_nothing_is_said_the_prior_stays(text):
    """As on a table, a deterministic policy learns nothing from its duels, which are all ties."""
    assert text.fit_pairs(BASE, text.no_duels(), pg.losses.logistic, 1.0) is BASE
    sure = Answers((("a",),) * 3, (np.ones(1),) * 3)
    for arena in (text, make(samples=4, lm=text.lm)):
        assert arena.fit_pairs(BASE, arena.duel(sure, sure), pg.losses.squared, 1.0) is BASE
