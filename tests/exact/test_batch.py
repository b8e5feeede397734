"""Many prompts at once: the compiled path and the LAPACK path are one solver, and sizes may differ."""

import numpy as np
import pytest
from scipy.optimize import linprog

import pgames as pg
from pgames.exact import equilibrium


def random_games(prompts, n, seed=0, masked=True):
    rng = np.random.default_rng(seed)
    A = rng.uniform(-0.5, 0.5, (prompts, n, n))
    reference = rng.dirichlet(np.ones(n), prompts)
    if masked:
        reference[rng.random((prompts, n)) < 0.3] = 0
        reference[:, 0] += 0.1
    reference /= reference.sum(axis=1, keepdims=True)
    return pg.PreferenceGame(0.5 + (A - A.swapaxes(1, 2)) / 2, reference, rng.dirichlet(np.ones(prompts)))


@pytest.mark.parametrize("tau", [0.0, 1.0, 0.1, 1e-2, 1e-3])
def test_both_paths_agree_and_prompts_do_not_mix(tau, monkeypatch):
    game = random_games(12, 9)
    compiled = pg.nash(game, tau)
    for x in range(game.prompts):
        alone = pg.nash(game.prompt(x), tau).policy[0]
        np.testing.assert_allclose(alone, compiled.policy[x], rtol=0, atol=1e-13)
    monkeypatch.setattr(equilibrium, "LARGEST", 0)
    lapack = pg.nash(game, tau)
    np.testing.assert_allclose(lapack.policy, compiled.policy, rtol=0, atol=1e-12)
    assert max(lapack.exploitability, compiled.exploitability) <= 1e-15


def test_masked_responses_change_nothing():
    """A game with responses outside equals the smaller game without them."""
    game = random_games(20, 7)
    for tau in (0.0, 0.05):
        policy = pg.nash(game, tau).policy
        for x in range(game.prompts):
            inside = game.support[x]
            small = pg.PreferenceGame(game.P[x][np.ix_(inside, inside)], game.reference[x, inside])
            np.testing.assert_allclose(policy[x, inside], pg.nash(small, tau).policy[0], atol=1e-13)
            assert (policy[x, ~inside] == 0).all()


def test_linear_programming_agrees():
    """min v subject to A x <= v: the value is 0 and, these games having one equilibrium, so is the point."""
    for n in (3, 10, 60):
        A = pg.games.random_skew(n, seed=n).skew[0]
        program = linprog(
            np.r_[np.zeros(n), 1],
            A_ub=np.c_[A, -np.ones(n)],
            b_ub=np.zeros(n),
            A_eq=[[1] * n + [0]],
            b_eq=[1],
            bounds=[(0, None)] * n + [(None, None)],
        )
        np.testing.assert_allclose(pg.nash(pg.PreferenceGame(0.5 + A)).policy[0], program.x[:-1], atol=1e-9)


@pytest.mark.parametrize("tau", [0.0, 0.1])
def test_a_hundred_thousand_prompts(tau):
    answer = pg.nash(random_games(10**5, 4), tau)
    assert answer.residual <= 5e-15
    assert answer.exploitability <= 1e-15


@pytest.mark.parametrize("n", [41, 150, 400])
def test_large_random_games(n):
    answer = pg.nash(pg.games.random_skew(n, seed=1))
    assert answer.exploitability <= 1e-15
    assert np.count_nonzero(answer.policy) % 2 == 1  # generic antisymmetric games have odd supports


def test_a_solver_that_fails_is_not_believed(monkeypatch):
    """Negative control: when the path ends at a wrong point, nash raises and says by how much."""

    def lazy(skew, log_reference, tau):
        X, Y = log_reference.shape
        return np.full((X, Y), 1 / Y), np.ones((X, Y), bool), np.ones(X, bool), np.ones(X, int)

    monkeypatch.setattr(equilibrium, "follow_paths", lazy)
    assert pg.nash(pg.games.rock_paper_scissors()).exploitability == 0  # uniform is right here
    for tau in (0.0, 0.1):
        with pytest.raises(RuntimeError, match=r"prompt 0 was solved to exploitability 0\.0"):
            pg.nash(pg.games.biased_rps(), tau)
