"""What is measured of a pair: attackers of every kind, ordinary prompts, diversity."""

import numpy as np
import pytest

import pgames as pg
from llm_backend.evaluate import EVALUATION
from llm_backend.judges import Rule
from llm_backend.policies.handles import BASE, Answers
from llm_backend.roles import Seed, measure
from llm_backend.roles.play import attacks_of
from pgames.arena import Pair
from tests.support.llm_roles import free_roles, writer

SEEDS = [Seed("a"), Seed("b c"), Seed("d")]


def test_success_is_the_mean_over_seeds_and_a_refused_attack_is_a_failure():
    arena = free_roles(SEEDS, success=lambda prompts, answers: np.ones(len(answers)))
    found = measure.attacked(arena, BASE, BASE, samples=16, replies=2)
    assert found.refused and len(found.won) == 2 * len(found.attacks.rows)
    read = np.bincount(found.attacks.draws.prompt[found.attacks.rows], minlength=3) / 16
    np.testing.assert_allclose(found.by_seed, read)
    assert found.rate.mean == pytest.approx(read.mean())
    assert found.rate.margin == pytest.approx(4.302653 * read.std(ddof=1) / np.sqrt(3), rel=1e-5)
    shown = found.transcripts(4)
    assert len(shown) == 4 and all(prompt in found.attacks.prompts and won == 1.0 for prompt, _, won in shown)
    assert arena.asked == 0  # a measurement is not a verdict of the training


def test_measurements_draw_what_no_training_draws():
    arena = free_roles(SEEDS, samples=16)
    trained = attacks_of(arena.rules, arena._table, arena._attacking, BASE)
    found = measure.attacked(arena, BASE, BASE, samples=16)
    assert trained.draws.tokens != found.attacks.draws.tokens
    assert found.attacks.draws.tokens == measure.attacked(arena, BASE, BASE, samples=16).attacks.draws.tokens
    assert 1 << 32 > measure.FRESH > EVALUATION


def test_a_fresh_attacker_starts_from_the_reference_and_finds_what_is_left():
    lm = writer()
    arena = free_roles(SEEDS, lm=lm, samples=8)
    solver = pg.INPO(0.05, 8.0)
    attacker = measure.fresh(arena, BASE, solver, 6)
    late = free_roles(SEEDS, lm=lm, samples=64)
    base, found = (measure.attacked(late, one, BASE, 64, 4).rate.mean for one in (BASE, attacker))
    assert found > 1.3 * base
    again = measure.fresh(free_roles(SEEDS, lm=lm, samples=8), BASE, solver, 6)
    assert again.id == attacker.id
    same = pg.solve(solver, arena.only("attacker", Pair(BASE, BASE)), 6).policy.attacker
    assert same.id != attacker.id  # its draws are its own
    safe = measure.fresh(arena, Answers((("e",),) * 64, (np.ones(1),) * 64), solver, 2)
    assert measure.attacked(late, safe, Answers((("e",),) * 256, (np.ones(1),) * 256), 64).rate.mean == 0.0


def test_a_win_rate_on_ordinary_prompts_is_against_the_reference():
    judge = Rule(
        prefer=lambda prompt, first, second: 0.5 + 0.5 * np.sign(first.count("d") - second.count("d"))
    )
    arena = free_roles(SEEDS, judge=judge, ordinary=["e", "a e", "c"], quality=0.3)
    same = measure.ordinary(arena, BASE, ["e", "a e", "c"], 24)
    assert abs(same.win_rate.mean - 0.5) < 0.1
    assert same.leaked.shape == (72,) and 0 < same.leaked.mean() < 1
    quiet = Answers((("e",),) * 3, (np.ones(1),) * 3)
    worse = measure.ordinary(arena, quiet, ["e", "a e", "c"], 8)
    assert worse.win_rate.mean < 0.5 and worse.leaked.max() == 0.0
    with pytest.raises(ValueError, match="needs a judge"):
        measure.ordinary(free_roles(SEEDS), BASE, ["e", "a"])
    with pytest.raises(ValueError, match="at least 2, got 1"):
        measure.ordinary(arena, BASE, ["e", "a"], 1)


def test_attacks_that_repeat_are_less_diverse():
    arena = free_roles(SEEDS)
    one = measure.diversity(arena, ["a b c d", "a b c d", "a b c d", ""])
    many = measure.diversity(arena, ["a b c d", "e d b a", "c c e", "d"])
    assert one.self_bleu == pytest.approx(1.0) and one.distance == pytest.approx(0.0, abs=1e-9)
    assert many.self_bleu < 0.6 and many.distance > 0.01
    with pytest.raises(ValueError, match="at least two texts"):
        measure.diversity(arena, ["a", ""])
