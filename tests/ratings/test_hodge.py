"""Hodge decomposition: orthogonal parts, energies that add up, published and constructed cases."""

import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import pgames as pg
from pgames import ratings
from pgames.votes.comparisons import Comparisons


def game_of_logits(table):
    upper = np.triu(np.asarray(table, float), 1)
    return pg.PreferenceGame(1 / (1 + np.exp(upper.T - upper)))


def sparse_votes(seed, items, pairs):
    rng = np.random.default_rng(seed)
    every = np.array(list(itertools.combinations(range(items), 2)))
    chain = np.array([(i, i + 1) for i in range(items - 1)])
    chosen = np.concatenate([chain, every[rng.choice(len(every), size=pairs, replace=False)]])
    chosen = chosen[rng.integers(len(chosen), size=20 * len(chosen))]
    chosen = np.concatenate([chain, chosen])
    return Comparisons(chosen[:, 0], chosen[:, 1], rng.integers(-1, 2, size=len(chosen)))


def inner(result, a, b):
    return float((result.weights * a * b).sum() / 2)


def test_published_reversal():
    """arXiv:2607.04590: item 0 beats both others, yet least squares on log-odds puts item 1 first."""
    result = ratings.hodge(game_of_logits([[0, 1, 1], [0, 0, 5], [0, 0, 0]]), scale="logit")
    np.testing.assert_allclose(result.scores - result.scores.min(), [8 / 3, 10 / 3, 0], atol=1e-13)
    assert result.ranking == ("1", "0", "2")


@given(st.integers(0, 10**6), st.integers(3, 12), st.integers(0, 3))
@settings(max_examples=30, deadline=None)
def test_parts_add_up_and_are_orthogonal(seed, items, pairs):
    result = ratings.hodge(sparse_votes(seed, items, pairs))
    parts = [result.gradient, result.rotation, result.harmonic]
    np.testing.assert_allclose(sum(parts), result.flow, atol=1e-12)
    whole = max(result.energy(result.flow), 1e-9)
    for a, b in itertools.combinations(parts, 2):
        assert abs(inner(result, a, b)) < 1e-9 * whole
    assert sum(result.energy(part) for part in parts) == pytest.approx(whole, rel=1e-8, abs=1e-9)
    for part in [*parts, result.flow]:
        np.testing.assert_allclose(part, -part.T, atol=1e-12)
    # the rest has no divergence, and the harmonic part no curl around any triangle
    divergence = (result.weights * (result.rotation + result.harmonic)).sum(1)
    np.testing.assert_allclose(divergence, 0, atol=1e-8)
    linked = result.weights > 0
    for i, j, k in itertools.combinations(range(len(result.items)), 3):
        if linked[i, j] and linked[j, k] and linked[i, k]:
            curl = result.harmonic[i, j] + result.harmonic[j, k] + result.harmonic[k, i]
            assert abs(curl) < 1e-6


def test_bradley_terry_has_no_rotation_on_the_logit_scale_only():
    scores = np.array([2.0, 0.3, -0.5, -1.8])
    game = pg.PreferenceGame(1 / (1 + np.exp(scores[None, :] - scores[:, None])))
    exact = ratings.hodge(game, scale="logit")
    np.testing.assert_allclose(exact.scores, scores, atol=1e-12)
    np.testing.assert_allclose(exact.rotation, 0, atol=1e-12)
    assert exact.transitive_share == pytest.approx(1) and exact.cycles == ()
    assert ratings.hodge(game).transitive_share < 0.999  # negative control


def test_a_pure_cycle_has_no_gradient():
    result = ratings.hodge(pg.PreferenceGame([[0.5, 0.9, 0.1], [0.1, 0.5, 0.9], [0.9, 0.1, 0.5]]))
    np.testing.assert_allclose(result.scores, 0, atol=1e-15)
    assert result.transitive_share == pytest.approx(0, abs=1e-20)
    assert result.cycles == (ratings.Cycle(("0", "1", "2"), pytest.approx(0.4)),)


def test_all_tied_is_transitive():
    assert ratings.hodge(pg.PreferenceGame(np.full((4, 4), 0.5))).transitive_share == 1.0


def test_a_cycle_of_four_around_a_hole_is_harmonic():
    votes = Comparisons([0, 1, 2, 3], [1, 2, 3, 0], [1, 1, 1, 1])
    result = ratings.hodge(votes)
    np.testing.assert_allclose(result.harmonic, result.flow, atol=1e-12)
    assert result.energy(result.rotation) < 1e-20 and result.transitive_share == pytest.approx(0, abs=1e-20)
    filled = votes + Comparisons([0], [2], [0])  # a diagonal makes two triangles of the hole
    result = ratings.hodge(filled)
    np.testing.assert_allclose(result.harmonic, 0, atol=1e-10)
    np.testing.assert_allclose(result.rotation, result.flow, atol=1e-10)


def test_scores_equal_numpy_least_squares():
    votes = sparse_votes(7, 9, 5)
    result = ratings.hodge(votes)
    rows, columns = np.nonzero(np.triu(result.weights))
    design = np.zeros((len(rows), 9))
    design[np.arange(len(rows)), rows], design[np.arange(len(rows)), columns] = 1, -1
    root = np.sqrt(result.weights[rows, columns])
    expected = np.linalg.lstsq(root[:, None] * design, root * result.flow[rows, columns], rcond=None)[0]
    np.testing.assert_allclose(result.scores, expected, atol=1e-12)


@pytest.mark.parametrize("most", [0, 1, 4, 1000])
def test_strongest_cycles_equal_enumeration(most):
    rng = np.random.default_rng(0)
    table = np.round(rng.random((8, 8)), 3)
    game = pg.PreferenceGame(table, symmetrise=True)
    flow = game.skew[0]
    found = []
    for i, j, k in itertools.permutations(range(8), 3):
        strength = min(flow[i, j], flow[j, k], flow[k, i])
        if i == min(i, j, k) and strength > 0:
            found.append(strength)
    cycles = ratings.strongest_cycles(game, most)
    np.testing.assert_allclose([c.strength for c in cycles], sorted(found, reverse=True)[:most], atol=1e-15)
    for (a, b, c), strength in cycles:
        i, j, k = int(a), int(b), int(c)
        assert min(flow[i, j], flow[j, k], flow[k, i]) == pytest.approx(strength)


def test_prompts_are_averaged_over_those_where_both_take_part():
    P = np.array(
        [[[0.5, 0.8, 0.9], [0.2, 0.5, 0.7], [0.1, 0.3, 0.5]], [[0.5, 0.4, 0.0], [0.6, 0.5, 0.0], [1, 1, 0.5]]]
    )
    game = pg.PreferenceGame(P, reference=[[1 / 3] * 3, [0.5, 0.5, 0]], prompt_weights=[0.25, 0.75])
    flow = ratings.hodge(game).flow
    np.testing.assert_allclose([flow[0, 1], flow[0, 2], flow[1, 2]], [0, 0.4, 0.2], atol=1e-15)


def test_what_cannot_be_decomposed_is_refused():
    apart = Comparisons([0, 2], [1, 3], [1, 1])
    with pytest.raises(ValueError, match="2 groups never compared"):
        ratings.hodge(apart)
    certain = Comparisons([0], [1], [1], ["a", "b"])
    with pytest.raises(
        ValueError, match="'a' always beat 'b', so the logit of that pair is infinite: pass prior"
    ):
        ratings.hodge(certain, scale="logit")
    assert ratings.hodge(certain, scale="logit", prior=0.5).flow[0, 1] == pytest.approx(np.log(3))
    with pytest.raises(ValueError, match="got 'log'"):
        ratings.hodge(certain, scale="log")  # type: ignore[arg-type]


def test_real_votes_have_cycles(shared_data):
    votes = Comparisons.read(shared_data / "evalica" / "llmfao.csv")
    result = ratings.hodge(votes)
    assert (result.weights == 0).sum() == 59 + 2 * 784
    assert result.energy(result.harmonic) < 1e-12 * result.energy(
        result.flow
    )  # 784 pairs never met, but no hole
    assert 0.3 < result.transitive_share < 0.9
    assert len(result.cycles) == 10 and result.cycles[0].strength >= result.cycles[9].strength > 0
