"""DuelArena: what duels, labels and regressions are in expectation, against closed forms."""

import itertools

import numpy as np
import pytest
from scipy import stats

import pgames as pg
from pgames.table import duel_kernels, fit_kernels
from pgames.table.duels import DuelArena, Labels


def random_game(rng: np.random.Generator, Y: int) -> pg.PreferenceGame:
    P = rng.random((Y, Y))
    return pg.PreferenceGame(P, rng.dirichlet(np.full(Y, 2.0)), symmetrise=True)


def all_pairs(policy: np.ndarray, label) -> Labels:
    """Every ordered pair once, with the label (y, y') -> number: a population of pairs of full support."""
    Y = policy.shape[-1]
    pairs = np.array(list(itertools.product(range(Y), repeat=2)), dtype=np.int32)
    values = np.array([label(y, z) for y, z in pairs])
    return Labels(pairs[None, None], values[None, None], np.exp(policy))


@pytest.mark.parametrize("Y", [2, 5, 9])
def test_regressing_third_labels_is_the_mirror_step(Y):
    rng = np.random.default_rng(Y)
    game = random_game(rng, Y)
    arena, exact = DuelArena(game), pg.TableArena(game)
    pi = arena.policy(rng.dirichlet(np.ones(Y)))
    rates = game.P[0] @ np.exp(pi[0, 0])
    labels = all_pairs(pi, lambda y, z: rates[y] - rates[z])
    fitted = arena.regress(pi, labels, 0.7, ridge=1e-14)
    np.testing.assert_allclose(fitted, exact.mirror_step(pi, pi, 0.7), atol=1e-10)
    features = DuelArena(game, features=np.eye(Y)[None] @ rng.standard_normal((Y, Y)))
    np.testing.assert_allclose(features.regress(pi, labels, 0.7, ridge=1e-14), fitted, atol=1e-8)


def pairs_in_proportion(counts: np.ndarray, other: np.ndarray) -> np.ndarray:
    """Ordered pairs (y, y') repeated counts[y] * other[y'] times."""
    return np.array(
        [
            (y, z)
            for y, z in itertools.product(range(len(counts)), repeat=2)
            for _ in range(counts[y] * other[z])
        ],
        dtype=np.int32,
    )


def fitted_from(game, pi, pairs, label):
    labels = np.array([label(y, z) for y, z in pairs])
    evidence = Labels(pairs[None, None], labels[None, None], np.exp(pi))
    return np.exp(DuelArena(game).regress(pi, evidence, 0.9, ridge=1e-14))[0, 0]


def test_pair_labels_agree_with_third_labels_only_on_policy():
    rng = np.random.default_rng(0)
    game = random_game(rng, 4)
    counts = np.array([1, 2, 3, 2])
    pi = DuelArena(game).policy(counts / counts.sum())
    rates = game.P[0] @ np.exp(pi[0, 0])

    def pair_label(y, z):
        return game.P[0, y, z] - 0.5

    def third_label(y, z):
        return rates[y] - rates[z]

    on = pairs_in_proportion(counts, counts)
    np.testing.assert_allclose(
        fitted_from(game, pi, on, pair_label), fitted_from(game, pi, on, third_label), atol=1e-12
    )
    off = pairs_in_proportion(counts, np.array([4, 1, 1, 2]))
    biased = np.abs(fitted_from(game, pi, off, pair_label) - fitted_from(game, pi, off, third_label)).max()
    assert biased > 5e-3, "the INPO loss on off-policy pairs must be biased: this is the negative control"
    exact = np.exp(pg.TableArena(game).mirror_step(pi, pi, 0.9))[0, 0]
    np.testing.assert_allclose(fitted_from(game, pi, off, third_label), exact, atol=1e-10)


@pytest.mark.parametrize("sft", [0.0, 0.3])
def test_regression_minimises_its_objective(sft):
    from scipy.optimize import minimize

    rng = np.random.default_rng(1)
    game = random_game(rng, 5)
    arena = DuelArena(game, seed=3)
    buffer = arena.collect(arena.empty_buffer(), arena.reference, arena.uniform, pairs=6)
    evidence = arena.label(buffer, arena.reference, pairs=7)
    ridge, step = 1e-2, 1.3
    pairs, labels = evidence.pairs[0, 0], evidence.labels[0, 0]

    def objective(d):
        log_pi = arena.reference[0, 0] + d
        log_pi = log_pi - np.logaddexp.reduce(log_pi)
        error = d[pairs[:, 0]] - d[pairs[:, 1]] - step * labels
        return (error**2).mean() + ridge * (d**2).sum() - sft * game.reference[0] @ log_pi

    best = minimize(objective, np.zeros(5), tol=1e-14, options={"gtol": 1e-10}).x
    expected = arena.reference[0, 0] + best
    expected -= np.logaddexp.reduce(expected)
    got = arena.regress(arena.reference, evidence, step, sft=sft, ridge=ridge)[0, 0]
    # two Newton steps solve the strictly convex SFT problem to this precision, the square exactly
    np.testing.assert_allclose(got, expected, atol=1e-6 if sft == 0 else 2e-3)


def test_few_pairs_and_many_pairs_solve_the_same_problem():
    """The smaller of two linear systems is solved: that of the pairs, or that of the responses."""
    rng = np.random.default_rng(5)
    prior = np.log(rng.dirichlet(np.ones(6), size=(3, 1)))
    for m in (3, 5, 6, 20):
        pairs = rng.integers(0, 6, (3, 1, m, 2)).astype(np.int32)
        labels, step = rng.standard_normal((3, 1, m)), np.array([0.5, 1.0, 2.0])
        table = fit_kernels.regress_table(prior, pairs, labels, step, 1e-3)
        general = fit_kernels.regress(prior, np.eye(6)[None], pairs, labels, step, 1e-3, 0.0, np.exp(prior))
        np.testing.assert_allclose(table, general, atol=1e-9)


def test_duels_have_the_expected_frequencies_drawn_one_by_one_or_as_counts():
    game = random_game(np.random.default_rng(2), 4)
    arena = DuelArena(game, runs=400, seed=5)
    first, second = arena.policy([0.1, 0.2, 0.3, 0.4]), arena.policy([0.4, 0.4, 0.1, 0.1])
    met = np.exp(first[0, 0])[:, None] * np.exp(second[0, 0])[None, :] * game.P[0]
    expected = met + (np.exp(second[0, 0])[:, None] * np.exp(first[0, 0])[None, :]) * game.P[0]
    for times in (10, 1000):  # below and above Y * Y
        wins = arena.at(0, times).duel(first, second).wins
        assert (wins.sum(axis=(1, 2, 3)) == times).all()
        pooled = wins.sum(axis=(0, 1))
        off = ~np.eye(4, dtype=bool)
        chi = ((pooled - 400 * times * expected)[off] ** 2 / (400 * times * expected)[off]).sum()
        assert stats.chi2.sf(chi, off.sum()) > 1e-4


@pytest.mark.parametrize(("n", "p"), [(1, 0.5), (9, 0.3), (60, 0.5), (10**5, 2e-5), (10**9, 0.999)])
def test_binomial_draws(n, p):
    key = np.uint64(12345)
    draws, index = [], 0
    for _ in range(3000):
        k, index = duel_kernels.binomial(n, p, key, index)
        draws.append(k)
    z = (np.mean(draws) - n * p) / np.sqrt(n * p * (1 - p) / len(draws))
    ratio = np.var(draws) / (n * p * (1 - p))
    assert abs(z) < 4.5 and abs(ratio - 1) < 0.15
    assert min(draws) >= 0 and max(draws) <= n


def test_binomial_has_no_freedom_at_the_ends():
    assert duel_kernels.binomial(7, 0.0, np.uint64(1), 0)[0] == 0
    assert duel_kernels.binomial(7, 1.0, np.uint64(1), 0)[0] == 7
    assert duel_kernels.binomial(0, 0.4, np.uint64(1), 0)[0] == 0


def test_labels_are_unbiased_for_pairs_of_any_origin():
    game = random_game(np.random.default_rng(8), 3)
    arena = DuelArena(game, runs=3000, seed=1)
    buffer = arena.collect(arena.empty_buffer(), arena.policy([1, 0, 0]), arena.policy([0, 0, 1]), pairs=2)
    opponent = arena.policy([0.2, 0.5, 0.3])
    evidence = arena.label(buffer, opponent, pairs=1, comparators=2)
    assert (evidence.pairs == [0, 2]).all()
    rates = game.P[0] @ [0.2, 0.5, 0.3]
    labels = evidence.labels.ravel()
    assert abs(labels.mean() - (rates[0] - rates[2])) < 4.5 * labels.std() / np.sqrt(labels.size)


def test_the_buffer_keeps_the_inverse_of_what_it_saw():
    rng = np.random.default_rng(3)
    game = random_game(rng, 6)
    phi = rng.standard_normal((1, 6, 4))
    for arena in (DuelArena(game, runs=2, seed=2), DuelArena(game, runs=2, seed=2, features=phi)):
        buffer = arena.empty_buffer()
        for t in range(20):
            buffer = arena.at(t).collect(buffer, arena.reference, arena.uniform, pairs=3)
        features = arena.features[0]
        for s in range(2):
            counts = buffer.counts[s, 0]
            assert counts.sum() == 60
            G = np.eye(features.shape[1])
            for y, z in itertools.product(range(6), repeat=2):
                G += counts[y, z] * np.outer(features[y] - features[z], features[y] - features[z])
            np.testing.assert_allclose(buffer.inverse[s, 0], np.linalg.inv(G), atol=1e-9)
            pi = np.exp(arena.reference[0, 0])
            away = features - pi @ features
            widths = np.einsum("yd,de,ye->y", away, np.linalg.inv(G), away)
            chosen = np.argmax(np.exp(arena.least_known(buffer, arena.reference)[s, 0]))
            assert widths[chosen] >= widths.max() * (1 - 1e-9)


def test_an_unvisited_response_is_explored_first():
    arena = DuelArena(pg.games.hidden_rps(0.05), seed=0)
    seen, other = arena.policy([0.5, 0.5, 0, 0, 0]), arena.policy([0, 0.3, 0.7, 0, 0])
    buffer = arena.collect(arena.empty_buffer(), seen, other, pairs=50)
    assert np.argmax(arena.least_known(buffer, arena.reference)) in (3, 4)


def test_twenty_seeds_of_forty_are_twenty_seeds():
    game = pg.games.stack([pg.games.hidden_rps(0.1), pg.games.duel()])
    many, few = DuelArena(game, runs=40, seed=9).at(3), DuelArena(game, runs=20, seed=9).at(3)
    rest = DuelArena(game, runs=20, seed=9, first_run=20).at(3)
    for times in (1, 1000):
        wins = many.at(3, times).duel(many.reference, many.uniform).wins
        np.testing.assert_array_equal(wins[:20], few.at(3, times).duel(few.reference, few.uniform).wins)
        np.testing.assert_array_equal(wins[20:], rest.at(3, times).duel(rest.reference, rest.uniform).wins)
    assert not np.array_equal(wins[:20], wins[20:])


def test_bits_are_counted():
    arena = DuelArena(pg.games.stack([pg.games.dice(), pg.games.duel()]), runs=3).at(0)
    arena.duel(arena.reference, arena.reference)
    assert arena.bits == 2  # one per prompt
    buffer = arena.collect(arena.empty_buffer(), arena.reference, arena.reference, pairs=5)
    assert arena.bits == 2  # meeting is free
    arena.label(buffer, arena.reference, pairs=4, comparators=3)
    assert arena.bits == 2 + 2 * 4 * 3 * 2
    assert arena.at(1).bits == 0


def test_features_of_the_wrong_shape_are_refused():
    with pytest.raises(ValueError, match=r"shape \[1, 3, D\], got \[3, 2\]"):
        DuelArena(pg.games.dice(), features=np.zeros((3, 2)))
