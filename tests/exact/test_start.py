"""Where the path starts, precision that is enough, threads, and the centre by Cholesky."""

import numpy as np
import pytest

import pgames as pg
from benchmarks import exact_list
from pgames.exact import interior_point, one_game, optimal_face, start
from pgames.exact.one_game import scaled


def table(kind, n=450, seed=0):
    rng = np.random.default_rng(seed)
    S = rng.normal(size=(n, n))
    if kind == "ties":
        S = rng.integers(-1, 2, (n, n)).astype(float)
    if kind == "low rank":
        S = rng.normal(size=(n, 12)) @ rng.normal(size=(12, n))
    if kind == "nearly transitive":
        strength = rng.normal(size=n)
        S = strength[:, None] - strength + 0.05 * S
    A = S - S.T
    return A / (2 * np.abs(A).max())


KINDS = ["normal", "ties", "low rank", "nearly transitive"]


@pytest.mark.parametrize("kind", KINDS)
def test_the_start_saves_steps_and_changes_no_answer(kind, monkeypatch):
    game = pg.PreferenceGame(0.5 + table(kind))
    ours = pg.nash(game)
    monkeypatch.setattr(interior_point, "SMALLEST", 10**9)
    middle = pg.nash(game)
    assert ours.iterations < middle.iterations
    assert ours.exploitability <= 1e-14 and middle.exploitability <= 1e-14
    np.testing.assert_allclose(ours.policy, middle.policy, atol=1e-7)


def test_the_average_has_the_gap_that_is_claimed():
    """In single precision the average of 200 rounds is far less exploitable than the middle."""
    A, _, _ = scaled(table("normal"))
    mean, exact = start.averaged(A, start.ENOUGH, np.empty(A.shape), lambda played: None)
    assert not exact
    gap, middle = float((A @ mean).max()), float(A.mean(axis=1).max())
    assert mean.dtype == np.float64 and mean.sum() == pytest.approx(1) and mean.min() >= 0
    assert 0 < gap < 1e-3 < 0.02 < middle
    x, v = start.inside(A, mean)
    assert x.min() > 0 and (v - A @ x).min() > 0


@pytest.mark.parametrize("kind", ["transitive", "nearly transitive", "top cycle", "voters"])
def test_an_equilibrium_of_few_responses_needs_no_path(kind, monkeypatch):
    solved = 0
    for seed in range(3):
        game = pg.PreferenceGame(
            0.5 + exact_list.KINDS[kind](np.random.default_rng(seed), 450), symmetrise=True
        )
        ours = pg.nash(game)
        solved += ours.iterations == 0
        with monkeypatch.context() as patched:
            patched.setattr(interior_point, "SMALLEST", 10**9)
            middle = pg.nash(game)
        assert ours.unique and middle.unique and ours.exploitability <= 1e-15
        np.testing.assert_allclose(ours.policy, middle.policy, atol=1e-14)
    assert solved >= 1


def test_responses_outside_that_win_or_tie_are_no_equilibrium():
    """The game of some responses is no answer where another one beats or ties with its equilibrium."""
    A, _, rounding = scaled(exact_list.KINDS["top cycle"](np.random.default_rng(1), 450))
    x = pg.nash(0.5 + A / 2).policy[0]
    assert interior_point.solve_among(A, x > 0, rounding) == pytest.approx(x, abs=1e-15)
    best = np.zeros(450, dtype=bool)
    best[np.flatnonzero(x > 0)[1:]] = True
    assert interior_point.solve_among(A, best, rounding) is None
    clone = np.argmax(x)
    with_clone = np.block([[A, A[:, [clone]]], [A[[clone]], np.zeros((1, 1))]])
    assert interior_point.solve_among(with_clone, np.append(x > 0, False), rounding) is None


@pytest.mark.parametrize("seed", [1, 3, 9, 11, 12, 22, 23])
def test_the_centre_of_a_game_with_clones_plays_them_alike(seed, monkeypatch):
    """At the end of the path a predictor is rounding: one of five clones was left out, or nothing was.

    Clones are not merged here; rounding may keep clones in a user's file from being equal to the bit.
    """
    steps = []
    least_squares = optimal_face._least_squares
    monkeypatch.setattr(one_game, "find_clones", lambda A: None)
    monkeypatch.setattr(
        optimal_face, "_least_squares", lambda M, right: steps.append(1) or least_squares(M, right)
    )
    A = exact_list.KINDS["clones"](np.random.default_rng([seed, 450]), 450)
    found = pg.nash(pg.PreferenceGame(0.5 + A, symmetrise=True))
    assert found.unique is False and found.exploitability <= 1e-15 and len(steps) < 60
    alike = found.policy[0].reshape(-1, 5)
    np.testing.assert_allclose(alike, np.tile(alike.mean(axis=1, keepdims=True), 5), atol=1e-12)
    np.testing.assert_array_equal((alike > 0).sum(axis=1) % 5, 0)


@pytest.mark.parametrize("precision", [1e-3, 1e-4, 1e-6, 1e-9])
def test_a_precision_is_kept_with_fewer_steps(precision):
    for kind in KINDS:
        game = pg.PreferenceGame(0.5 + table(kind))
        found, exact = pg.nash(game, precision=precision), pg.nash(game)
        gap = float((game.skew[0] @ found.policy[0]).max())
        assert max(gap, 0) == pytest.approx(found.exploitability, abs=1e-15) and gap <= precision
        assert found.iterations <= exact.iterations
    assert pg.nash(pg.PreferenceGame(0.5 + table("normal")), precision=2e-3).iterations == 0


def test_a_small_game_is_exact_whatever_the_precision():
    game = pg.games.comal3()
    np.testing.assert_array_equal(pg.nash(game, precision=0.1).policy, pg.nash(game).policy)


@pytest.mark.parametrize("precision", [-1e-3, 0.5, np.nan])
def test_bad_precision(precision):
    with pytest.raises(ValueError, match="precision must be at least 0 and below 1/2, got"):
        pg.nash(pg.games.comal3(), precision=precision)


def test_threads_change_no_answer_and_are_given_back():
    threadpoolctl = pytest.importorskip("threadpoolctl")
    game = pg.PreferenceGame(0.5 + table("normal"))
    before = [pool["num_threads"] for pool in threadpoolctl.threadpool_info()]
    two, one = pg.nash(game, threads=2), pg.nash(game, threads=1)
    assert [pool["num_threads"] for pool in threadpoolctl.threadpool_info()] == before
    np.testing.assert_allclose(two.policy, one.policy, atol=1e-12)
    for threads in (0, 1.5, -1):
        with pytest.raises(ValueError, match="threads must be a whole number of at least 1, or None, got"):
            pg.nash(game, threads=threads)


def test_the_step_to_the_centre_is_that_of_least_squares():
    rng = np.random.default_rng(0)
    M, right = rng.normal(size=(40, 12)), rng.random(40)
    expected = np.linalg.lstsq(M, right, rcond=None)[0]
    np.testing.assert_allclose(optimal_face._least_squares(M, right), expected, rtol=1e-10)
    M[:, 3] = M[:, 4]  # singular: by SVD
    np.testing.assert_allclose(M @ optimal_face._least_squares(M, right), M @ np.linalg.lstsq(M, right)[0])
