"""Populations on text: shared draws, meetings that can be repeated, leagues equal to those of tables."""

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

import pgames as pg
from llm_backend import TextArena, judges
from llm_backend.policies.handles import BASE
from llm_backend.testing import text_arena
from llm_backend.tiny import PROMPTS, tiny_language_model

torch.set_num_threads(1)

GAME = pg.games.comal3()
PAIRS = np.array([[0, 1], [0, 2], [1, 2]])


class Counted:
    """A judge that counts what it is asked; `noise` makes it answer differently each time."""

    as_is = True

    def __init__(self, noise=0.0, antisymmetric=True):
        self.asked, self.noise, self.antisymmetric = 0, noise, antisymmetric
        self.random = np.random.default_rng(0)

    def prefer(self, prompts, firsts, seconds):
        self.asked += len(prompts)
        longer = np.array([(1 + np.sign(len(y) - len(z))) / 2 for y, z in zip(firsts, seconds, strict=True)])
        return np.clip(longer + self.noise * self.random.uniform(-1, 1, len(longer)), 0, 1)


@pytest.fixture(scope="module")
def lm():
    return tiny_language_model(lora=4)


@pytest.fixture(scope="module")
def three(lm):
    """Three policies on free text."""
    arena = TextArena(lm, PROMPTS[:3], judges.Rule(lambda x, y: len(y)), samples=3, max_new_tokens=5)
    shorter = TextArena(lm, PROMPTS[:3], judges.Rule(lambda x, y: -len(y)), samples=3, max_new_tokens=5)
    return [BASE, arena.mirror_step(BASE, BASE, 4.0), shorter.mirror_step(BASE, BASE, 4.0)]


def free(lm, judge, samples=4):
    return TextArena(lm, PROMPTS[:3], judge, samples=samples, max_new_tokens=5)


def spied(monkeypatch):
    """The sizes of the requests that are decoded together."""
    from llm_backend.spaces import free as module

    calls, real = [], module.generate_together

    def generate_together(lm, requests, *rest, **named):
        calls.append(len(requests))
        return real(lm, requests, *rest, **named)

    monkeypatch.setattr(module, "generate_together", generate_together)
    return calls


def test_every_member_is_drawn_once(lm, three, monkeypatch):
    arena, calls = free(lm, Counted()), spied(monkeypatch)
    arena.meet(three, PAIRS)
    assert calls == [3]  # three generations in one call, for three pairs
    arena.win_rates(three, three[:2])
    assert calls == [3, 5]


def test_meetings_are_repeated_to_the_bit_and_do_not_depend_on_others(lm, three):
    arena = free(lm, Counted()).at(2)
    met = arena.meet(three, PAIRS)
    np.testing.assert_array_equal(met.rates, arena.meet(three, PAIRS).rates)
    alone = arena.meet(three[1:], np.array([[0, 1]]))
    assert alone.rates[0, 0, 1] == met.rates[0, 1, 2]
    turned = arena.meet(three[::-1], np.array([[0, 1]]))
    assert turned.rates[0, 1, 0] == met.rates[0, 1, 2]
    assert arena.win_rates(three[1:2], three[2:])[0, 0, 0] == met.rates[0, 1, 2]
    assert (met.games[0][np.triu_indices(3, 1)] == 4 * 3).all()
    assert (arena.at(3).meet(three, PAIRS).rates != met.rates).any()


def test_shared_draws_are_those_of_single_ones(lm, three):
    space, key = free(lm, Counted()).space, (0, 1)
    for one, together in zip(three, space.draw_each([(p, key) for p in three], 3), strict=True):
        single = space.draw(one, 3, key)
        assert single.texts == together.texts and single.tokens == together.tokens


def test_recorded_draws_are_read_back(lm, three, tmp_path, monkeypatch):
    arena = TextArena(lm, PROMPTS[:3], Counted(), samples=3, max_new_tokens=5, folder=tmp_path)
    calls = spied(monkeypatch)
    first = arena.meet(three[:2], PAIRS[:1])
    again = arena.meet(three, PAIRS)
    assert calls == [2, 1]  # only the third is drawn
    assert again.rates[0, 0, 1] == first.rates[0, 0, 1]


def test_a_member_twice_is_even_with_itself_and_asks_nothing(lm, three):
    judge = Counted(noise=0.4)
    met = free(lm, judge).meet([three[1], three[1]], np.array([[0, 1]]))
    assert met.rates[0, 0, 1] == 0.5 and judge.asked == 0


def test_a_pool_of_one_meets_nobody(lm, three):
    met = free(lm, Counted()).meet([three[0]], np.empty((0, 2), np.int64))
    np.testing.assert_array_equal(met.known(), [[[0.5]]])


def test_more_matches_put_other_draws_together(lm, three):
    judge = Counted()
    arena = free(lm, judge, samples=3)
    met = arena.meet(three[:2], np.array([[0, 1], [1, 0], [0, 1]]))
    assert met.games[0, 0, 1] == 3 * 3 * 3
    theirs, ours = (arena.context.draw_members([p])[0] for p in (three[1], three[0]))
    everything = [
        (1 + np.sign(len(y) - len(z))) / 2
        for x in range(3)
        for y in (t for t, q in zip(ours.texts, ours.prompt, strict=True) if q == x)
        for z in (t for t, q in zip(theirs.texts, theirs.prompt, strict=True) if q == x)
    ]
    assert met.rates[0, 0, 1] == pytest.approx(np.mean(everything))
    with pytest.raises(ValueError, match="members 0 and 1 have 4 matches and 3 draws"):
        arena.meet(three[:2], np.array([[0, 1]] * 4))


def test_a_judge_that_disagrees_with_itself_is_asked_both_ways(lm, three):
    judge = Counted(noise=0.4, antisymmetric=False)
    met = free(lm, judge).meet(three, PAIRS)
    np.testing.assert_allclose(met.rates + met.rates.swapaxes(1, 2), 1.0)
    assert judge.asked % 2 == 0 and judge.asked > 0
    biased = Counted()
    biased.prefer = lambda x, y, z: np.ones(len(x))  # the first always wins
    biased.antisymmetric = False
    fair = free(lm, biased).meet(three, PAIRS)
    np.testing.assert_array_equal(fair.rates, 0.5)


def test_games_without_a_verdict_are_left_out(lm, three):
    class Some(Counted):
        partial = True

        def prefer(self, prompts, firsts, seconds):
            won = super().prefer(prompts, firsts, seconds)
            won[::2] = np.nan
            return won

    all_of, some = (free(lm, judge).meet(three, PAIRS) for judge in (Counted(), Some()))
    assert (some.games[0, 0, 1:] < all_of.games[0, 0, 1:]).all() and (some.games[0, 0, 1:] > 0).all()
    assert not np.isnan(some.known()).any()


def test_sampled_rates_are_those_of_the_table():
    game = pg.games.stack([pg.games.cyclic(3, p=0.9), pg.games.duel(0.8)])
    exact, sampled = text_arena(game), text_arena(game, samples=400)
    members = [exact.reference, exact.mirror_step(exact.reference, exact.reference, 2.0)]
    members.append(exact.policy(np.where(game.support, [0.7, 0.2, 0.1], 0) + 1e-9 * game.support))
    truth = exact.win_rates(members, members)
    table = pg.TableArena(exact.game)
    np.testing.assert_allclose(
        truth, table.win_rates(*(2 * [[np.log(exact.probs(p) + 1e-300) for p in members]])), atol=1e-6
    )
    found = sampled.meet(members, PAIRS)
    assert (np.abs(found.rates - truth) <= 1.5 * found.margin() + 1e-12).all()
    np.testing.assert_allclose(sampled.win_rates(members, members)[0], found.rates[0], atol=1e-12)


def tables(state, arena):
    return np.concatenate([arena.probs(policy).ravel() for policy in state])


@pytest.mark.parametrize(
    "solver, rounds, within",
    [
        (pg.PSRO(oracle=pg.BestResponse(0.2)), 5, 0.01),
        (pg.League(pg.INPO(0.2, 1.0), 4), 4, 0.02),
        (pg.AnytimePSRO(oracle=pg.BestResponse(0.2)), 3, 0.01),
    ],
    ids=["PSRO", "League", "AnytimePSRO"],
)
def test_populations_are_those_of_the_table(solver, rounds, within):
    text = text_arena(GAME)
    table = pg.TableArena(text.game)
    ours, theirs = pg.solve(solver, text, rounds), pg.solve(solver, table, rounds)
    far = np.abs(text.probs(ours.policy) - table.probs(theirs.policy)).sum(axis=-1).max() / 2
    assert far < within
    members, others = ours.memory[0], theirs.memory[0]
    if isinstance(solver, pg.League):
        members, others = ([one.policy for one in group] for group in (members, others))
    assert len(members) == len(others)
    for one, other in zip(members, others, strict=True):
        assert np.abs(text.probs(one) - table.probs(other)).sum(axis=-1).max() / 2 < within


def test_the_mixture_against_all_is_that_of_the_table():
    game = pg.games.stack([pg.games.comal3(), pg.games.cyclic(3, p=0.8)])
    text = text_arena(game)
    table = pg.TableArena(text.game)
    rng = np.random.default_rng(3)
    members = [text.policy(rng.dirichlet([1, 1, 1], size=2)) for _ in range(3)]
    found = text.against_all(members)
    wanted = table.against_all([np.log(text.probs(policy)) for policy in members])
    np.testing.assert_allclose(found.weights, wanted.weights, atol=1e-6)
    np.testing.assert_allclose(found.exploitability, wanted.exploitability, atol=1e-6)
    best = text.mixture(*zip(found.weights[0], members, strict=True))
    assert text.exploitability(best) == pytest.approx(float(found.exploitability[0]), abs=1e-6)
    single = min(text.exploitability(policy) for policy in members)
    assert text.exploitability(best) <= single + 1e-9
    assert text.win_rate(best, found.opponent) == pytest.approx(0.5 - found.exploitability[0], abs=1e-6)


def test_free_text_names_what_is_missing(lm, three):
    with pytest.raises(AttributeError, match=r"list of responses.*pass responses"):
        free(lm, Counted()).against_all(three)


def test_states_of_populations_are_saved(tmp_path):
    text = text_arena(GAME)
    solver = pg.League(pg.INPO(0.2, 1.0), 2)
    state = pg.solve(solver, text, 1)
    text.save(state, tmp_path)
    back = text.load(tmp_path)
    np.testing.assert_array_equal(back.memory[1].rates, state.memory[1].rates)
    np.testing.assert_array_equal(back.memory[1].games, state.memory[1].games)
    np.testing.assert_array_equal(
        text.probs(solver.step(text.at(1), back).policy), text.probs(solver.step(text.at(1), state).policy)
    )
