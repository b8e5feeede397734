"""What a learner believes: estimates, widths, and the Nash of a belief, tabular and linear."""

import numpy as np
import pytest

import pgames as pg
from pgames.counts import PairCounts
from pgames.regret.simulate import simulate


def random_wins(rng, S, X, Y, most=30):
    return rng.integers(0, most, (S, X, Y, Y)).astype(float)


def test_estimates_are_shares_of_wins_and_indifferent_where_unseen():
    rng = np.random.default_rng(0)
    arena = pg.DuelArena(pg.games.blotto(3, 2), runs=2)
    wins = random_wins(rng, 2, 1, 4)
    wins[:, :, 0, 1] = wins[:, :, 1, 0] = 0
    rates = arena.believe(PairCounts(wins)).rates
    n = wins + np.swapaxes(wins, 2, 3)
    seen = (n > 0) & ~np.eye(4, dtype=bool)
    np.testing.assert_allclose(rates[seen], (wins / np.maximum(n, 1))[seen])
    assert (rates[:, :, 0, 1] == 0.5).all()
    np.testing.assert_allclose(rates + np.swapaxes(rates, 2, 3), 1)


@pytest.mark.parametrize("width", ["hoeffding", "bernstein"])
def test_optimism_widens_all_but_the_diagonal_and_shrinks_with_evidence(width):
    rng = np.random.default_rng(1)
    arena = pg.DuelArena(pg.games.cyclic(5)).at(100)
    wins = random_wins(rng, 1, 1, 5) + 1
    plain = arena.believe(PairCounts(wins)).rates
    narrow, wide = (arena.believe(PairCounts(n * wins), 1.0, width).rates - plain for n in (10_000, 10))
    off = ~np.eye(5, dtype=bool)
    assert (np.diagonal(wide, axis1=2, axis2=3) == 0).all(), "a bonus on the diagonal never shrinks"
    assert (wide >= 0).all() and (narrow[0, 0][off] < wide[0, 0][off] + 1e-12).all()
    assert narrow[0, 0][off].max() < 0.05
    assert (wide + plain <= 1).all()


def test_bernstein_is_narrower_for_one_sided_pairs():
    arena = pg.DuelArena(pg.games.duel()).at(1000)
    wins = np.array([[[[0, 995.0], [5.0, 0]]]])
    hoeffding = arena.believe(PairCounts(wins), 1.0).rates[0, 0, 1, 0]
    bernstein = arena.believe(PairCounts(wins), 1.0, "bernstein").rates[0, 0, 1, 0]
    assert bernstein < hoeffding
    with pytest.raises(ValueError, match="'hoeffding' or 'bernstein', got 'gauss'"):
        arena.believe(PairCounts(wins), 1.0, "gauss")


@pytest.mark.parametrize("tau", [1.0, 0.1, 0.02])
def test_the_nash_of_every_runs_belief(tau):
    rng = np.random.default_rng(2)
    game = pg.games.stack([pg.games.hidden_rps(0.1), pg.games.duel()])
    arena = pg.DuelArena(game, runs=30)
    belief = arena.believe(PairCounts(random_wins(rng, 30, 2, 5, most=4)))
    policy = belief.nash(tau, arena.reference)
    for s in range(30):
        believed = pg.PreferenceGame(belief.rates[s], game.reference)
        assert pg.exploitability(believed, np.exp(policy[s]), tau) < 1e-10
        np.testing.assert_allclose(np.exp(policy[s]), pg.nash(believed, tau).policy, atol=1e-8)


def test_the_least_known_response_is_the_one_never_met():
    arena = pg.DuelArena(pg.games.cyclic(4))
    wins = np.full((1, 1, 4, 4), 10.0)
    wins[..., 2], wins[..., 2, :] = 0, 0
    assert np.argmax(arena.believe(PairCounts(wins)).least_known(arena.policy([0.5, 0.5, 0, 0]))) == 2


def bilinear_game(rng, Y, D):
    """Responses with features phi, P = 1/2 + phi M phi'."""
    phi = rng.standard_normal((Y, D))
    M = rng.standard_normal((D, D))
    A = phi @ (M - M.T) @ phi.T
    scale = 0.45 / np.abs(A).max()
    return pg.PreferenceGame(0.5 + scale * A, rng.dirichlet(np.ones(Y))), phi[None]


def test_a_linear_belief_learns_a_bilinear_preference_and_finds_its_nash():
    rng = np.random.default_rng(3)
    game, phi = bilinear_game(rng, 40, 3)
    arena = pg.DuelArena(game, runs=3, features=phi)
    evidence = arena.no_duels() + arena.at(0, 200_000).duel(arena.uniform, arena.uniform)
    belief = arena.believe(evidence)
    estimate = np.einsum("xyd,sxde,xze->sxyz", phi, belief.matrix, phi) + 0.5
    assert np.abs(estimate - game.P).max() < 0.03
    policy = belief.nash(0.1, arena.reference)
    for s in range(3):
        believed = pg.PreferenceGame(estimate[s], game.reference, symmetrise=True)
        assert pg.exploitability(believed, np.exp(policy[s]), 0.1) < 1e-10


def test_one_hot_features_give_the_tabular_belief():
    rng = np.random.default_rng(4)
    game = pg.PreferenceGame(rng.random((5, 5)), symmetrise=True)
    table, linear = pg.DuelArena(game, seed=1), pg.DuelArena(game, seed=1, features=np.eye(5)[None])
    pi = table.policy(rng.dirichlet(np.ones(5)))
    wins, evidence = (a.at(7, 100_000).duel(a.uniform, a.uniform) for a in (table, linear))
    for optimism in (0.0, 1.0):
        ours = linear.at(7).believe(evidence, optimism).win_rates(pi)
        np.testing.assert_allclose(ours, table.at(7).believe(wins, optimism).win_rates(pi), atol=0.02)
    np.testing.assert_allclose(
        np.exp(linear.believe(evidence).nash(0.1, linear.reference)),
        np.exp(table.believe(wins).nash(0.1, table.reference)),
        atol=1e-4,
    )


def test_widths_are_elliptic():
    rng = np.random.default_rng(5)
    game, phi = bilinear_game(rng, 12, 4)
    arena = pg.DuelArena(game, seed=2, features=phi)
    evidence = arena.no_duels()
    for t in range(9):
        evidence = evidence + arena.at(t).duel(arena.uniform, arena.uniform)
    belief = arena.believe(evidence)
    mean = phi[0].T @ game.reference[0]
    i, j = np.triu_indices(4, 1)
    inverse = np.linalg.inv(evidence.gram[0, 0] + belief.RIDGE * np.eye(6))
    for y in range(12):
        psi = (np.outer(phi[0, y], mean) - np.outer(mean, phi[0, y]))[i, j]
        assert belief._widths(mean[None, None])[0, 0, y] == pytest.approx(np.sqrt(psi @ inverse @ psi))


def test_clones_cost_a_learner_that_knows_the_groups_nothing():
    """K >> d: with features the evidence of one clone is evidence of all."""
    tau, copies = 0.05, 30
    game = pg.games.clones(pg.games.hidden_rps(tau), [copies] * 3 + [1, 1])
    groups = np.repeat(np.eye(5), [copies] * 3 + [1, 1], axis=0)[None]

    def regret(learner, features):
        curve = simulate(learner, game, 20_000, seeds=4, refresh=1.1, features=features)
        return curve.regret[:, -1].mean()

    assert regret(pg.Optimistic(tau), groups) < 0.3 * regret(pg.Optimistic(tau), None)
    assert regret(pg.Enhancer(tau), groups) < regret(pg.UniformAdversary(tau), groups)


@pytest.mark.parametrize("features", [None, np.eye(3)[None]])
def test_pessimism_is_the_lower_end_and_no_such_belief_is_a_game(features):
    arena = pg.DuelArena(pg.games.comal3(), runs=2, features=features)
    evidence = arena.no_duels()
    for t in range(30):
        evidence = evidence + arena.at(t).duel(arena.uniform, arena.uniform)
    view = arena.at(30)
    mean, low, high = (view.believe(evidence, c).win_rates(arena.uniform) for c in (0.0, -0.1, 0.1))
    assert (low < mean).all() and (mean < high).all()
    assert np.abs(high - mean - (mean - low)).min() < 1e-12  # but where it is clipped
    assert view.believe(evidence, -50.0).win_rates(arena.uniform).max() <= 1 / 6 + 1e-12
    for optimism in (1.0, -1.0):
        with pytest.raises(ValueError, match=r"is not a game, as P \+ P' differs from 1, and has no Nash"):
            view.believe(evidence, optimism).nash(0.1, arena.reference)
    for wrong in (np.nan, np.inf, "1", [1.0, 2.0]):
        with pytest.raises(ValueError, match="optimism must be a finite number"):
            view.believe(evidence, wrong)
