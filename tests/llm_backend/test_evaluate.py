"""Measuring a language-model policy, against the exact answers of enumerable games."""

import numpy as np
import pytest

import pgames as pg

pytest.importorskip("torch")

from llm_backend import evaluate
from llm_backend.arena import TextArena
from llm_backend.fits.fit import Fit
from llm_backend.judges import Rule
from llm_backend.policies.handles import BASE, Blend
from llm_backend.spaces.draws import Draws
from tests.support.llm_oracles import full_logits, trained
from tests.support.llm_tiny import TableJudge, cyclic_game, tiny_lm

TAU, WORDS, PROMPTS = 0.2, tuple("abcde"), ("f", "g", "h")


@pytest.fixture(scope="module")
def arena():
    judge = TableJudge(cyclic_game(len(PROMPTS), len(WORDS)).P, PROMPTS, WORDS)
    how = Fit(epochs=60, batch=3, lr=3e-2)
    lm = tiny_lm((*WORDS, *PROMPTS), spread=0.3)
    return TextArena(lm, PROMPTS, judge, samples=None, responses=WORDS, fit=how)


@pytest.fixture(scope="module")
def policy(arena):
    """A policy away from both the reference and the Nash."""
    return arena.mirror_step(arena.reference, arena.reference, 3.0)


def exact_exploitability(arena, policy, tau):
    """max_p J_tau(p, policy) - 1/2, the mean over prompts."""
    game = arena.game.with_reference(arena.probs(arena.reference))
    return float(np.mean(pg.exploitability(game, arena.probs(policy), tau)))


def test_the_lower_bound_is_below_the_exact_exploitability_and_near_it(arena, policy):
    for pi in (arena.reference, policy):
        exact = exact_exploitability(arena, pi, TAU)
        bound = evaluate.exploitability(arena, pi, TAU, samples=4000)
        assert exact == pytest.approx(arena.exploitability(pi, TAU), abs=1e-12)
        assert bound.low < exact
        assert bound.high > 0.9 * exact > 0


def test_a_badly_trained_opponent_only_weakens_the_bound(arena, policy):
    exact = exact_exploitability(arena, policy, TAU)
    nothing = evaluate.exploitability(arena, policy, TAU, samples=4000, best=policy)
    assert abs(nothing.mean) < nothing.margin
    weak = evaluate.exploitability(arena, policy, TAU, samples=4000, best=arena.reference)
    assert weak.low < exact


def test_at_the_nash_nothing_is_to_be_gained(arena):
    nash = pg.nash(arena.game, TAU).policy
    from llm_backend.policies.handles import Answers

    pi = Answers((WORDS,) * len(PROMPTS), tuple(nash))
    assert exact_exploitability(arena, pi, TAU) < 1e-9
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


def test_a_mixture_is_measured_as_it_is_sampled():
    """Two tokens at most; all responses enumerated from full forward passes: KL and entropy."""
    lm = tiny_lm("ab", spread=0.3)
    leaves = (BASE, trained(lm, seed=1, size=0.3), trained(lm, seed=2, size=0.3))
    blend = Blend(tuple(zip((0.4, 1.2, -0.6), leaves, strict=True)))
    judge = Rule(lambda prompt, response: len(response))
    free = TextArena(lm, ["a", "b a"], judge, samples=2, max_new_tokens=2)

    def responses():
        for first in range(len(lm.tokenizer)):
            yield from (
                [[first]] if first in lm.stops else ([first, then] for then in range(len(lm.tokenizer)))
            )

    every, kl, entropy, whole = list(responses()), [], [], []
    for ids in free.space.sampling.prompts:
        logs = np.zeros((3, len(every)))
        for i, tokens in enumerate(every):
            parts = [full_logits(lm, leaf, ids, tokens)[: len(tokens)] for leaf in leaves]
            mixed = sum(w * part for (w, _), part in zip(blend.terms, parts, strict=True))
            for k, logits in enumerate((mixed, parts[0])):
                logs[k, i] = logits.log_softmax(-1)[range(len(tokens)), tokens].sum()
            each = [part.log_softmax(-1)[range(len(tokens)), tokens].sum() for part in parts]
            logs[2, i] = sum(w * log for (w, _), log in zip(blend.terms, each, strict=True))
        draws = Draws(
            np.full(len(every), free.space.sampling.prompts.index(ids)),
            tuple(map(tuple, every)),
            ("",) * len(every),
            np.full(len(every), -1),
            np.zeros(len(every), bool),
        )
        np.testing.assert_allclose(free.space.score(blend, draws), logs[0], atol=1e-4)
        p = np.exp(logs[0])
        assert p.sum() == pytest.approx(1, abs=1e-6)
        kl.append(p @ (logs[0] - logs[1]))
        entropy.append(-p @ logs[0])
        q = np.exp(logs[2] - logs[2].max()) / np.exp(logs[2] - logs[2].max()).sum()
        whole.append(q @ (np.log(q) - logs[1]))
    found = evaluate.kl(free, blend, samples=250)
    assert found.low < np.mean(kl) < found.high
    assert abs(np.mean(whole) - np.mean(kl)) > 2 * found.margin  # the mixture of whole responses is another
    measured = evaluate.measure(free, blend, {}, samples=250)
    assert measured["entropy"] == pytest.approx(np.mean(entropy), abs=2 * found.margin)
    league = free.mixture((0.5, blend), (0.5, BASE))
    assert 0 < evaluate.kl(free, league, samples=250).mean < 0.5 * np.mean(kl)  # convex
    with pytest.raises(ValueError, match="corrected by resampling"):
        evaluate.kl(TextArena(lm, ["a"], judge, 2, max_new_tokens=2, correct=2), blend, 2)


def test_evaluation_shares_no_draw_with_training(arena):
    training = arena.space.draw(arena.reference, 50, (arena.seed, arena.round, *b"first"))
    assert evaluate._draw(arena, arena.reference, 50, "first").texts != training.texts


def test_a_clean_sweep_is_no_certainty():
    assert evaluate.estimate(np.ones((2, 4)), bounded=True).margin > 0.1
    assert evaluate.estimate(np.ones((2, 4))).margin == 0
    with pytest.raises(ValueError, match="at least 2 draws"):
        evaluate.estimate(np.ones((2, 1)))
