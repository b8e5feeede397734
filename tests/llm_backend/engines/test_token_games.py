"""A language model on enumerable games, against the exact regularised Nash and the tabular solver."""

import contextlib
import dataclasses
import functools
import itertools

import numpy as np
import pytest

import pgames as pg
from llm_backend import Fit, TextArena
from llm_backend.policies.handles import BASE, Base
from pgames.testing import check_arena
from tests.support.llm_tiny import CoinJudge, TableJudge, cyclic_game, tiny_lm

PROMPTS = ["f", "g h", "i"]
LETTERS = list("abcde")
SENTENCES = [" ".join(word) for n in (1, 2, 3) for word in itertools.product("abc", repeat=n)]  # 39


def letters(lm, fit, samples=None, judge=TableJudge, **options):
    """Three prompts, each with a cycle of its own among five one-token responses."""
    judge = judge(cyclic_game().P, PROMPTS, LETTERS)
    return TextArena(lm, PROMPTS, judge, samples, responses=LETTERS, fit=fit, **options)


def sentences(lm, fit):
    """Letters play a cycle place by place; which place counts double depends on the prompt."""
    cycle = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    tables = []
    for x in range(3):
        shares = np.zeros((39, 3))
        for i, text in enumerate(SENTENCES):
            for place, letter in enumerate(text.split()):
                shares[i, "abc".index(letter)] += 1.0 if place == x else 0.5
        tables.append(1 / (1 + np.exp(-4 * shares @ cycle @ shares.T)))
    judge = TableJudge(np.array(tables), PROMPTS, SENTENCES)
    return TextArena(lm, PROMPTS, judge, None, responses=SENTENCES, fit=fit)


def apart(p, q):
    """Total variation in the worst prompt."""
    return float(0.5 * np.abs(p - q).sum(axis=-1).max())


@pytest.mark.parametrize(("lora", "lr"), [(8, 1e-2), (None, 3e-3)])
def test_egpo_reaches_the_nash_of_one_token_games(lora, lr):
    arena = letters(tiny_lm(lora=lora), Fit(epochs=40, lr=lr))
    nash = pg.nash(arena.game, 0.2).policy
    assert apart(arena.probs(arena.reference), nash) > 0.15
    state = pg.solve(pg.EGPO(tau=0.2, eta=1.5), arena, 9)
    assert apart(arena.probs(state.policy), nash) < 1e-2
    assert arena.exploitability(state.policy, 0.2) < 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("tau", [0.2, 0.1])
def test_egpo_reaches_it_to_a_thousandth(tau):
    arena = letters(tiny_lm(), Fit(epochs=40, lr=1e-2))
    state = pg.solve(pg.EGPO(tau, eta=1.5), arena, int(3.2 / tau))
    assert apart(arena.probs(state.policy), pg.nash(arena.game, tau).policy) < 1e-3


def test_a_reference_with_the_adapter_on_is_found_out(monkeypatch):
    """Negative control: the same run where 'base' means the policy trained last (as with get_base_model)."""
    arena = letters(tiny_lm(), Fit(epochs=40, lr=1e-2))
    nash = pg.nash(arena.game, 0.2).policy
    honest, last = arena.lm.active, []
    freeze = arena.lm.freeze

    def remember(trainee, moments=None):
        last[:] = [freeze(trainee, moments)]
        return last[0]

    @contextlib.contextmanager
    def live(leaf):
        with honest(last[0] if isinstance(leaf, Base) and last else leaf):
            yield

    monkeypatch.setattr(arena.lm, "freeze", remember)
    monkeypatch.setattr(arena.lm, "active", live)
    table = arena.space.table

    def forgetful(leaf):
        arena.space._tables.clear()
        return table(leaf)

    monkeypatch.setattr(arena.space, "table", forgetful)
    state = pg.solve(pg.EGPO(tau=0.2, eta=1.5), arena, 9)
    monkeypatch.undo()
    assert apart(arena.probs(state.policy), nash) > 0.1


def test_sentences_reach_the_nash_along_the_path_of_the_table():
    arena = sentences(tiny_lm(spread=0.1), Fit(epochs=60, lr=1e-2, rows=256))
    solver, table = pg.EGPO(tau=0.5, eta=1.6), pg.TableArena(arena.game)
    nash = pg.nash(arena.game, 0.5).policy
    assert arena.probs(BASE).max() > 20 * np.median(arena.probs(BASE))  # far from uniform
    assert apart(arena.probs(BASE), nash) > 0.04
    for text, exact in zip(pg.iterate(solver, arena, 2), pg.iterate(solver, table, 2), strict=True):
        assert apart(arena.probs(text.policy), table.probs(exact.policy)[0]) < 1e-2
    assert apart(arena.probs(text.policy), nash) < 1e-2


@pytest.mark.slow
def test_sentences_reach_the_nash_to_a_thousandth():
    how = Fit(epochs=60, lr=1e-2, rows=256)
    arena = sentences(tiny_lm(spread=0.1, lora=16), how)
    solver, state = pg.EGPO(tau=0.5, eta=1.6), None
    for epochs, lr, rounds in ((60, 1e-2, 2), (150, 5e-3, 3), (250, 3e-3, 3)):  # ever closer fits
        arena.context = dataclasses.replace(arena.context, fit=dataclasses.replace(how, epochs=epochs, lr=lr))
        state = pg.solve(solver, arena, rounds, state)
    assert apart(arena.probs(state.policy), pg.nash(arena.game, 0.5).policy) < 1e-3


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_coins_of_a_judge_lead_to_a_gap_of_a_thousandth(seed):
    coin = functools.partial(CoinJudge, seed=seed)
    arena = letters(tiny_lm(), Fit(epochs=30, lr=1e-2), samples=100, judge=coin, seed=seed)
    exact = letters(arena.lm, Fit())
    state = pg.solve(pg.INPO(tau=0.2, eta=1.0), arena, 12)
    assert exact.exploitability(BASE, 0.2) > 1e-2
    assert exact.exploitability(state.policy, 0.2) < 1e-3


def test_the_game_of_an_arena():
    """Prompts with separate lists, and the table of the arena."""
    lists = [["a", "b", "c"], ["c", "d"]]
    judge = TableJudge(cyclic_game().P[:2], PROMPTS[:2], LETTERS)
    arena = TextArena(tiny_lm(), PROMPTS[:2], judge, None, responses=lists, fit=Fit(epochs=30, lr=1e-2))
    game = arena.game
    assert game.support.tolist() == [[True, True, True], [True, True, False]]
    np.testing.assert_allclose(game.P[0], judge.P[0][:3, :3])
    np.testing.assert_allclose(game.P[1, :2, :2], judge.P[1][2:4, 2:4])
    asked = judge.asked
    assert asked == 3 + 1
    assert arena.win_rate(BASE, BASE) == pytest.approx(0.5)
    assert judge.asked == asked  # once
    step = arena.mirror_step(BASE, BASE, 1.0)
    table = pg.TableArena(game)
    exact = table.probs(table.mirror_step(table.reference, table.reference, 1.0))[0]
    assert apart(arena.probs(step), exact) < 1e-3
    assert arena.probs(step, ["e", "a b"]).shape == (2, 2)
    assert arena.to_game(["a", "b"]).responses == 2


def test_conformance_of_exact_play():
    """On adapters; `test_conformance` runs the kit with all weights trained, for every solver."""
    fit = Fit(epochs=60, lr=1e-2)
    print(check_arena(letters(tiny_lm(), fit), tolerance=0.02))
