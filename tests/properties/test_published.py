"""Published experiments and worked numbers, run again: COMAL's and EGPO's tables, biases, rebounds, noise."""

from __future__ import annotations

import numpy as np
import pytest

from pgames import (
    COMAL,
    EGPO,
    INPO,
    SPPO,
    Average,
    NashMD,
    OnlineDPO,
    OnlineIPO,
    PreferenceGame,
    ProximalPoint,
    TableArena,
    games,
    iterate,
    nash,
    run,
    solve,
)
from pgames.metrics import DualityGap
from tests.support.oracles import RECORDED_GAMES, duality_gap, equilibrium, softmax

# -- equilibria ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("game", "expected"),
    [
        (games.rock_paper_scissors(), np.full(3, 1 / 3)),
        (games.comal3(), np.array([4, 3, 4]) / 11),
        (games.perturbed_rps(), np.array([3, 3, 1]) / 7),
        (games.biased_rps(), np.array([1, 10, 5]) / 16),
        (games.dice(), np.full(3, 1 / 3)),
        (
            RECORDED_GAMES["rand10"],
            np.array([0.00265, 0.27066, 0.3955, 0, 0, 0, 0, 0.13574, 0, 0.19545]),
        ),
    ],
)
def test_the_nash_is_the_published_one(game, expected):
    np.testing.assert_allclose(nash(game).policy[0], expected, atol=5e-6)
    assert nash(game).exploitability < 1e-12


def test_the_dice_beat_each_other_with_five_ninths():
    """{2,4,9}, {1,6,8}, {3,5,7} (arXiv:2312.00886, appendix C), counted by hand."""
    P = games.dice().P[0]
    assert [P[0, 1], P[1, 2], P[2, 0]] == pytest.approx([5 / 9] * 3, abs=1e-15)


@pytest.mark.parametrize(
    ("game", "gaps"),
    [
        (games.comal3(), {1.0: 0.0701, 0.1: 0.02449, 0.01: 0.00171}),
        (games.perturbed_rps(), {1.0: 0.2220, 0.1: 0.0601, 0.01: 0.00357}),
    ],
)
def test_regularisation_has_its_price_in_the_game_itself(game, gaps):
    for tau, gap in gaps.items():
        assert duality_gap(game, equilibrium(game, tau), [0.0])[0, 0] == pytest.approx(gap, abs=6e-5)


def test_a_strong_regularisation_can_be_worse_than_not_learning():
    game = games.comal3()
    assert duality_gap(game, game.reference, [0.0])[0, 0] == pytest.approx(0.0667, abs=5e-5)
    assert duality_gap(game, equilibrium(game, 1.0), [0.0])[0, 0] > 0.0667


# -- the synthetic experiment of COMAL (arXiv:2410.23223) ---------------------------------------------------


def path_of_gaps(solver, game, rounds):
    arena = TableArena(game)
    return np.array(
        [
            duality_gap(game, arena.probs(state.policy)[0], [0.0])[0, 0]
            for state in iterate(solver, arena, rounds)
        ]
    )


@pytest.mark.parametrize(
    "solver",
    [SPPO(0.2), ProximalPoint(OnlineIPO(5.0), every=1), ProximalPoint(OnlineDPO(5.0), every=1)],
    ids=["SPPO", "iterated IPO", "iterated DPO"],
)
def test_comals_baselines_cycle(solver):
    assert path_of_gaps(solver, RECORDED_GAMES["COMAL3"], 300)[100:].min() > 0.1


def test_inpo_stalls_at_the_regularised_nash_and_comal_reaches_the_nash():
    game = games.comal3()
    arena = TableArena(game)
    stalled = arena.probs(solve(INPO(0.1, 0.5), arena, 4000).policy)[0]
    assert duality_gap(game, stalled, [0.0])[0, 0] == pytest.approx(0.02449, abs=5e-6)
    arrived = arena.probs(solve(COMAL(0.1, 0.5, every=100), arena, 4000).policy)[0]
    assert duality_gap(game, arrived, [0.0])[0, 0] < 1e-11


# -- the tabular experiment of EGPO (arXiv:2503.08942), own seeds -------------------------------------------


def egpo_setting(count):
    settings = [games.uniform_random(10, seed) for seed in range(count)]
    references = [softmax(np.random.default_rng(1000 + s).standard_normal(10)) for s in range(count)]
    return games.stack([g.with_reference(r) for g, r in zip(settings, references, strict=True)])


def gaps_at(solver, game, tau, rounds):
    """Duality gaps float64[X] at 10 %, 50 % and 100 % of the rounds."""
    arena, state, out = TableArena(game), None, []
    for share in (rounds // 10, rounds // 2, rounds):
        state = solve(solver, arena, share - (state.t if state else 0), state)
        out.append(duality_gap(game, arena.probs(state.policy), [tau])[0])
    return out


@pytest.mark.parametrize(("tau", "rate", "rounds"), [(0.1, 0.1, 1000), (0.01, 0.02, 5000)])
def test_egpos_ordering_is_reproduced(tau, rate, rounds):
    """Published medians: EGPO 3e-5, 0, 0 and 4e-6, 0, 0; OMD 4e-5, 0, 0 and 4e-2, 4e-5, 9e-9."""
    game, eta = egpo_setting(10), 4 * rate / 10 / tau  # a learning rate of n-dimensional gradients
    egpo, omd, nash_md = (gaps_at(s(tau, eta), game, tau, rounds) for s in (EGPO, INPO, NashMD))
    assert np.median(egpo[0]) < 6e-5 and egpo[1].max() < 1e-13
    if tau == 0.1:
        assert np.median(egpo[0]) < np.median(omd[0]) < 1e-4 and omd[1].max() < 1e-13
    else:
        assert 1e-2 < np.median(omd[0]) < 1e-1 and np.median(omd[1]) < 1e-3 and np.median(omd[2]) < 1e-6
        assert omd[2].max() > 0.3  # some of the games cycle at this step
    assert 1e-5 < np.median(nash_md[2]) < 1e-3  # the constant step's bias


def test_egpos_ordering_at_the_weakest_regularisation():
    """Published medians at 10, 50 and 100 %: EGPO 3e-2, 6e-5, 2e-8; OMD 6e-2, 4e-2, 7e-3."""
    game, tau, eta, rounds = egpo_setting(3), 0.001, 4 * 2e-4 / 10 / 0.001, 100_000
    egpo, omd = (gaps_at(s(tau, eta), game, tau, rounds) for s in (EGPO, INPO))
    assert np.median(egpo[1]) < 1e-3 and np.median(egpo[2]) < 1e-6
    assert np.median(omd[1]) > 1e-2 and np.median(omd[2]) > 1e-3


# -- without regularisation ----------------------------------------------------------------------------------


def test_lookahead_forgets_slowly():
    """On rand10, where one response has .00265 of the Nash, the gap comes back (arXiv:2406.10631)."""
    game, etas = RECORDED_GAMES["rand10"], np.array([0.5, 2.0])
    arena = TableArena(game, runs=2)
    result = run(EGPO(0.0, etas), arena, 300_000, [DualityGap(0.0)], compiled=True, points=400)
    gaps = result.values[DualityGap(0.0).name]
    assert gaps[:, result.rounds <= 1000][:, -1].max() < 4e-3
    assert gaps[:, result.rounds > 1000].max(axis=1).min() > 0.2
    assert gaps[1, -1] < 1e-13 and gaps[0, -1] > 0.01
    arena = TableArena(RECORDED_GAMES["COMAL3"])  # a well-conditioned game does not
    path = run(EGPO(0.0, 2.0), arena, 10_000, [DualityGap(0.0)], compiled=True)
    gaps = path.values[DualityGap(0.0).name][0]
    assert gaps[path.rounds > 1000].max() < 1e-13


def test_self_play_spirals_to_the_boundary_while_its_average_arrives():
    game, etas = RECORDED_GAMES["COMAL3"], np.array([0.1, 0.5, 2.0])
    arena = TableArena(game, runs=3)
    last = solve(SPPO(etas), arena, 10_000).policy
    np.testing.assert_allclose(last.min(axis=(1, 2)), [-3, -36, -90], rtol=0.1)
    np.testing.assert_allclose(
        duality_gap(game, arena.probs(last), etas * 0)[:, 0], [0.67, 0.44, 0.80], atol=0.01
    )
    average = arena.probs(solve(Average(SPPO(etas)), arena, 10_000).policy)
    assert duality_gap(game, average, etas * 0).max() < 0.005


# -- with a noisy judge --------------------------------------------------------------------------------------

NOISY = games.stack([RECORDED_GAMES["COMAL3"], RECORDED_GAMES["rand10"]])
TAU = 0.1


def noise_floor(solver, samples, runs=16, rounds=3000):
    """Mean duality gap over the last third of the rounds and the runs, float64[X]."""
    arena, seen = TableArena(NOISY, runs=runs, seed=1, samples=samples), []
    for state in iterate(solver, arena, rounds):
        if state.t > 2 * rounds // 3 and state.t % 25 == 0:
            seen.append(duality_gap(NOISY, arena.probs(state.policy), [TAU] * runs).mean(axis=0))
    return np.mean(seen, axis=0)


def test_the_noise_floor_is_the_published_one_and_grows_with_the_step():
    """64 duels per win rate: recorded single runs have 4.7e-4..1.1e-3 at eta = .1 and 3.1..4.7e-3 at .5."""
    for solver in (EGPO, INPO, NashMD):
        small, large = noise_floor(solver(TAU, 0.1), 64), noise_floor(solver(TAU, 0.5), 64)
        assert (small > 5e-4).all() and (small < 1.1e-3).all()
        assert (large > 3e-3).all() and (large < 6e-3).all()


def test_at_equal_queries_noise_takes_egpos_advantage_away():
    """EGPO asks twice a round; INPO with twice the duels a round has about half its floor."""
    assert (noise_floor(INPO(TAU, 0.1), 128) < 0.75 * noise_floor(EGPO(TAU, 0.1), 64)).all()


def test_an_exact_judge_leaves_no_floor():
    assert noise_floor(INPO(TAU, 0.1), None).max() < 1e-13


def test_a_response_that_wins_for_sure_is_found():
    """The negative of all cycles: with a transitive preference everybody finds the best response."""
    game = PreferenceGame(games.bradley_terry([0.0, 1.0, 4.0]).P)
    for solver in (SPPO(0.5), EGPO(0.0, 0.5), INPO(0.0, 0.5)):
        arena = TableArena(game)
        assert arena.probs(solve(solver, arena, 2000).policy)[0, 0, 2] > 1 - 1e-9
