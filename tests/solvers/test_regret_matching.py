"""The regret matching family: theorems round by round, an independent implementation, restarts, refusals."""

import numpy as np
import pytest
from scipy.optimize import linprog

import pgames as pg

GAMES = {
    "cycle": pg.games.comal3().with_reference([0.6, 0.3, 0.1]),
    "rock paper scissors": pg.games.rock_paper_scissors().with_reference([0.5, 0.3, 0.2]),
    "ten": pg.games.random_skew(10, 0),
    "thirty": pg.games.random_skew(30, 1),
}
FAMILY = {"RM": pg.RegretMatching(), "RM+": pg.RMPlus(), "PRM+": pg.PRMPlus()}


def played(name, game, rounds):
    """The policies float64[T, Y] of an implementation of its own, on the table A of a symmetric game."""
    A, x = game.P[0] - 0.5, game.reference[0]
    sums, policies = np.zeros(len(A)), []
    for _ in range(rounds):
        policies.append(x)
        r = A @ x - x @ A @ x
        sums = sums + r if name == "RM" else np.maximum(sums + r, 0)
        z = np.maximum(sums + (r if name == "PRM+" else 0), 0)
        x = z / z.sum() if z.sum() > 0 else x
    return np.array(policies)


def gap(game, x):
    return float(((game.P[0] - 0.5) @ x).max())


@pytest.mark.parametrize("name", FAMILY)
def test_the_rounds_are_those_of_the_formulas(name):
    for game in GAMES.values():
        arena = pg.TableArena(game)
        states = pg.iterate(FAMILY[name], arena, 40)
        ours = np.array([arena.probs(state.policy)[0, 0] for state in states])
        np.testing.assert_allclose(ours, played(name, game, 41)[1:], atol=1e-9)


@pytest.mark.parametrize("name", ["RM", "RM+", "PRM+"])
def test_the_mean_of_the_policies_keeps_the_theorem(name):
    """At every round, and close enough to show that the constant is not idle."""
    factor, closest = (1.0 if name == "PRM+" else 0.5), 0.0
    for game in GAMES.values():
        means = np.cumsum(played(name, game, 2000), axis=0) / np.arange(1, 2001)[:, None]
        bounds = factor * np.sqrt(game.responses / np.arange(1, 2001))
        gaps = ((game.P[0] - 0.5) @ means.T).max(axis=0)
        assert (gaps <= bounds + 1e-12).all()
        closest = max(closest, float((gaps / bounds).max()))
        averaged = pg.solve(pg.Average(FAMILY[name]), pg.TableArena(game), 500).policy
        assert np.exp(averaged[0, 0]) @ np.ones(game.responses) == pytest.approx(1)
        assert gap(game, np.exp(averaged[0, 0])) <= 1.05 * factor * np.sqrt(game.responses / 500)
    assert closest > 0.1


def test_predictions_keep_their_own_bound():
    """The mean of PRM+ is exploitable by at most the norm of what the predictions missed, over T."""
    for game in GAMES.values():
        A, policies = game.P[0] - 0.5, played("PRM+", game, 1000)
        regrets = policies @ A.T
        missed = np.cumsum(((regrets - np.vstack([0 * regrets[:1], regrets[:-1]])) ** 2).sum(axis=1))
        rounds = np.arange(1, 1001)
        gaps = (A @ (np.cumsum(policies, axis=0) / rounds[:, None]).T).max(axis=0)
        assert (gaps <= np.sqrt(missed) / rounds + 1e-12).all()
        assert gaps[-1] < 0.25 * gaps[99]  # about 1 / T


def test_the_last_iterate_alone_cycles():
    """Negative control: without averages and restarts nothing converges on rock paper scissors."""
    game = GAMES["rock paper scissors"]
    for name in FAMILY:
        assert min(gap(game, x) for x in played(name, game, 3000)[-50:]) > 0.02


@pytest.mark.parametrize("restart", [20, 50, 100])
def test_with_restarts_the_last_iterate_is_the_nash(restart):
    for name in ("cycle", "rock paper scissors", "ten"):
        game, arena = GAMES[name], pg.TableArena(GAMES[name])
        exact = equilibrium(game)
        gaps = []
        for rounds in (10 * restart, 20 * restart, 60 * restart):
            policy = arena.probs(pg.solve(pg.PRMPlus(restart=restart), arena, rounds).policy)[0, 0]
            gaps.append(gap(game, policy))
        assert gaps[1] <= 0.1 * gaps[0] or gaps[1] < 1e-13
        assert gaps[2] < 1e-10
        np.testing.assert_allclose(policy, exact, atol=1e-7)


def equilibrium(game):
    """By linear programming: these games have one equilibrium."""
    A = game.P[0] - 0.5
    n = len(A)
    found = linprog(
        np.zeros(n),
        A_ub=A,
        b_ub=np.zeros(n),
        A_eq=np.ones((1, n)),
        b_eq=[1],
        method="highs",
        bounds=(0, None),
    )
    return found.x


def test_two_roles_are_played_too():
    A = np.random.default_rng(0).uniform(size=(4, 5))
    arena = pg.RoleArena(pg.MatrixRoles(A))
    state = pg.solve(pg.PRMPlus(restart=50), arena, 3000)
    attacker, defender = arena.halves(state.policy)
    exact = pg.nash_zero_sum(A)
    np.testing.assert_allclose(attacker[0], exact.row, atol=1e-6)
    np.testing.assert_allclose(defender[0], exact.column, atol=1e-6)


def test_a_response_outside_the_game_is_never_played():
    game = pg.games.comal3().with_reference([0.5, 0.5, 0.0])
    for solver in (*FAMILY.values(), pg.PRMPlus(restart=3)):
        assert (pg.solve(solver, pg.TableArena(game), 20).policy[..., 2] == -np.inf).all()


@pytest.mark.parametrize("restart", [-1, 2.5, np.nan])
def test_bad_restarts(restart):
    for kind in (pg.RMPlus, pg.PRMPlus):
        with pytest.raises(ValueError, match="restart must be a whole number"):
            kind(restart=restart)


def test_arenas_without_rates_are_refused():
    with pytest.raises(TypeError, match=r"PRMPlus needs the verb\(s\) rates, which DuelArena lacks; use a s"):
        pg.solve(pg.PRMPlus(), pg.DuelArena(GAMES["cycle"]), 1)
