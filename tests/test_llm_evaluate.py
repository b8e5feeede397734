"""Measuring a language-model policy, against the exact answers of enumerable games."""

import numpy as np
import pytest

import pgames as pg

pytest.importorskip("torch")

from llm_tiny import TableJudge, cyclic_game, tiny_lm

from llm_backend import evaluate
from llm_backend.arena import TextArena
from llm_backend.fit import Fit

TAU, WORDS, PROMPTS = 0.2, tuple("abcde"), ("f", "g", "h")


@pytest.fixture(scope="module")
def arena():
    judge = TableJudge(cyclic_game(len(PROMPTS), len(WORDS)).P, PROMPTS, WORDS)
    how = Fit(epochs=60, batch=3, lr=3e-2)
    lm = tiny_lm((*WORDS, *PROMPTS), spread=0.3)
    return TextArena(lm, PROMPTS, judge, samples=None, responses=WORDS, fit=how)


@pytest.fixture(scope="module")
def policy(arena):
    """Some way from the reference and from the Nash."""
    return arena.mirror_step(arena.reference, arena.reference, 3.0)


def test_the_lower_bound_is_below_the_exact_exploitability_and_near_it(arena, policy):
    for pi in (arena.reference, policy):
        exact = evaluate.exact_exploitability(arena, pi, TAU)
        bound = evaluate.exploitability(arena, pi, TAU, samples=4000)
        assert exact == pytest.approx(arena.exploitability(pi, TAU), abs=1e-12)
        assert bound.low < exact
        assert bound.high > 0.9 * exact > 0


def test_a_badly_trained_opponent_only_weakens_the_bound(arena, policy):
    exact = evaluate.exact_exploitability(arena, policy, TAU)
    nothing = evaluate.exploitability(arena, policy, TAU, samples=4000, best=policy)
    assert abs(nothing.mean) < nothing.margin
    weak = evaluate.exploitability(arena, policy, TAU, samples=4000, best=arena.reference)
    assert weak.low < exact


def test_at_the_nash_nothing_is_to_be_gained(arena):
    nash = pg.nash(arena.game, TAU).policy
    from llm_backend.policy import Answers

    pi = Answers((WORDS,) * len(PROMPTS), tuple(nash))
    assert evaluate.exact_exploitability(arena, pi, TAU) < 1e-9
    bound = evaluate.exploitability(arena, pi, TAU, samples=4000)
    assert bound.low < 0 and bound.mean < 2 * bound.margin


def test_intervals_hold_the_exact_values_nineteen_times_in_twenty(arena, policy):
    p, q = arena.probs(policy), arena.probs(arena.reference)
    exact_kl = float((p * np.log(p / q)).sum(axis=1).mean())
    exact_win = arena.win_rate(policy, arena.reference)
    inside = np.zeros(2)
    for t in range(200):
        view = arena.at(t)
        divergence = evaluate.kl(view, policy, samples=40)
        win = evaluate.win_rate(view, policy, arena.reference, samples=40)
        inside += [divergence.low <= exact_kl <= divergence.high, win.low <= exact_win <= win.high]
    assert (inside >= 180).all() and (
        inside <= 200
    ).all()  # 190 expected, five standard deviations below is 175


def test_what_is_measured_of_a_policy(arena, policy):
    p = arena.probs(policy)
    found = evaluate.measure(arena, policy, {1: policy}, samples=2000)
    assert found["entropy"] == pytest.approx(-(p * np.log(p)).sum(axis=1).mean(), abs=0.05)
    assert abs(found["win_rate_past"]["1"]["mean"] - 0.5) < 2 * found["win_rate_past"]["1"]["margin"]
    assert (found["length"], found["length_reference"], found["truncated"]) == (2, 2, 0)


def test_evaluation_shares_no_draw_with_training(arena):
    training = arena.space.draw(arena.reference, 50, (arena.seed, arena.round, *b"first"))
    assert evaluate._draw(arena, arena.reference, 50, "first").texts != training.texts


def test_a_clean_sweep_is_no_certainty():
    assert evaluate.estimate(np.ones((2, 4)), bounded=True).margin > 0.1
    assert evaluate.estimate(np.ones((2, 4))).margin == 0
    with pytest.raises(ValueError, match="at least 2 draws"):
        evaluate.estimate(np.ones((2, 1)))
