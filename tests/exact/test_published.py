"""Games whose equilibrium somebody else published, or that is known by hand, to full precision."""

import itertools

import numpy as np
import pytest

import pgames as pg

# nashpy issues 39, 41, 231: games on which its support enumeration found nothing at first
NASHPY_39 = [[0, 1, 0, -1], [-1, 0, 1, 1], [0, -1, 0, 1], [1, -1, -1, 0]]
NASHPY_41 = [[0, -1, 1, 1], [1, 0, -1, -1], [-1, 1, 0, -1], [-1, 1, 1, 0]]
NASHPY_231 = [
    [0, -1, -1, -1, 1, -1],
    [1, 0, 1, -1, -1, -1],
    [1, -1, 0, -1, -1, 1],
    [1, 1, 1, 0, -1, -1],
    [-1, 1, 1, 1, 0, -1],
    [1, 1, -1, 1, 1, 0],
]
ROCK_PAPER_SCISSORS = [[0, -1, 1], [1, 0, -1], [-1, 1, 0]]

UNIQUE = {
    "rock-paper-scissors": (ROCK_PAPER_SCISSORS, [1 / 3, 1 / 3, 1 / 3]),
    "biased RPS (OpenSpiel)": (
        [[0, -0.25, 0.5], [0.25, 0, -0.05], [-0.5, 0.05, 0]],
        [1 / 16, 10 / 16, 5 / 16],
    ),
    "biased RPS (M2WU)": ([[0, -1, 3], [1, 0, -1], [-3, 1, 0]], [1 / 5, 3 / 5, 1 / 5]),
    "RPS 3-3-1 (MMD example)": ([[0, -1, 3], [1, 0, -3], [-3, 3, 0]], [3 / 7, 3 / 7, 1 / 7]),
    "transitive (OpenSpiel)": ([[0, -1, -1], [1, 0, -1], [1, 1, 0]], [0, 0, 1]),
    "margins (OpenSpiel)": ([[0, 1, 3], [-1, 0, 1], [-3, -1, 0]], [1, 0, 0]),
    "agents against agents (OpenSpiel)": (
        [[0, 234, 34, -270], [-234, 0, -38, -464], [-34, 38, 0, -270], [270, 464, 270, 0]],
        [0, 0, 0, 1],
    ),
    "nashpy 41": (NASHPY_41, [1 / 3, 1 / 3, 0, 1 / 3]),
    "nashpy 231": (NASHPY_231, [0, 0, 1 / 3, 0, 1 / 3, 1 / 3]),
}


def preference_game(payoff, amplitude=1.0, **kwargs):
    """The game of an antisymmetric payoff matrix, scaled so that its largest entry is amplitude / 2."""
    payoff = np.asarray(payoff, dtype=float)
    return pg.PreferenceGame(0.5 + 0.5 * amplitude * payoff / max(np.abs(payoff).max(), 1e-300), **kwargs)


@pytest.mark.parametrize("select", ["centre", "max_entropy", "closest"])
@pytest.mark.parametrize("name", UNIQUE)
def test_unique_equilibria_to_the_last_digit(name, select):
    payoff, expected = UNIQUE[name]
    answer = pg.nash(preference_game(payoff), select=select)
    np.testing.assert_allclose(answer.policy[0], expected, rtol=0, atol=1e-15)
    assert answer.exploitability <= 1e-15
    assert answer.exploitability == pg.exploitability(preference_game(payoff), answer.policy)


NAMED = {
    "COMAL": (pg.games.comal3(), [4 / 11, 3 / 11, 4 / 11]),
    "perturbed RPS": (pg.games.perturbed_rps(), [3 / 7, 3 / 7, 1 / 7]),
    "biased RPS": (pg.games.biased_rps(), [1 / 16, 10 / 16, 5 / 16]),
    "dice": (pg.games.dice(), [1 / 3, 1 / 3, 1 / 3]),
    **{
        f"cycle of {n}": (pg.games.cyclic(n, 0.9), np.full(n, 1 / n))
        for n in (1, 2, 3, 4, 5, 10, 51, 100, 201)
    },
}


@pytest.mark.parametrize("name", NAMED)
def test_named_games(name):
    game, expected = NAMED[name]
    for tau in (0.0, 0.01, 1.0) if np.ptp(expected) == 0 else (0.0,):  # uniform for every tau by symmetry
        answer = pg.nash(game, tau)
        np.testing.assert_allclose(answer.policy[0], expected, rtol=0, atol=1e-15)
        assert answer.exploitability <= 1e-15


# games with many equilibria: their most mixed one, by hand or (nashpy 39) as measured with other tools
SEVERAL = {
    "nashpy 39": (NASHPY_39, [0.3922, 0.2156, 0.1766, 0.2156]),
    "RPS, every action twice": (np.kron(ROCK_PAPER_SCISSORS, np.ones((2, 2))), [1 / 6] * 6),
    "cycle of four with ties": ([[0, 1, 0, -1], [-1, 0, 1, 0], [0, -1, 0, 1], [1, 0, -1, 0]], [1 / 4] * 4),
    "all ties": (np.zeros((3, 3)), [1 / 3] * 3),
    "two best responses": ([[0, 0, 1], [0, 0, 1], [-1, -1, 0]], [1 / 2, 1 / 2, 0]),
    "one response": ([[0]], [1]),
    "two responses tied": ([[0, 0], [0, 0]], [1 / 2, 1 / 2]),
    "two responses": ([[0, 1], [-1, 0]], [1, 0]),
}


@pytest.mark.parametrize("name", SEVERAL)
def test_maximum_entropy_equilibria(name):
    payoff, expected = SEVERAL[name]
    answer = pg.nash(preference_game(payoff), select="max_entropy")
    np.testing.assert_allclose(answer.policy[0], expected, rtol=0, atol=5e-5 if "39" in name else 1e-12)
    assert answer.exploitability <= 1e-15


def test_the_vertices_of_nashpy_39_are_equilibria_too_and_others_are_not():
    game = preference_game(NASHPY_39)
    assert pg.exploitability(game, [1 / 2, 0, 1 / 2, 0]) == 0
    assert pg.exploitability(game, [1 / 3, 1 / 3, 0, 1 / 3]) < 1e-16
    assert pg.exploitability(game, [1 / 4, 1 / 4, 1 / 4, 1 / 4]) == pytest.approx(1 / 8)


def test_colonel_blotto():
    """10 coins on 3 fields: 66 responses, 48 of them played at the centre of a 29-dimensional polytope."""
    answer = pg.nash(pg.games.blotto(10, 3))
    assert answer.exploitability <= 1e-15
    assert np.count_nonzero(answer.policy) == 48


@pytest.mark.parametrize("amplitude", [1.0, 0.8, 1e-3, 1e-7])
def test_any_payoff_scale(amplitude):
    for payoff, expected in UNIQUE.values():
        answer = pg.nash(preference_game(payoff, amplitude))
        # P = 1/2 + A / 2 is stored to 1e-16, so the game itself is known to 1e-16 / amplitude
        np.testing.assert_allclose(answer.policy[0], expected, rtol=0, atol=3e-15 / amplitude)
        assert answer.exploitability <= 1e-15 * amplitude


def test_sure_preferences():
    """Win rates of exactly 0 and 1, at every temperature."""
    P = np.tril(np.ones((4, 4)), -1) + np.eye(4) / 2
    game = pg.PreferenceGame(P)
    np.testing.assert_array_equal(pg.nash(game).policy[0], [0, 0, 0, 1])
    for tau in (1.0, 0.1, 1e-2, 1e-3, 1e-4):
        answer = pg.nash(game, tau)
        assert answer.residual <= 1e-14
        assert np.isfinite(answer.policy).all()
    np.testing.assert_allclose(answer.policy[0], [0, 0, 0, 1], atol=1e-300)


def test_tie_heavy_integer_games():
    """Payoffs in {-1, 0, 1} at n = 10, 100, 300 (nashpy's Lemke-Howson returns NaN at 100 and 300)."""
    for n, seed in itertools.product((10, 100, 300), range(3)):
        upper = np.triu(np.random.default_rng([n, seed]).integers(-1, 2, (n, n)), 1)
        game = preference_game(upper - upper.T)
        for select in ("centre", "max_entropy", "closest"):
            assert pg.nash(game, select=select).exploitability <= 1e-15
        for tau in (1.0, 1e-2, 1e-4):
            assert pg.nash(game, tau).residual <= 1e-15 + 1e-16 / tau
