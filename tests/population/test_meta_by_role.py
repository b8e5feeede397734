"""Meta-solvers of pairs: attackers and defenders have weights of their own, as NumPy and SciPy find them."""

import numpy as np
import pytest
from scipy.optimize import linprog, minimize

import pgames as pg
from pgames.population import AlphaRank, Latest, Nash, Replicator, Uniform, mixed
from pgames.ratings.alpha_rank import alpha_rank_of_roles
from tests.support.roles import gap, marginals, product_game

METAS = [Uniform(), Latest(), Nash(), Nash(0.1), Nash(select="max_entropy"), AlphaRank(5.0), Replicator(200)]


def success(runs=3, members=4, seed=0):
    return np.random.default_rng(seed).random((runs, members, members))


@pytest.mark.parametrize("meta", METAS, ids=repr)
def test_each_role_has_a_distribution_and_runs_are_independent(meta):
    rates = success()
    weights = meta.by_role(rates)
    assert weights.shape == (3, 2, 4) and (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=-1), 1, atol=1e-12)
    np.testing.assert_array_equal(weights[1:2], meta.by_role(rates[1:2]))


@pytest.mark.parametrize(
    "meta", [Uniform(), Latest(), Nash(), Nash(0.1), Nash(select="max_entropy"), Replicator(200)], ids=repr
)
def test_where_both_roles_play_one_game_both_weigh_as_in_it(meta):
    """P + P' = 1; alpha-rank is left out, for there one population is not two."""
    P = np.stack([pg.games.random_skew(5, seed).P[0] for seed in range(3)])
    weights = meta.by_role(P)
    np.testing.assert_allclose(weights[:, 0], meta(P), atol=1e-9)
    np.testing.assert_allclose(weights[:, 1], meta(P), atol=1e-9)


def chain(A, alpha, m):
    """The stationary distribution over pairs of pure strategies, by the eigenvector of the chain."""
    K, L = A.shape

    def taken(gain):
        return 1 / np.exp(-alpha * gain * np.arange(m)).sum()

    moves, eta = np.zeros((K * L, K * L)), 1 / (K + L - 2)
    for i, j in np.ndindex(K, L):
        for k in range(K):
            if k != i:
                moves[i * L + j, k * L + j] = eta * taken(A[k, j] - A[i, j])
        for k in range(L):
            if k != j:
                moves[i * L + j, i * L + k] = eta * taken(A[i, j] - A[i, k])
        moves[i * L + j, i * L + j] = 1 - moves[i * L + j].sum()
    values, vectors = np.linalg.eig(moves.T)
    share = np.real(vectors[:, np.argmax(values.real)]).reshape(K, L)
    share = share / share.sum()
    return share.sum(axis=1), share.sum(axis=0)


@pytest.mark.parametrize("size", [(3, 3), (4, 2), (1, 3), (1, 1)])
@pytest.mark.parametrize(("alpha", "m"), [(0.0, 10), (3.0, 10), (20.0, 30)])
def test_alpha_rank_of_two_populations_is_that_of_the_chain(size, alpha, m):
    A = np.random.default_rng(1).random(size)
    found = alpha_rank_of_roles(A, alpha, m)
    if size == (1, 1):
        wanted = np.ones(1), np.ones(1)
    else:
        wanted = chain(A, alpha, m)
    for mine, theirs in zip(found, wanted, strict=True):
        np.testing.assert_allclose(mine, theirs, atol=1e-9)


def test_alpha_rank_of_strong_selection_is_where_nobody_leaves():
    dominated = np.array([[0.9, 0.7], [0.4, 0.2]])  # the first attack and the second defence are better
    for alpha in (1e3, np.inf):
        row, column = alpha_rank_of_roles(dominated, alpha)
        np.testing.assert_allclose([row, column], [[1, 0], [0, 1]], atol=1e-6)
    for bad in (np.ones(3), [[np.nan]], np.ones((0, 2))):
        with pytest.raises(ValueError, match="must be a finite table"):
            alpha_rank_of_roles(bad, 1.0)
    with pytest.raises(ValueError, match="alpha >= 0"):
        alpha_rank_of_roles(dominated, -1.0)


def test_replicators_are_those_of_two_populations():
    A, meta = success(1, 5, 3)[0], Replicator(50, 0.2)
    p, q, row, column = np.full(5, 0.2), np.full(5, 0.2), np.zeros(5), np.zeros(5)
    for _ in range(50):
        row, column = row + p / 50, column + q / 50
        p, q = p * np.exp(0.2 * A @ q), q * np.exp(-0.2 * A.T @ p)
        p, q = p / p.sum(), q / q.sum()
    np.testing.assert_allclose(meta.by_role(A[None])[0], [row, column], atol=1e-12)
    wide = Replicator(20_000).by_role(A[None])[0]
    assert gap(A, *wide) < 2 * (np.log(5) / (0.1 * 20_000) + 0.1 / 8)  # the regret of both


def degenerate(seed):
    """A cycle of three strategies with mixtures of them as further strategies: the optimal ones are many."""
    cycle = np.array([[0, 1, -1], [-1, 0, 1], [1, -1, 0]])
    small = 0.5 + 0.3 * cycle + 0.1 * np.random.default_rng(seed).random((3, 3))
    ours = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0.5, 0.5, 0], [0.2, 0.3, 0.5]])
    theirs = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [0, 0.25, 0.75], [0.5, 0.25, 0.25]])
    return ours @ small @ theirs.T


def most_even(A, value):
    """The optimal row of largest entropy, by SLSQP from an inner point."""
    m, n = A.shape
    inner = np.mean(
        [
            linprog(c, A_ub=-A.T, b_ub=np.full(n, 1e-12 - value), A_eq=np.ones((1, m)), b_eq=[1]).x
            for c in np.random.default_rng(0).normal(size=(12, m))
        ],
        axis=0,
    )
    found = minimize(
        lambda p: (p * np.log(np.maximum(p, 1e-300))).sum(),
        inner,
        method="SLSQP",
        bounds=[(0, 1)] * m,
        constraints=[
            {"type": "eq", "fun": lambda p: p.sum() - 1},
            {"type": "ineq", "fun": lambda p: p @ A - value + 1e-10},
        ],
        options={"ftol": 1e-14, "maxiter": 500},
    )
    return found.x


@pytest.mark.parametrize("seed", range(6))
def test_the_most_even_of_several_equilibria(seed):
    A = degenerate(seed)
    row, column = Nash(select="max_entropy").by_role(A[None])[0]
    value = pg.nash_zero_sum(A).value
    assert gap(A, row, column) < 1e-12
    np.testing.assert_allclose(row, most_even(A, value), atol=2e-4)
    np.testing.assert_allclose(column, most_even(-A.T, -value), atol=2e-4)
    np.testing.assert_allclose(Nash(select="closest").by_role(A[None])[0], [row, column], atol=1e-12)


def test_the_most_even_pair_is_that_of_the_product_game():
    """An equilibrium of pairs of largest entropy is a product, of the most even mixture of each role."""
    A = degenerate(1)[:4, :4]
    product = product_game(A, np.full(4, 0.25), np.full(4, 0.25))
    joint = pg.nash(product, select="max_entropy").policy[0]
    found = Nash(select="max_entropy").by_role(A[None])[0]
    np.testing.assert_allclose(found, marginals(joint, (4, 4)), atol=1e-7)


def test_the_centre_is_another_equilibrium():
    """Negative control: without a choice there would be nothing to test."""
    apart = [
        np.abs(Nash().by_role(A[None]) - Nash(select="max_entropy").by_role(A[None])).max()
        for A in map(degenerate, range(6))
    ]
    assert max(apart) > 1e-3


@pytest.mark.parametrize("meta", METAS, ids=repr)
def test_solvers_of_pairs_answer_with_weights_of_each_role(meta):
    arena = pg.RoleArena(pg.MatrixRoles(np.random.default_rng(2).random((5, 4))), runs=2)
    state = pg.solve(pg.PSRO(meta=meta), arena, 3)
    members, met = state.memory
    np.testing.assert_array_equal(state.policy, mixed(arena, meta.by_role(met.success), members))
    league = pg.solve(pg.MainAndExploiters(pg.SPPO(1.0), every=2, limit=2, meta=meta), arena, 4)
    roster = league.memory
    answering = [0, *range(3, 3 + len(roster.past))]
    weights = meta.by_role(roster.met.among(answering).success)
    policies = [roster.learners[0].policy, *roster.past]
    assert len(policies) > 2 and (roster.owner >= 0).all()
    np.testing.assert_allclose(league.policy, mixed(arena, weights, policies), atol=1e-12)


@pytest.mark.parametrize("meta", METAS, ids=repr)
def test_what_no_success_can_be_is_refused(meta):
    for bad, told in (
        (np.full((1, 2, 2), np.nan), "got nan of attacker 0 on defender 0 in run 0: let the two play"),
        (np.full((1, 2, 2), 1.5), "must lie in"),
        (np.full((2, 2), 0.5), r"has shape \[S, K, K\], got \[2, 2\]"),
    ):
        with pytest.raises(ValueError, match=told):
            meta.by_role(bad)
