"""Simulations with corrupted, delayed and drifting duels, arenas of one's own, and metrics of the rounds."""

import numpy as np
import pytest

import pgames as pg
from pgames.metrics import Entropy, KLToNash, Named, OfState
from pgames.table.duels import DuelArena

GAME = pg.games.hidden_rps(0.1)
GREEDY = pg.Greedy(0.1)


@pytest.mark.parametrize(
    ("arena", "regret"),
    [(None, 7.7), (pg.Corrupted(50), 23), (pg.Corrupted(200), 64), (pg.Delayed(100), 19)],
)
def test_the_regret_of_greedy_where_verdicts_are_flipped_or_late(arena, regret):
    """The numbers were found with a loop over `iterate`, by hand."""
    curve = pg.simulate(GREEDY, GAME, 2000, seeds=60, arena=arena, record=5)
    assert curve.regret[:, -1].mean() == pytest.approx(regret, rel=0.15)


def test_no_disturbance_is_the_plain_arena_to_the_bit():
    plain = pg.simulate(GREEDY, GAME, 60, seeds=3)
    for arena in (pg.Corrupted(), pg.Drifting(pg.games.duel(), 0, 0), DuelArena):
        if isinstance(arena, pg.Drifting):
            arena = pg.Drifting(GAME, 0, 0)
        again = pg.simulate(GREEDY, GAME, 60, seeds=3, arena=arena)
        np.testing.assert_array_equal(again.regret, plain.regret)


def test_flipped_verdicts_are_those_of_the_reversed_game():
    arena = pg.Corrupted(5)(GAME, runs=4)
    reversed_game = pg.PreferenceGame(1 - GAME.P, GAME.reference)
    other = DuelArena(reversed_game, runs=4)
    for t in range(8):
        judge = other if t < 5 else DuelArena(GAME, runs=4)
        mine, theirs = (one.at(t).duel(one.uniform, one.uniform).wins for one in (arena, judge))
        np.testing.assert_array_equal(mine, theirs)


def test_a_share_of_flips_makes_win_rates_noisy():
    game = pg.games.duel(0.9)
    arena = pg.Corrupted(share=0.25)(game, runs=2000)
    first = arena.policy([1.0, 0.0])
    wins = arena.at(0).duel(first, arena.policy([0.0, 1.0])).wins[:, 0, 0, 1].mean()
    assert wins == pytest.approx(0.9 * 0.75 + 0.1 * 0.25, abs=0.04)


def test_late_evidence_is_that_of_an_earlier_round():
    arena, plain = pg.Delayed(3)(GAME, runs=2), DuelArena(GAME, runs=2)
    asked = []
    for t in range(7):
        view, now = arena.at(t), plain.at(t)
        asked.append(now.duel(now.uniform, now.reference).wins)
        got = view.duel(view.uniform, view.reference).wins
        np.testing.assert_array_equal(got, asked[t - 3] if t >= 3 else np.zeros_like(got))
        assert view.bits == 1
    with pytest.raises(TypeError, match="verdicts of compare are needed at once"):
        pg.simulate(pg.RUCB(), pg.games.duel(), 5, arena=pg.Delayed(2))
    for learner in (pg.ENPO(0.1), pg.Passive(0.1, loss="pair")):
        with pytest.raises(TypeError, match="cannot be delayed"):
            pg.simulate(learner, GAME, 5, arena=pg.Delayed(2))


def test_a_drifting_game_is_charged_in_the_game_of_the_round():
    left, right = pg.games.duel(0.9), pg.games.duel(0.1)
    drift = pg.Drifting(right, 100, 100)
    curve = pg.simulate(pg.Optimistic(0.05), left, 200, seeds=20, arena=drift, record=400)
    assert set(curve.values) == {"regret", "gap"}
    gap = dict(zip(curve.rounds.tolist(), curve.gap.mean(axis=0), strict=True))
    before, after = (curve.rounds[curve.rounds <= 100][-1], curve.rounds[curve.rounds > 100][0])
    assert gap[int(before)] < 0.05 and gap[int(after)] > 0.3  # what was best is worst
    slow = pg.Drifting(right, 10, 20)
    np.testing.assert_allclose(
        [slow.game_in(left, t).P[0, 0, 1] for t in (9, 10, 15, 20, 99)], [0.9, 0.9, 0.5, 0.1, 0.1]
    )
    constant = pg.simulate(GREEDY, GAME, 50, seeds=2, arena=pg.Drifting(GAME, 0, 50))
    np.testing.assert_allclose(constant.regret, pg.simulate(GREEDY, GAME, 50, seeds=2).regret, atol=1e-12)
    with pytest.raises(ValueError, match="cannot drift to one of"):
        pg.simulate(GREEDY, left, 5, arena=pg.Drifting(GAME, 0, 1))


REVERSED = pg.PreferenceGame(1 - GAME.P, GAME.reference)


@pytest.mark.parametrize("arena", [pg.Corrupted(30), pg.Drifting(REVERSED, 5, 60), pg.Delayed(2)])
def test_lazy_steps_over_a_change_are_refused(arena):
    with pytest.raises(ValueError, match="leave out refresh="):
        pg.simulate(GREEDY, GAME, 100, arena=arena, refresh=1.5)
    pg.simulate(GREEDY, GAME, 100, arena=pg.Corrupted(share=0.1), refresh=1.5)  # one game in all rounds


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: pg.Corrupted(-1), "rounds must be a whole number"),
        (lambda: pg.Corrupted(2.5), "rounds must be a whole number"),
        (lambda: pg.Corrupted(share=0.6), r"share must be in \[0, 1/2\]"),
        (lambda: pg.Delayed(0), "by must be a whole number of rounds"),
        (lambda: pg.Drifting(GAME, 5, 4), "0 <= start <= end"),
    ],
)
def test_disturbances_out_of_range(make, says):
    with pytest.raises(ValueError, match=says):
        make()


class Cautious(DuelArena):
    """An arena of one's own."""


def test_an_arena_of_ones_own():
    made = []

    def maker(game, **sizes):
        made.append(sizes)
        return Cautious(game, **sizes)

    curve = pg.simulate(GREEDY, GAME, 20, seeds=3, seed=4, arena=maker)
    assert made == [{"runs": 3, "seed": 4, "features": None, "first_run": 0}]
    np.testing.assert_array_equal(curve.regret, pg.simulate(GREEDY, GAME, 20, seeds=3, seed=4).regret)
    with pytest.raises(TypeError, match=r"makes the arena, got DuelArena: pass the class"):
        pg.simulate(GREEDY, GAME, 5, arena=DuelArena(GAME))
    with pytest.raises(TypeError, match="must make an arena of duels, got TableArena, which lacks bits"):
        pg.simulate(GREEDY, GAME, 5, arena=lambda game, runs, seed, features, first_run: pg.TableArena(game))


@pytest.mark.parametrize("learner", [GREEDY, pg.RUCB()])
def test_metrics_are_recorded_beside_the_regret(learner):
    game = GAME if learner is GREEDY else pg.games.cyclic(3, 0.9)
    metrics = [
        Entropy(),
        KLToNash(0.1),
        Named("first", lambda arena, policy: arena.probs(policy)[:, 0, 0]),
        OfState("round", lambda arena, state: np.full(arena.runs, state.t)),
        pg.metrics.Policies(),
    ]
    curve = pg.simulate(learner, game, 40, seeds=3, metrics=metrics, record=8)
    plain = pg.simulate(learner, game, 40, seeds=3, record=8)
    for name in plain.values:
        np.testing.assert_array_equal(curve.values[name], plain.values[name])
    assert next(iter(curve.values)) == "regret"
    policy = curve.values["policy"]
    assert policy.shape == (3, len(curve.rounds), 1, game.responses)
    np.testing.assert_array_equal(curve.values["first"], policy[:, :, 0, 0])
    np.testing.assert_array_equal(curve.values["round"], [curve.rounds - 1] * 3)  # the state it played from
    gaps = [pg.exploitability(game, policy[:, r], curve.tau) for r in range(len(curve.rounds))]
    np.testing.assert_allclose(curve.gap, np.transpose(gaps), atol=1e-12)
    curve.plot("entropy")


def test_metrics_of_a_simulation_are_checked_before_the_first_round():
    with pytest.raises(TypeError, match="a metric needs a name"):
        pg.simulate(GREEDY, GAME, 10**9, metrics=[lambda arena, policy: policy])
    with pytest.raises(ValueError, match="two metrics are called 'regret'"):
        pg.simulate(GREEDY, GAME, 10**9, metrics=[Named("regret", abs)])
