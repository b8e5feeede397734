"""Which equilibrium of a degenerate game: each choice against cvxpy, and however responses are numbered."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgames as pg

SELECT = ("centre", "max_entropy", "closest")


def tie_heavy(seed, n, levels=1):
    """Integer payoffs: most of these games have a polytope of equilibria."""
    rng = np.random.default_rng([seed, n])
    upper = np.triu(rng.integers(-levels, levels + 1, (n, n)), 1)
    return pg.PreferenceGame(0.5 + (upper - upper.T) / (2 * levels), reference=rng.dirichlet(np.ones(n)))


def degenerate(n, seeds):
    """Those of the games that do have several equilibria: their choices differ."""
    games = [tie_heavy(seed, n) for seed in seeds]
    return [g for g in games if np.ptp([pg.nash(g, select=s).policy for s in SELECT], axis=0).max() > 1e-3]


@pytest.mark.parametrize("select", SELECT)
def test_agrees_with_cvxpy(select):
    games = degenerate(5, range(12)) + degenerate(9, range(6)) + [pg.games.blotto(5, 3), pg.games.disc(12)]
    assert len(games) > 10
    for game in games:
        ours, theirs = (pg.nash(game, select=select, method=m) for m in ("newton", "cvxpy"))
        assert ours.exploitability <= 1e-15
        assert theirs.exploitability <= 1e-8
        np.testing.assert_allclose(
            ours.policy, theirs.policy, atol=3e-5
        )  # flat optima: the error is its root
        value = objective(select, game)
        assert value(ours.policy[0]) >= value(theirs.policy[0]) - 1e-7


def objective(select, game):
    """What the chosen equilibrium maximises."""
    if select == "centre":
        return lambda x: np.log(
            np.maximum(x, 1e-12) + np.maximum(-game.skew[0] @ x, 0) / game.skew.max()
        ).sum()
    reference = game.reference[0] if select == "closest" else np.ones(game.responses)
    return lambda x: -np.sum(x * np.log(np.maximum(x, 1e-300) / reference))


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 9), select=st.sampled_from(SELECT))
def test_renumbering_the_responses_renumbers_the_answer(seed, n, select):
    game = tie_heavy(seed, n)
    order = np.random.default_rng(seed).permutation(n)
    renumbered = pg.PreferenceGame(game.P[0][np.ix_(order, order)], game.reference[0][order])
    for tau in (0.0, 0.1):
        np.testing.assert_allclose(
            pg.nash(renumbered, tau, select).policy[0],
            pg.nash(game, tau, select).policy[0][order],
            atol=1e-11,
        )


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 10**6), n=st.integers(1, 9))
def test_the_centre_is_strictly_complementary(seed, n):
    """Every response is played or loses, never neither: the mark of the relative interior."""
    game = tie_heavy(seed, n)
    x = pg.nash(game).policy[0]
    slack = -game.skew[0] @ x
    assert (np.maximum(x, slack) > 1e-6).all()
    assert np.minimum(x, np.abs(slack)).max() < 1e-14


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 10**6),
    n=st.integers(2, 12),
    log_noise=st.floats(-16, -3),
    log_scale=st.sampled_from([-7, -3, 0]),
    concentration=st.sampled_from([0.02, 0.3, 50]),
    select=st.sampled_from(SELECT),
)
def test_almost_degenerate_games(seed, n, log_noise, log_scale, concentration, select):
    """Ties broken by any little, and references next to nothing: always an equilibrium."""
    rng = np.random.default_rng(seed)
    upper = np.triu(rng.integers(-1, 2, (n, n)) + 10**log_noise * rng.normal(size=(n, n)), 1)
    A = 0.4 * 10.0**log_scale * (upper - upper.T)
    game = pg.PreferenceGame(0.5 + A, rng.dirichlet(np.full(n, concentration)))
    assert pg.nash(game, select=select).exploitability <= 1e-14


def test_closest_is_the_limit_of_falling_temperature():
    for game in degenerate(5, range(8)):
        limit = pg.nash(game, select="closest").policy
        distance = [np.abs(pg.nash(game, tau).policy - limit).max() for tau in (1e-2, 1e-3, 1e-4)]
        assert distance[2] < 2e-3
        assert distance[2] < distance[0] / 20 or distance[0] < 1e-10


def test_clones_share_their_mass():
    """Copies of a response split it: evenly by maximum entropy, as the reference does by `closest`."""
    reference = np.array([0.1, 0.3, 0.05, 0.25, 0.2, 0.1])
    P = pg.games.clones(pg.games.biased_rps(), 2).P[0]
    game = pg.PreferenceGame(P, reference)
    pairs = np.array([1, 10, 5]) / 16
    np.testing.assert_allclose(
        pg.nash(game, select="max_entropy").policy[0], np.repeat(pairs / 2, 2), atol=1e-12
    )
    split = reference.reshape(3, 2) / reference.reshape(3, 2).sum(axis=1, keepdims=True)
    np.testing.assert_allclose(
        pg.nash(game, select="closest").policy[0], (pairs[:, None] * split).ravel(), atol=1e-12
    )


def test_a_large_degenerate_game():
    """300 responses of rank 6: the equilibria have dimension 293."""
    rng = np.random.default_rng(0)
    U, V = rng.normal(size=(2, 300, 3))
    A = U @ V.T - V @ U.T
    game = pg.PreferenceGame(0.5 + A / (2 * np.abs(A).max()), reference=rng.dirichlet(np.ones(300)))
    answers = {select: pg.nash(game, select=select) for select in SELECT}
    for select, answer in answers.items():
        assert answer.exploitability <= 1e-15
        if select != "centre":
            value = objective(select, game)
            best = value(answer.policy[0])
            assert all(value(other.policy[0]) <= best + 1e-9 for other in answers.values())


def test_unknown_names():
    game = pg.games.rock_paper_scissors()
    with pytest.raises(ValueError, match="select must be one of centre, max_entropy, closest, got 'vertex'"):
        pg.nash(game, select="vertex")
    with pytest.raises(ValueError, match="method must be one of newton, cvxpy, got 'lp'"):
        pg.nash(game, method="lp")
