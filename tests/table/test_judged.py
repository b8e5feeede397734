"""A table as a panel of self-preferring judges sees it."""

import numpy as np
import pytest

import pgames as pg
from pgames.arena import Judging, PanelArena, SelfPreferring
from pgames.solver import require
from pgames.testing import check_arena

GAME = pg.games.stack([pg.games.comal3(), pg.games.cyclic(5, 0.8), pg.games.random_skew(4, 1)])


def policies(arena, n, seed=0):
    rng = np.random.default_rng(seed)
    shape = (n, arena.runs, arena.game.prompts, arena.game.responses)
    weights = np.where(arena.game.support, rng.exponential(size=shape), 0.0)
    return [arena.policy(w / w.sum(axis=-1, keepdims=True)) for w in weights]


def test_a_verdict_is_the_formula():
    """Oracle: one pair at a time, in Python."""
    arena = pg.TableArena(GAME, runs=2)
    one, two = policies(arena, 2)
    panel = [SelfPreferring(one, 0.7), SelfPreferring(two, np.array([0.2, 1.5]))]
    view = arena.judged_by(panel, [1.0, 3.0])
    for s, x, y, z in [(0, 0, 0, 1), (1, 1, 4, 2), (1, 2, 3, 0), (0, 2, 1, 1)]:
        odds = np.log(GAME.P[x, y, z] / (1 - GAME.P[x, y, z]))
        said = [
            1 / (1 + np.exp(-odds - bias * (pi[s, x, y] - pi[s, x, z])))
            for pi, bias in ((one, 0.7), (two, [0.2, 1.5][s]))
        ]
        expected = 0.25 * said[0] + 0.75 * said[1]
        assert view.preferences[s, x, y, z] == pytest.approx(expected, abs=1e-14)
        assert view.verdicts([x], [y], [z])[s, 0] == view.preferences[s, x, y, z]
    np.testing.assert_allclose(view.preferences + np.swapaxes(view.preferences, 2, 3), 1, atol=1e-14)
    met = np.einsum("sxy,sxyz,sxz->sx", np.exp(one), view.preferences, np.exp(two)) @ GAME.prompt_weights
    np.testing.assert_allclose(view.win_rate(one, two), met, atol=1e-14)


def test_fair_judges_give_the_arena_itself():
    arena = pg.TableArena(GAME, runs=2)
    a, b, c = policies(arena, 3)
    view = arena.judged_by([SelfPreferring(a, 0.0), SelfPreferring(b, 0.0)], [1, 2])
    np.testing.assert_allclose(view.win_rate(a, b), arena.win_rate(a, b), atol=1e-14)
    for step in (0.7, np.array([0.2, 3.0]), np.inf):
        np.testing.assert_allclose(
            view.probs(view.mirror_step(a, c, step)), arena.probs(arena.mirror_step(a, c, step)), atol=1e-13
        )
    biased = arena.judged_by([SelfPreferring(a, 1.0)])
    assert np.abs(biased.win_rate(a, b) - arena.win_rate(a, b)).max() > 0.01  # and a biased one does not


def test_a_view_is_an_arena():
    arena = pg.TableArena(GAME, runs=3)
    judge = policies(arena, 1, seed=9)[0]
    narrow = pg.TableArena(GAME, runs=2)
    made = lambda whole, n: whole.judged_by([SelfPreferring(judge[:n], 0.5)])  # noqa: E731
    report = check_arena(
        made(arena, 3), policies=lambda view: policies(arena if len(view.reference) == 3 else narrow, 3)
    )
    assert report
    a, b, _ = policies(arena, 3)
    wide, few = made(arena, 3), made(narrow, 2)
    np.testing.assert_array_equal(
        wide.mirror_step(a, b, 0.4)[:2], few.mirror_step(a[:2], b[:2], 0.4), err_msg="depends on the runs"
    )
    require("a solver", arena, Judging)
    require("a solver", wide, PanelArena)
    moved = wide.anchored(a)
    assert moved.reference is a and moved.preferences is wide.preferences


def test_sampled_verdicts_have_the_mean_of_the_panel_and_the_streams_of_the_arena():
    game = pg.games.cyclic(5, 0.7)
    arena = pg.TableArena(game, runs=300, samples=20, seed=3)
    a, b = (p[:1].repeat(300, axis=0) for p in policies(pg.TableArena(game), 2))
    fair = arena.judged_by([SelfPreferring(a, 0.0)])
    np.testing.assert_array_equal(fair.win_rate(a, b), arena.win_rate(a, b))
    np.testing.assert_array_equal(fair.mirror_step(a, b, 0.5), arena.mirror_step(a, b, 0.5))
    biased = arena.judged_by([SelfPreferring(a, 1.0)])
    exact = pg.TableArena(game).judged_by([SelfPreferring(a[:1], 1.0)]).win_rate(a[:1], b[:1])
    assert abs(biased.win_rate(a, b).mean() - exact[0]) < 4 * 0.5 / np.sqrt(300 * 20)
    assert abs(exact[0] - pg.TableArena(game).win_rate(a[:1], b[:1])[0]) > 0.05
    assert (biased.at(1).win_rate(a, b) != biased.at(2).win_rate(a, b)).any()


def test_certain_pairs_stay_certain_and_silent_judges_do_not_prefer():
    game = pg.games.rock_paper_scissors()
    arena = pg.TableArena(game)
    pure = arena.policy([1.0, 0.0, 0.0])
    np.testing.assert_array_equal(arena.judged_by([SelfPreferring(pure, 2.0)]).preferences[0], game.P)
    open_game = pg.TableArena(pg.games.cyclic(3, 0.7))
    rates = open_game.judged_by([SelfPreferring(pure, 2.0)]).preferences[0, 0]
    np.testing.assert_allclose(rates, [[0.5, 1, 1], [0, 0.5, 0.7], [0, 0.3, 0.5]], atol=1e-15)


@pytest.mark.parametrize(
    ("panel", "weights", "told"),
    [
        ([], None, "at least one judge"),
        ([1.0], [1.0, 1.0], r"shape \[1\] or \[2, 1\]"),
        ([1.0, 0.0], [1.0, -1.0], "at least 0"),
        ([1.0, 0.0], [1.0, np.nan], "at least 0"),
        ([1.0, 0.0], [[1.0, 0.0], [0.0, 0.0]], "all 0 in run 1"),
        ([np.nan], None, "bias of a judge must be finite"),
    ],
)
def test_what_is_no_panel_is_refused(panel, weights, told):
    arena = pg.TableArena(GAME, runs=2)
    with pytest.raises(ValueError, match=told):
        arena.judged_by([SelfPreferring(arena.reference, bias) for bias in panel], weights)


def test_a_judge_of_another_game_and_responses_outside_are_refused():
    arena = pg.TableArena(GAME, runs=2)
    with pytest.raises(ValueError, match=r"shape \[1, 1, 3\], the arena's policies \[2, 3, 5\]"):
        arena.judged_by([SelfPreferring(pg.TableArena(pg.games.comal3()).reference, 1.0)])
    view = arena.judged_by([SelfPreferring(arena.reference, 1.0)])
    with pytest.raises(ValueError, match="no response 5: the game has 5"):
        view.verdicts([0], [1], [5])
    with pytest.raises(ValueError, match="a step must be finite"):
        view.mirror_step(arena.reference, arena.reference, np.nan)
