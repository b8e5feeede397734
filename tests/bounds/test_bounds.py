"""Every published bound against every round of the solver it is about, and runs that must break it."""

from __future__ import annotations

import numpy as np
import pytest

import pgames as pg
from pgames import (
    EGPO,
    INPO,
    MMD,
    SPPO,
    Average,
    NashMD,
    PreferenceGame,
    State,
    TableArena,
    bounds,
    games,
    iterate,
    solve,
)
from tests.support.oracles import RECORDED_GAMES, duality_gap, equilibrium, kl, softmax


def tournament(n: int, seed: int) -> PreferenceGame:
    """Every pair decided for certain, at random."""
    wins = np.triu(np.random.default_rng(seed).integers(0, 2, (n, n)), 1).astype(float)
    return PreferenceGame(wins + np.tril(1 - wins.T, -1) + 0.5 * np.eye(n))


def zoo(n: int) -> list[PreferenceGame]:
    """Eight games of n responses with references from uniform to steep."""
    plain = [
        games.uniform_random(n, 0),
        games.uniform_random(n, 1),
        games.random_skew(n, 2),
        games.cyclic(n),
        tournament(n, 3),
        tournament(n, 4),
        games.bradley_terry(np.linspace(-2, 2, n)),
        games.uniform_random(n, 5),
    ]
    rng = np.random.default_rng(n)
    return [g.with_reference(softmax(i / 3 * rng.standard_normal(n))) for i, g in enumerate(plain)]


GAME = games.stack([game for n in (3, 10, 50) for game in zoo(n)])  # 24 prompts
SMALL = games.stack([game for n in (2, 3, 5) for game in zoo(n)])


def distances(solver, game, tau, rounds, start=None):
    """KL(nash of tau || pi_t) after 0..rounds rounds, float64[R + 1, X]."""
    arena = TableArena(game)
    goal = equilibrium(game, tau)
    state = solver.init(arena) if start is None else State(0, arena.policy(start), ())
    out = [kl(goal, state.policy[0])]
    out += [kl(goal, after.policy[0]) for after in iterate(solver, arena, rounds, state)]
    return np.array(out)


@pytest.mark.parametrize("tau", [0.01, 0.1, 1.0])
def test_nash_mds_theorem_holds_on_every_cell_and_round(tau):
    rounds = 2000
    seen = distances(NashMD(tau), GAME, tau, rounds)
    t = np.arange(1, rounds + 1)
    assert GAME.prompts * 3 >= 72
    assert (seen[1:] <= bounds.nash_md(tau)(t)[:, None]).all()
    eta = (2 / (tau * (t + 1)))[:, None]  # the theorem's one-round inequality
    excess = seen[1:] - (1 - eta * tau) * seen[:-1]
    assert (excess <= 2 * eta**2 + 1e-12).all()
    assert (excess / (2 * eta**2)).max() < 0.03  # how loose it is


def test_nash_mds_bound_is_broken_by_self_play_without_regularisation():
    seen = distances(SPPO(2.0), games.stack([RECORDED_GAMES["RPS"]]), 1.0, 3000)[1:, 0]
    assert (seen > bounds.nash_md(1.0)(np.arange(1, 3001))).any()


def test_nash_md_decays_as_the_square_of_the_rounds():
    arena, goal = TableArena(RECORDED_GAMES["rand10"]), equilibrium(RECORDED_GAMES["rand10"], 0.1)
    first = solve(NashMD(0.1), arena, 300)
    second = solve(NashMD(0.1), arena, 2700, first)
    before, after = (kl(goal, state.policy[0])[0] for state in (first, second))
    assert np.log10(after / before) == pytest.approx(-2, abs=0.02)


def test_nash_md_forgets_where_it_started():
    arena = TableArena(RECORDED_GAMES["COMAL3"])
    elsewhere = arena.policy([0.9, 0.05, 0.05])
    here = NashMD(0.1).step(arena, NashMD(0.1).init(arena))
    there = NashMD(0.1).step(arena, State(0, elsewhere))
    np.testing.assert_allclose(here.policy, there.policy, atol=1e-14)


def contraction(solver, game, tau, start=None, rounds=150):
    """The largest KL(nash || pi') / KL(nash || pi) over rounds and prompts, down to KL 1e-9."""
    seen = distances(solver, game, tau, rounds, start)
    told = seen[:-1] > 1e-9
    return (seen[1:][told] / seen[:-1][told]).max()


def starts(game):
    """The reference, and policies far from it."""
    yield None
    rng = np.random.default_rng(0)
    for _ in range(3):
        policy = np.where(game.support, rng.gamma(0.3, size=game.reference.shape) + 1e-9, 0.0)
        yield policy / policy.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("eta", [0.05, 0.5, 1.0, 2.0])
@pytest.mark.parametrize("tau", [0.01, 0.1, 0.25])
def test_egpo_contracts_by_one_minus_eta_tau(tau, eta):
    bound = bounds.egpo(tau, eta, 1.0)
    for start in starts(SMALL):
        assert contraction(EGPO(tau, eta), SMALL, tau, start) <= bound(1) * (1 + 1e-6)


@pytest.mark.parametrize("tau", [0.5, 1.0, 3.0])
def test_egpo_contracts_up_to_the_largest_proved_step(tau):
    eta = 2 * (np.sqrt(1 + tau**2) - tau) * (1 - 1e-12)
    bound = bounds.egpo(tau, eta, 1.0)
    assert bound.status == "proved"
    for start in starts(SMALL):
        assert contraction(EGPO(tau, eta), SMALL, tau, start) <= bound(1) * (1 + 1e-6)


def test_egpo_breaks_the_rate_above_its_step():
    for tau, eta in [(0.01, 4.0), (1.0, 0.995)]:
        assert max(contraction(EGPO(tau, eta), SMALL, tau, start) for start in starts(SMALL)) > 1.05 * (
            1 - eta * tau
        )
    with pytest.raises(ValueError, match=r"take eta <= 2"):
        bounds.egpo(0.01, 4.0, 1.0)
    with pytest.raises(ValueError, match=r"take eta <= 0\.828"):
        bounds.egpo(1.0, 0.995, 1.0)


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
@pytest.mark.parametrize("tau", [0.01, 0.1, 1.0])
@pytest.mark.parametrize("solver", [INPO, MMD])
def test_one_step_solvers_contract_up_to_four_tau(solver, tau, share):
    eta = share * (4 * tau if solver is MMD or tau < 0.5 else 4 * tau / (1 + 4 * tau**2))
    bound = (bounds.inpo if solver is INPO else bounds.mmd)(tau, eta, 1.0)
    for start in starts(SMALL):
        assert contraction(solver(tau, eta), SMALL, tau, start) <= bound(1) * (1 + 1e-6)


def test_one_step_solvers_break_the_rate_above_their_step():
    for solver in (INPO, MMD):
        assert contraction(solver(0.01, 0.2), SMALL, 0.01) > 1 - 0.002 + 1e-4
    assert max(contraction(INPO(1.0, 0.97), SMALL, 1.0, start) for start in starts(SMALL)) > 1.05 * 0.03
    with pytest.raises(ValueError, match=r"take eta <= 0\.0[34]"):
        bounds.inpo(0.01, 0.3, 1.0)
    with pytest.raises(ValueError, match=r"take eta <= 0\.0[34]"):
        bounds.mmd(0.01, 0.3, 1.0)


def test_the_status_says_what_is_proved():
    assert [bounds.egpo(0.1, eta, 1.0).status for eta in (1.8, 2.0)] == ["proved", "observed"]
    assert [bounds.inpo(0.1, eta, 1.0).status for eta in (0.38, 0.4)] == ["proved", "observed"]


@pytest.mark.parametrize("eta", [0.02, 0.2, 1.0])
@pytest.mark.parametrize("tau", [0.0, 0.05])
def test_the_average_iterate_keeps_its_regret_bound(tau, eta):
    solvers = (
        [(SPPO(eta), eta)] if tau == 0 else [(MMD(tau, eta), eta), (INPO(tau, eta), eta / (1 - eta * tau))]
    )
    for solver, step in solvers:
        arena = TableArena(SMALL)
        for state in iterate(Average(solver), arena, 300):
            if state.t in (1, 2, 5, 10, 30, 100, 300):
                gap = duality_gap(SMALL, arena.probs(state.policy), [tau])[0] / 2
                for x in range(SMALL.prompts):
                    limit = bounds.average_iterate(step, SMALL.reference[x], tau)(state.t)
                    assert gap[x] <= limit


def test_the_last_iterate_breaks_the_bound_of_the_average():
    arena = TableArena(RECORDED_GAMES["RPS"])
    bound = bounds.average_iterate(0.1, arena.game.reference)
    assert arena.exploitability(solve(Average(SPPO(0.1)), arena, 3000).policy)[0] <= bound(3000)
    assert arena.exploitability(solve(SPPO(0.1), arena, 3000).policy)[0] > bound(3000)


def test_bad_arguments_are_named():
    for wrong in (0.0, -1.0, np.nan, np.inf):
        with pytest.raises(ValueError, match="tau must be finite and above 0"):
            bounds.nash_md(wrong)
    with pytest.raises(ValueError, match="rounds must be at least 1, got 0"):
        bounds.nash_md(0.1)([0, 1])


@pytest.mark.parametrize("tau", [1e-300, 1e300])
def test_extreme_temperatures_overflow_no_bound(tau):
    game = pg.games.rock_paper_scissors()
    assert pg.bounds.comal_rate(game, tau) == (1.0 if tau > 1 else 0.0)
    bound = pg.bounds.egpo(tau, 0.5 / tau if tau > 1 else 0.5, 1.0)
    assert bound.status in ("proved", "observed") and np.isfinite(bound([1, 10])).all()


def test_more_responses_than_a_double_holds_are_refused():
    for make in (lambda n: pg.bounds.greedy_order(0.1, n), pg.bounds.enhancer_order):
        with pytest.raises(ValueError, match="responses must be finite and above 0, got 1000"):
            make(10**400)
    with pytest.raises(ValueError, match="responses must be finite and above 0"):
        pg.bounds.kl_ucb_order(0.1, 10**400)
