"""Where a constant step turns convergence into a cycle: the predicted thresholds, met from both sides."""

from __future__ import annotations

import numpy as np
import pytest

from pgames import COMAL, INPO, MMD, OnlineIPO, State, TableArena, bounds, games, nash, solve
from tests.support.oracles import RECORDED_GAMES, equilibrium, kl, with_random_reference

GAMES = {
    **RECORDED_GAMES,
    "dice": with_random_reference(games.dice()),
    "biased": games.biased_rps(),
    "cyclic5": games.cyclic(5, 0.8),
}
SIDES = (0.9, 1.1)  # of the threshold


def growth_per_round(solver, game, start, rounds):
    """The factor, over the last half of the rounds, of a small deviation from the equilibrium, float64[S]."""
    arena = TableArena(game, runs=2)
    rng = np.random.default_rng(0)
    log_nash = np.log(start)
    nudged = np.exp(log_nash + 1e-7 * rng.standard_normal(log_nash.shape))
    policy = arena.policy(nudged / nudged.sum(axis=-1, keepdims=True))
    middle = solve(solver, arena, rounds // 2, State(0, policy))
    end = solve(solver, arena, rounds - rounds // 2, middle)
    sizes = [np.sqrt(kl(start, state.policy)[:, 0]) for state in (middle, end)]
    return (sizes[1] / sizes[0]) ** (1 / (rounds - rounds // 2))


MULTIPLIER = {  # of a mode of frequency w, per round
    INPO: lambda tau, eta, w: np.hypot(1 - eta * tau, eta * w),
    MMD: lambda tau, eta, w: np.hypot(1, eta * w) / (1 + eta * tau),
}


@pytest.mark.parametrize("tau", [0.01, 0.1])
@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize(
    ("solver", "threshold"), [(INPO, bounds.inpo_stable_step), (MMD, bounds.mmd_stable_step)]
)
def test_the_stable_step_is_met_within_ten_per_cent(solver, threshold, name, tau):
    game, limit = GAMES[name], threshold(GAMES[name], tau)
    etas = limit * np.array(SIDES)
    if not np.isfinite(limit) or (solver is INPO and etas.max() * tau > 1):
        return  # no step that the solver takes is unstable
    slowest = np.abs(np.log(MULTIPLIER[solver](tau, etas, bounds.rotation(game, tau)))).min()
    below, above = growth_per_round(solver(tau, etas), game, equilibrium(game, tau), int(6 / slowest))
    assert below < 1 < above


def test_the_growth_of_a_small_deviation_is_the_predicted_multiplier():
    game, tau = RECORDED_GAMES["COMAL3"], 0.05
    etas, w = np.array([0.2, 1.5]), bounds.rotation(game, tau)
    seen = growth_per_round(INPO(tau, etas), game, equilibrium(game, tau), 200)
    np.testing.assert_allclose(seen, MULTIPLIER[INPO](tau, etas, w), rtol=1e-6)


def test_rotation_frequencies_and_steps_are_those_published():
    w = {name: bounds.rotation(GAMES[name], 0.01) for name in ("RPS", "COMAL3", "rand10", "dice")}
    assert w == pytest.approx({"RPS": 0.289, "COMAL3": 0.209, "rand10": 0.249, "dice": 0.032}, abs=6e-4)
    steps = [bounds.inpo_stable_step(GAMES[name], 0.01) for name in ("RPS", "COMAL3", "rand10")]
    assert steps == pytest.approx([0.24, 0.46, 0.32], abs=5e-3)
    assert 17 < bounds.inpo_stable_step(games.dice(), 0.01) < 19


def test_a_weak_cycle_bears_a_large_step():
    game = GAMES["dice"]
    arena = TableArena(game)
    settled = solve(INPO(0.01, 2.0), arena, 3000).policy[0]
    assert kl(equilibrium(game, 0.01), settled).max() < 1e-12


def test_above_the_step_the_last_iterate_stays_on_a_cycle_and_does_not_blow_up():
    arena = TableArena(RECORDED_GAMES["COMAL3"])
    state = solve(INPO(0.01, 0.6), arena, 5000)
    gaps = []
    for _ in range(200):
        state = solve(INPO(0.01, 0.6), arena, 5, state)
        gaps.append(2 * arena.exploitability(state.policy, 0.01)[0])
    assert 0.05 < min(gaps) and max(gaps) < 0.95


def same_rotation_as_temperature(game):
    """The tau at which w(tau) = tau, by bisection."""
    low, high = 0.01, 2.0
    for _ in range(40):
        middle = np.sqrt(low * high)
        low, high = (middle, high) if bounds.rotation(game, middle) > middle else (low, middle)
    return low


@pytest.mark.parametrize("name", ["RPS", "COMAL3", "RPS331", "cyclic5"])
def test_online_ipo_minimised_every_round_is_stable_iff_the_rotation_is_below_tau(name):
    game, edge = GAMES[name], same_rotation_as_temperature(GAMES[name])
    for side, stable in zip(SIDES, (False, True), strict=True):
        tau = edge * side
        assert bounds.smoothed_best_response_stable(game, tau) == stable
        growth = growth_per_round(OnlineIPO(tau), game, equilibrium(game, tau), 60)
        assert (growth < 1).all() == stable


def refreshed(game, tau, times):
    """KL(nash || reference) before each of `times` exact refreshes of the reference, and after the last."""
    goal, out = nash(game).policy, []
    for _ in range(times + 1):
        out.append(kl(goal, np.log(game.reference))[0])
        game = game.with_reference(nash(game, tau).policy)
    return np.array(out)


@pytest.mark.parametrize("tau", [0.03, 0.1, 0.3, 1.0])
@pytest.mark.parametrize("name", ["RPS", "COMAL3", "RPS331", "biased", "cyclic5"])
def test_each_refresh_of_the_reference_shrinks_the_distance_by_the_predicted_factor(name, tau):
    game = GAMES[name]
    factor = bounds.comal_rate(game, tau)
    close = game.with_reference(0.999 * nash(game).policy + 0.001 * game.reference)
    start = with_random_reference(game) if name in ("biased", "cyclic5") else close
    distances = refreshed(start, tau, 60)
    distances = distances[distances > 1e-20]
    if len(distances) < 4:
        pytest.skip("arrived in under four refreshes")
    if name == "cyclic5":  # two frequencies: the slower one decides in the end
        assert distances[-1] / distances[-2] == pytest.approx(factor, rel=0.05)
    else:
        assert distances[-1] / distances[-2] == pytest.approx(factor, rel=0.01)


def test_comals_outer_factor_is_the_one_measured():
    assert bounds.comal_rate(games.comal3(), 0.1) == pytest.approx(0.1864, abs=5e-5)
    arena = TableArena(RECORDED_GAMES["COMAL3"])
    goal, state, distances = nash(arena.game).policy, None, []
    for _ in range(8):
        state = solve(COMAL(0.1, 0.5, every=800), arena, 800, state)
        distances.append(kl(goal, state.policy[0])[0])
    np.testing.assert_allclose(np.array(distances[4:]) / distances[3:-1], 0.186, atol=1e-3)


@pytest.mark.parametrize("tau", [0.01, 0.1, 1.0, 10.0])
def test_moving_the_reference_never_moves_away_from_the_nash(tau):
    for seed in range(6):
        distances = refreshed(with_random_reference(games.uniform_random(7, seed)), tau, 12)
        assert (np.diff(distances) <= 1e-10).all()
