"""Solvers of one policy play games of two roles unchanged: against the product game, NumPy and Newton."""

import numpy as np
import pytest

import pgames as pg
from tests.support.roles import closed_form, gap, marginals, product_game, references, softmax, table

TAU = 0.1
SMALL = (4, 3)
PRODUCTS = {  # a solver on pairs, and the same on the product game at twice the step and half the temperature
    "INPO": (pg.INPO(0.1, 0.3), pg.INPO(0.05, 0.6)),
    "MMD": (pg.MMD(0.1, 0.4), pg.MMD(0.05, 0.8)),
    "SPPO": (pg.SPPO(0.5), pg.SPPO(1.0)),
    "EGPO": (pg.EGPO(0.1, 1.0), pg.EGPO(0.05, 2.0)),
    "ONPO": (pg.ONPO(0.1, 0.5), pg.ONPO(0.05, 1.0)),
    "OMWU": (pg.ONPO(0.0, 0.5), pg.ONPO(0.0, 1.0)),
    "MNPO": (pg.MNPO(0.1, 0.5), pg.MNPO(0.05, 1.0)),
    "NashMD": (pg.NashMD(0.1, 0.5), pg.NashMD(0.05, 1.0)),
    "NashMD, the theorem's step": (pg.NashMD(0.1), pg.NashMD(0.05)),
    "NashEMA": (pg.NashEMA(0.1, 0.5, 0.9), pg.NashEMA(0.05, 1.0, 0.9)),
    "IPO-MD": (pg.IPOMD(0.1, 0.5), pg.IPOMD(0.05, 1.0)),
    "COMAL": (pg.COMAL(0.1, 0.5, 7), pg.COMAL(0.05, 1.0, 7)),
    "MPO": (pg.MPO(0.1, 0.5, 7), pg.MPO(0.05, 1.0, 7)),
}
MARGINALS = {
    "Fictitious play": (pg.FictitiousPlay(), pg.FictitiousPlay()),
    "Fictitious play, smoothed": (pg.FictitiousPlay(0.1), pg.FictitiousPlay(0.05)),
    "SPPO, averaged": (pg.Average(pg.SPPO(0.5)), pg.Average(pg.SPPO(1.0))),
    "INPO, averaged": (pg.Average(pg.INPO(0.1, 0.3)), pg.Average(pg.INPO(0.05, 0.6))),
}


def both(names, name, seed=5):
    A, (p0, q0) = table(seed, SMALL), references(seed, SMALL)
    on_pairs, on_products = names[name]
    pairs = pg.iterate(on_pairs, arena := pg.RoleArena(pg.MatrixRoles(A, p0, q0)), 25)
    products = pg.iterate(on_products, whole := pg.TableArena(product_game(A, p0, q0)), 25)
    for pair, product in zip(pairs, products, strict=True):
        p, q = arena.halves(pair.policy)
        yield p[0], q[0], whole.probs(product.policy)[0, 0]


@pytest.mark.parametrize("name", PRODUCTS)
def test_iterates_are_those_of_the_product_game(name):
    for p, q, product in both(PRODUCTS, name):
        np.testing.assert_allclose(np.outer(p, q).ravel(), product, atol=1e-12)


@pytest.mark.parametrize("name", MARGINALS)
def test_mixtures_agree_with_the_product_game_in_their_marginals(name):
    """A mixture of products is not a product, and a bilinear payoff sees the marginals alone."""
    apart = 0.0
    for p, q, product in both(MARGINALS, name, seed=1):
        first, second = marginals(product, SMALL)
        np.testing.assert_allclose(p, first, atol=1e-12)
        np.testing.assert_allclose(q, second, atol=1e-12)
        apart = max(apart, np.abs(np.outer(p, q).ravel() - product).max())
    assert apart > 1e-4


def test_at_the_same_step_the_product_game_is_another_game():
    step = pg.INPO(0.1, 0.3)
    *_, (p, q, product) = both({"same": (step, step)}, "same")
    assert np.abs(np.outer(p, q).ravel() - product).max() > 1e-2


SETTLED = {
    "INPO": pg.INPO(TAU, 0.3),
    "MMD": pg.MMD(TAU, 0.4),
    "EGPO": pg.EGPO(TAU, 1.0),
    "ONPO": pg.ONPO(TAU, 0.5),
    "MNPO": pg.MNPO(TAU, 0.5),
}


def solved(solver, game, rounds, **more):
    arena = pg.RoleArena(game, **more)
    state = pg.solve(solver, arena, rounds)
    p, q = arena.halves(state.policy)
    return arena, state.policy, p[0], q[0]


@pytest.mark.parametrize("name", SETTLED)
def test_solvers_end_at_newtons_pair(name):
    """1500 rounds, Dirichlet(2) references."""
    for seed in range(5):
        A, refs = table(seed), references(seed)
        arena, policy, p, q = solved(SETTLED[name], pg.MatrixRoles(A, *refs), 1500)
        exact = pg.nash_zero_sum(A, TAU, refs)
        assert arena.exploitability(policy, TAU)[0] < 1e-13
        assert 0.5 * np.abs(p - exact.row).sum() < 1e-6
        assert 0.5 * np.abs(q - exact.column).sum() < 1e-6


def contraction(seeds):
    """The most by which a round of EGPO shrinks KL(p* || p) + KL(q* || q) less than to 1 - eta tau."""
    worst = -np.inf
    for seed in seeds:
        A, refs = table(seed), references(seed)
        exact = pg.nash_zero_sum(A, TAU, refs)
        arena = pg.RoleArena(pg.MatrixRoles(A, *refs))
        for eta in (0.3, 1.0, 1.5):
            before = None
            for state in pg.iterate(pg.EGPO(TAU, eta), arena, 40):
                p, q = arena.halves(state.policy)
                kl = exact.row @ np.log(exact.row / p[0]) + exact.column @ np.log(exact.column / q[0])
                if before is not None and before > 1e-9:
                    worst = max(worst, kl / before - (1 - eta * TAU))
                before = kl
    return worst


def test_egpo_contracts_by_one_minus_eta_tau():
    """For eta up to 1.5."""
    assert contraction(range(20)) <= 1e-5


def test_a_temperature_for_each_role():
    _, _, p, q = solved(pg.EGPO(TAU, 0.3), pg.MatrixRoles(table(0)), 2000, tempers=(1.0, 5.0))
    exact = pg.nash_zero_sum(table(0), (0.1, 0.02))
    assert np.abs(p - exact.row).sum() < 1e-9 and np.abs(q - exact.column).sum() < 1e-9
    assert np.abs(q - pg.nash_zero_sum(table(0), 0.1).column).sum() > 1e-2


def test_mmd_is_its_two_player_form():
    """p' = (p p0^(eta tau) exp(eta A q))^(1 / (1 + eta tau)), both from the old pair."""
    A, (p0, q0), eta = table(2), references(2), 0.4
    arena = pg.RoleArena(pg.MatrixRoles(A, p0, q0))
    p, q = p0, q0
    for state in pg.iterate(pg.MMD(TAU, eta), arena, 30):
        p, q = (
            softmax((np.log(p) + eta * TAU * np.log(p0) + eta * A @ q) / (1 + eta * TAU)),
            softmax((np.log(q) + eta * TAU * np.log(q0) - eta * p @ A) / (1 + eta * TAU)),
        )
        mine = arena.halves(state.policy)
        np.testing.assert_allclose(mine.attacker[0], p, atol=1e-14)
        np.testing.assert_allclose(mine.defender[0], q, atol=1e-14)


def averaged(T):
    """Averaged multiplicative weights, both at once, on seeds 0 to 9, in NumPy.

    Returns the largest gap, its bound sqrt(L / T), both averages, the last logits and eta.
    """
    L, A = np.log(6) + np.log(5), np.stack([table(seed) for seed in range(10)])
    eta = 2 * np.sqrt(L / T)
    log_p, log_q = np.zeros((10, 6)), np.zeros((10, 5))
    row = column = np.zeros((10, 1))
    for _ in range(T):
        p, q = softmax(log_p), softmax(log_q)
        row, column = row + p / T, column + q / T
        log_p, log_q = (
            log_p + eta * np.einsum("sij,sj->si", A, q),
            log_q - eta * np.einsum("sij,si->sj", A, p),
        )
    largest = max(gap(*game) for game in zip(A, row, column, strict=True))
    return largest, np.sqrt(L / T), row, column, log_p, log_q, eta


def test_averaged_multiplicative_weights():
    """Both at once, eta = 2 sqrt(L / T): the gap of the average is below sqrt(L / T), by half."""
    for T, largest in ((100, 0.081), (1000, 0.024), (10000, 0.0087)):
        largest_gap, bound, row, column, log_p, log_q, eta = averaged(T)
        assert largest_gap == pytest.approx(largest, rel=0.02)
        assert largest_gap <= 0.48 * bound
        for seed in range(10 if T <= 1000 else 1):  # Average has rounds 1 to T, the loop above 0 to T - 1
            _, _, p, q = solved(pg.Average(pg.SPPO(eta)), pg.MatrixRoles(table(seed)), T)
            np.testing.assert_allclose(p, row[seed] + (softmax(log_p[seed]) - 1 / 6) / T, atol=1e-11)
            np.testing.assert_allclose(q, column[seed] + (softmax(log_q[seed]) - 1 / 5) / T, atol=1e-11)


@pytest.mark.parametrize(
    "solver",
    [
        pg.INPO(TAU, 0.5),
        pg.MMD(TAU, 0.5),
        pg.EGPO(TAU, 0.5),
        pg.Turns(pg.INPO(TAU, 0.5), pg.INPO(TAU, 0.5), 3, 5),
    ],
    ids=lambda solver: type(solver).__name__,
)
def test_prompts_end_at_the_closed_form(solver):
    for seed in range(3):
        R = table(seed, (6, 4))
        _, _, p, q = solved(solver, pg.PromptRoles(R), 1200)
        attacker, defender = closed_form(R, TAU)
        assert np.abs(p - attacker).sum() < 1e-10 and np.abs(q - defender).sum() < 1e-10


def test_moving_the_reference_reaches_the_game_itself():
    """COMAL, 100 refreshes: near where the exact proximal points are, whose gap need not fall."""
    for seed in range(5):
        A = table(seed)
        exact = pg.nash_zero_sum(A)
        _, _, p, q = solved(pg.COMAL(TAU, 0.5, 60), pg.MatrixRoles(A), 6000)
        assert p @ A @ q == pytest.approx(exact.value, abs=1e-3)
        if seed < 2:
            assert gap(A, p, q) < 1e-12
    reference, kl = (np.full(6, 1 / 6), np.full(5, 1 / 5)), []
    A, exact = table(2), pg.nash_zero_sum(table(2))
    for _ in range(60):  # the theorem: the distance to an equilibrium never grows
        moved = pg.nash_zero_sum(A, TAU, reference)
        reference = moved.row, moved.column
        pairs = zip((exact.row, exact.column), reference, strict=True)
        kl.append(sum((x[x > 0] * np.log(x[x > 0] / y[x > 0])).sum() for x, y in pairs))
    assert (np.diff(kl) <= 1e-12).all() and kl[-1] < 0.2 * kl[0]


def test_a_run_is_measured_and_simulated_by_pg_run():
    arena = pg.RoleArena(pg.MatrixRoles(table(0)), runs=2)
    curve = pg.run(pg.EGPO(TAU, np.array([0.5, 1.0])), arena, 300)
    gaps = curve.values["exploitability (tau = 0.1)"]
    assert gaps.shape[0] == 2 and gaps[:, 0].min() > 1e-2 and gaps[:, -1].max() < 1e-12
    role = pg.metrics.Gain("defender", TAU), pg.metrics.RoleEntropy("attacker"), pg.metrics.DualityGap(TAU)
    gain, entropy, both = (one(arena, curve.state.policy) for one in role)
    exact = pg.nash_zero_sum(table(0), TAU)
    np.testing.assert_allclose(entropy, -(exact.row * np.log(exact.row)).sum(), atol=1e-9)
    np.testing.assert_array_equal(both, arena.gains(curve.state.policy, TAU).attacker + gain)
    with pytest.raises(TypeError, match="only a TableArena runs compiled, got RoleArena"):
        pg.run(pg.EGPO(TAU, 0.5), arena, 5, compiled=True)


def test_sampled_feedback_ends_near_the_pair_and_needs_no_other_runs():
    game = pg.MatrixRoles(table(1))
    wide = pg.RoleArena(game, runs=6, seed=3, samples=64)
    few = pg.RoleArena(game, runs=2, seed=3, samples=64)
    end = pg.solve(pg.INPO(1.0, 0.05), wide, 300).policy
    np.testing.assert_array_equal(pg.solve(pg.INPO(1.0, 0.05), few, 300).policy, end[:2])
    exact = pg.nash_zero_sum(table(1), 1.0)
    assert np.abs(wide.halves(end).attacker - exact.row).sum(axis=-1).max() < 0.05
