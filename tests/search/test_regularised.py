"""The regularised policy against a root finder, beside the mirror step, and in INPO."""

import numpy as np
import pytest
from scipy.optimize import brentq

import pgames as pg
from tests.support.token_games import bandits


def by_root_finder(prior, value, lam):
    inside = prior > 0
    below = value[inside].max() - value[inside]

    def excess(gap):
        return (lam * prior[inside] / (gap + below)).sum() - 1

    gap = brentq(excess, 1e-14, lam + 1, xtol=1e-16, rtol=1e-15)
    policy = np.zeros(len(prior))
    policy[inside] = lam * prior[inside] / (gap + below)
    return policy


@pytest.mark.parametrize("lam", [1e-4, 0.05, 1.0, 30.0])
def test_newton_finds_the_root_that_a_bracketing_method_finds(lam):
    for prior, value in bandits()[:40]:
        got = pg.regularised_policy(prior, value, lam)
        np.testing.assert_allclose(got, by_root_finder(prior, value, lam), rtol=0, atol=1e-11)
        assert got.sum() == pytest.approx(1, abs=1e-14)


def test_it_maximises_its_objective():
    """Against a convex solver that is told only the objective."""
    cvxpy = pytest.importorskip("cvxpy")
    for prior, value in bandits()[:5]:
        p = cvxpy.Variable(len(prior))
        objective = value @ p - 0.3 * cvxpy.sum(cvxpy.kl_div(prior, p) + prior - p)
        cvxpy.Problem(cvxpy.Maximize(objective), [cvxpy.sum(p) == 1]).solve(solver="CLARABEL")
        np.testing.assert_allclose(pg.regularised_policy(prior, value, 0.3), p.value, atol=1e-4)


def test_rows_zeros_and_extremes():
    prior = np.array([[0.5, 0.5, 0.0], [0.2, 0.3, 0.5]])
    value = np.array([[0.1, 0.2, 9.0], [1.0, 0.0, 0.5]])
    both = pg.regularised_policy(prior, value, [0.1, 2.0])
    assert both[0, 2] == 0
    np.testing.assert_allclose(both[0], by_root_finder(prior[0], value[0], 0.1), atol=1e-12)
    np.testing.assert_allclose(both[1], by_root_finder(prior[1], value[1], 2.0), atol=1e-12)
    np.testing.assert_allclose(pg.regularised_policy(prior[1], value[1], 1e12), prior[1], atol=1e-11)
    np.testing.assert_allclose(pg.regularised_policy(prior[1], value[1], 1e-13), [1, 0, 0], atol=1e-11)
    np.testing.assert_allclose(pg.regularised_policy(prior[1], np.zeros(3), 0.3), prior[1], atol=1e-15)


def test_it_agrees_with_the_mirror_step_to_second_order():
    ratios = []
    for prior, value in bandits():
        distance = []
        for step in (0.4, 0.2):
            forward = prior * np.exp(step * value)
            reverse = pg.regularised_policy(prior, value, 1 / step)
            distance.append(np.abs(forward / forward.sum() - reverse).sum())
        ratios.append(distance[0] / distance[1])
    assert np.mean(ratios) == pytest.approx(4.0, abs=0.1)
    assert np.std(ratios) < 0.6


@pytest.mark.parametrize(("eta", "distance"), [(0.1, 1.1e-5), (0.5, 5.5e-5), (2.0, 2.2e-4)])
def test_inpo_of_reverse_steps_ends_near_the_nash(eta, distance):
    """The distances of the design are 1e-5, 6e-5 and 2.2e-4."""
    game, tau = pg.games.comal3(), 0.1
    nash, reference = pg.nash(game, tau).policy[0], game.reference[0]
    pi = reference.copy()
    for _ in range(int(300 / eta)):
        prior = pi ** (1 - tau * eta) * reference ** (tau * eta)
        pi = pg.regularised_policy(prior / prior.sum(), game.P[0] @ pi, 1 / eta)
    assert 0.5 * np.abs(pi - nash).sum() == pytest.approx(distance, rel=0.05)


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (([0.5, 0.6], [0, 1], 1.0), "the prior must sum to 1"),
        (([0.5, 0.5], [0, np.inf], 1.0), "must be finite: give unvisited"),
        (([0.5, 0.5], [0, 1], 0.0), "lam must be finite and above 0"),
    ],
)
def test_bad_input_is_named(arguments, line):
    with pytest.raises(ValueError, match=line):
        pg.regularised_policy(*arguments)
