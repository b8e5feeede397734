"""Search on text: on listed responses it is that of the table, and free text finds the same responses."""

import json

import numpy as np
import pytest

import pgames as pg
from llm_backend import Fit, TextArena, judges
from llm_backend.policies.handles import BASE, Answers
from llm_backend.search.arena import Searched
from llm_backend.search.caches import Caches
from llm_backend.search.free import Writer
from llm_backend.search.spaces import Settings, key_of, spaces
from llm_backend.testing import QUICK, text_arena
from llm_backend.tiny import tiny_language_model
from pgames.search.tree import Tree

RULES = [pg.PUCT(), pg.Tempered(5.0), pg.Halving(4)]
CLOSE = Fit(epochs=60, lr=6e-3)


def ranked(seed=0, X=2, Y=6):
    """A game of X prompts and Y responses, whose reference is not uniform."""
    rng = np.random.default_rng(seed)
    P = np.stack([pg.games.bradley_terry(rng.standard_normal(Y)).P[0] for _ in range(X)])
    return pg.PreferenceGame(P, rng.dirichlet(np.ones(Y), size=X))


def texts_of(policy, game):
    """An `Answers` over r0, r1, ... as a table float64[X, Y]."""
    table = np.zeros(game.reference.shape)
    for x, (texts, weights) in enumerate(zip(policy.texts, policy.weights, strict=True)):
        for text, weight in zip(texts, weights, strict=True):
            table[x, int(text[1:])] += weight
    return table


@pytest.mark.parametrize("rule", RULES, ids=repr)
@pytest.mark.parametrize("batch", [1])
def test_on_listed_responses_search_is_that_of_the_table(rule, batch):
    game = ranked()
    table = pg.Searched(pg.TableArena(game, seed=5), 6, rule)
    text = Searched(text_arena(game, seed=5), 6, rule, batch=batch)
    for t in (0, 3):
        want = table.at(t).search(table.reference, table.reference, 9, rule)
        got = text.at(t).search(text.reference, text.reference, 9, rule)
        assert got.judged == want.judged
        np.testing.assert_allclose(got.score(text.space.listed.all).reshape(2, -1), want.score[0], atol=1e-6)
        np.testing.assert_allclose(texts_of(got.policy, game), np.exp(want.policy[0]), atol=1e-6)
        assert np.array_equal(texts_of(got.best, game), np.exp(want.best[0]))


def test_a_mirror_step_of_listed_responses_is_that_of_the_table():
    game = ranked()
    text = Searched(text_arena(game, fit=CLOSE), 6, batch=3)
    table = pg.TableArena(game)
    want = np.exp(table.mirror_step(table.reference, table.reference, 3.0))
    got = text.probs(text.mirror_step(BASE, BASE, 3.0))
    assert 0.5 * np.abs(got - want).sum(axis=-1).max() < 2e-3
    assert 0.5 * np.abs(text.probs(BASE) - want).sum(axis=-1).max() > 0.1
    few = pg.Searched(table, 6)
    solver = pg.EGPO(0.2, 1.0)
    ends = [arena.probs(pg.solve(solver, arena, 2).policy) for arena in (text, few)]
    assert 0.5 * np.abs(ends[0] - ends[1]).sum(axis=-1).max() < 5e-3


@pytest.mark.parametrize("rule", RULES, ids=repr)
def test_free_text_of_the_same_responses_is_searched_as_the_list_is(rule):
    """A model that answers by one token and EOS: the tree over its tokens is that of the table."""
    game = ranked(1, X=2, Y=5)
    listed = text_arena(game, seed=2)
    opponent = Answers((("r3",), ("r1",)), (np.ones(1), np.ones(1)))
    free = TextArena(listed.lm, listed.prompts, listed.judge, 4, max_new_tokens=2, seed=2, fit=CLOSE)
    got = Searched(free, 5, rule, top=5, batch=1).search(BASE, opponent, 12, rule)
    table = pg.TableArena(game, seed=2)
    fixed = table.policy(np.eye(5)[[3, 1]])
    want = _over_tokens(table, rule).search(table.reference, fixed, 12, rule)
    np.testing.assert_allclose(texts_of(got.policy, game), np.exp(want.policy[0]), atol=1e-5)
    assert np.array_equal(texts_of(got.best, game), np.exp(want.best[0]))
    assert got.judged == want.judged


def _over_tokens(table, rule):
    """The responses as the model writes them: one token, then EOS."""
    return pg.Searched(table, 5, rule, [(10 + y, 0) for y in range(table.game.responses)])


def test_free_text_learns_from_what_it_judged_and_keeps_its_tree():
    """Against a standing opponent, two rounds know more than one; candidates are judged responses."""
    game = ranked(3, X=1, Y=6)
    base = text_arena(game)
    free = TextArena(base.lm, base.prompts, base.judge, 6, max_new_tokens=2, fit=CLOSE)
    arena = Searched(free, 3, pg.Halving(), top=6, batch=2)
    opponent = Answers((("r0",),), (np.ones(1),))
    facing = pg.Facing(arena, opponent)
    one = arena.at(0).search(BASE, opponent, 3, pg.Halving())
    assert one.judged <= 3
    pi = pg.solve(pg.BestResponse(0.1), facing, 2).policy
    wins = game.P[0][:, 0]
    responses = [f"r{y}" for y in range(6)]
    before, after = (free.probs(policy, responses)[0] @ wins for policy in (BASE, pi))
    assert after > before + 0.1


def test_verdicts_are_kept_by_prompt_while_the_opponent_stands():
    """Also where the rounds play other prompts in turn."""
    arena = Searched(random_text(per_round=1, fit=QUICK), 4, pg.Halving(4), top=4)
    counts = []
    for t in range(4):
        arena.at(t).mirror_step(BASE, BASE, 1.0)
        known = arena._kept.before(json.dumps("base"), t + 1)
        counts.append([len(known.get(x, {})) for x in (0, 1)])
    assert counts[0] == [4, 0] and counts[1] == [4, 4] and counts[3] == [8, 8]


def test_expert_iteration_runs_on_text():
    game = ranked(2, X=2, Y=5)
    arena = Searched(text_arena(game, fit=CLOSE), 5)
    state = pg.solve(pg.ExpertIteration(20), arena, 1)
    found = arena.at(0).search(BASE, BASE, 20, pg.PUCT())
    np.testing.assert_allclose(arena.probs(state.policy)[0], texts_of(found.policy, game), atol=0.03)


def shorter(prompt, first, second):
    return 1 / (1 + np.exp((len(first) - len(second)) / 4))


def random_text(**how):
    lm = tiny_language_model(lora=4)
    return TextArena(lm, ["1+2", "22+1"], judges.Rule(prefer=shorter), 4, max_new_tokens=6, **how)


@pytest.mark.parametrize("delimiter", [None, "1"])
def test_the_same_search_twice_is_equal(delimiter):
    arena = random_text(min_new_tokens=2)
    found = [
        Searched(arena, 8, top=4, delimiter=delimiter).search(BASE, BASE, 16, pg.PUCT()) for _ in range(2)
    ]
    assert found[0].policy.texts == found[1].policy.texts
    assert found[0].verdicts == found[1].verdicts
    for x, verdicts in found[0].verdicts.items():
        assert all(2 < len(row) <= 6 or row[-1] not in arena.lm.stops for row in verdicts)
        assert found[0].best.texts[x][0] in found[0].policy.texts[x]
        assert found[0].policy.weights[x].sum() == pytest.approx(1)


def test_prompts_searched_together_are_searched_as_alone():
    """Trees of several prompts share batches and nothing else."""
    arena = random_text()
    for delimiter in (None, "1"):
        whole = Searched(arena, 8, top=4, delimiter=delimiter).search(BASE, BASE, 12, pg.PUCT())
        for x in (0, 1):
            found = spaces(arena.context, Settings(Caches(arena.lm), 4, delimiter, 1), BASE, BASE)
            tree = Tree(found[x], pg.PUCT(), key_of(arena.context, x))
            tree.simulate(12, 8)
            assert tree.verdicts == whole.verdicts[x]


def test_a_search_asks_one_verdict_per_simulation_and_per_opponent():
    arena = random_text()
    for opponents in (1, 3):
        found = Searched(arena, 8, top=4, opponents=opponents).search(BASE, BASE, 10, pg.PUCT())
        assert found.judged == opponents * sum(map(len, found.verdicts.values())) <= 20 * opponents


@pytest.mark.parametrize(
    ("how", "line"),
    [
        ({"verdicts": 3}, "PUCT chooses among up to 8 tokens and needs at least 8 simulations, got 3"),
        ({"verdicts": 8, "top": 0}, "top must be a whole number of at least 1"),
        ({"verdicts": 8, "batch": 0}, "batch must be a whole number of at least 1"),
        ({"verdicts": 8, "delimiter": ""}, "delimiter must be a text"),
        ({"verdicts": 8, "room": 0}, "room must be at least 1 byte"),
    ],
)
def test_bad_input_is_named(how, line):
    with pytest.raises(ValueError, match=line):
        Searched(random_text(), **how)


def test_a_view_with_a_fixed_opponent_is_not_searched():
    """The search would meet the opponent that is named, and not the fixed one."""
    arena = random_text()
    with pytest.raises(TypeError, match="needs a TextArena, got Facing: search the model itself"):
        Searched(pg.Facing(arena, BASE), 8)


def test_a_prior_without_log_probabilities_is_refused():
    arena = Searched(random_text(), 8)
    mixed = arena.mixture((0.5, BASE), (0.5, Answers((("1",), ("1",)), (np.ones(1), np.ones(1)))))
    with pytest.raises(ValueError, match="distil it first"):
        arena.mirror_step(mixed, BASE, 1.0)
    with pytest.raises(ValueError, match="a mirror step of 0 is its prior"):
        arena.mirror_step(BASE, BASE, 0.0)


def test_a_policy_that_repeats_itself_ends_with_a_line(caplog, monkeypatch):
    """Rollouts that are always the same response: one verdict, and a warning instead of an endless search."""
    same = (5, 6, 7, 8, 9, 10)
    monkeypatch.setattr(Writer, "complete", lambda self, places, _: [same] * len(places))
    arena = Searched(random_text(fit=QUICK), 8, top=4)
    arena.mirror_step(BASE, BASE, 1.0)
    assert "judged 1 new responses, not 8: the policy repeats itself" in caplog.text
