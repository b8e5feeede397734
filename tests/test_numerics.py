"""The shared arithmetic: against independent formulas, at the extremes, and compiled against NumPy."""

import numpy as np
import pytest
from scipy import special

from pgames import numerics
from pgames.kernels import rows

RNG = np.random.default_rng(0)


@pytest.mark.parametrize("size", [1e-3, 1.0, 1e6])
def test_normalise_and_softmax_are_those_of_scipy(size):
    logits = size * RNG.normal(size=(3, 4, 7))
    logits[0, 0, :3] = -np.inf
    close = {"rtol": 1e-13, "atol": 1e-13}
    np.testing.assert_allclose(numerics.normalise(logits), special.log_softmax(logits, axis=-1), **close)
    np.testing.assert_allclose(numerics.softmax(logits), special.softmax(logits, axis=-1), **close)


@pytest.mark.parametrize("n", [1, 2, 7, 8, 129])
def test_the_compiled_forms_agree(n):
    logits = 30 * RNG.normal(size=n)
    compiled = np.append(logits, np.nan)  # only the first n entries are read
    rows.normalise(compiled, n)
    np.testing.assert_allclose(compiled[:n], numerics.normalise(logits), rtol=1e-13, atol=1e-13)
    np.testing.assert_allclose(rows.softmax(logits), numerics.softmax(logits), rtol=1e-13)


def test_the_sigmoid_keeps_the_sum_of_both_orders():
    values = np.concatenate([[-800.0, -1e-9, 0.0, 40.0], 10 * RNG.normal(size=100)])
    np.testing.assert_allclose(numerics.sigmoid(values), special.expit(values), rtol=0, atol=4e-16)
    both = numerics.sigmoid(values) + numerics.sigmoid(-values)
    np.testing.assert_array_equal(both, 1)


def test_the_divergence_is_that_of_its_definition():
    p, q = RNG.dirichlet(np.ones(6), 5), RNG.dirichlet(np.ones(6), 5)
    p[0, 0] = 0
    p /= p.sum(axis=-1, keepdims=True)
    expected = special.rel_entr(p, q).sum(axis=-1)
    np.testing.assert_allclose(numerics.kl(p, q), expected, atol=1e-15)
    np.testing.assert_allclose(numerics.kl_to_logs(p, np.log(q)), expected, atol=1e-15)


def test_a_tiny_divergence_keeps_its_digits():
    q, shift = np.full(2, 0.5), 1e-10
    p = q + np.array([shift, -shift])
    np.testing.assert_allclose(numerics.kl_to_logs(p, np.log(q)), 2 * shift**2, rtol=1e-5)


def test_mass_where_q_has_none_is_infinitely_far():
    p, q = np.array([0.5, 0.5, 0.0]), np.array([1.0, 0.0, 0.0])
    with np.errstate(divide="ignore"):
        assert numerics.kl(p, q) == numerics.kl_to_logs(p, np.log(q)) == np.inf


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ([[0.5, 0.5], [0.5, -0.5]], r"weights must hold probabilities, got -0\.5 at \[1, 1\]"),
        ([[0.5, np.nan]], r"got nan at \[0, 1\]"),
        ([[0.5, 0.5], [0.5, 0.6]], r"weights must sum to 1, got 1\.1 at \[1\]: divide it by its sum"),
        ([[0.0, 0.0]], r"got 0 at \[0\]: leave at least one entry above 0"),
        ([[np.inf, 0.0]], "got inf"),
    ],
)
def test_what_is_not_a_distribution(values, message):
    with pytest.raises(ValueError, match=message):
        numerics.check_distribution("weights", np.array(values))


def test_the_sums_of_distributions_are_returned():
    values = np.array([[0.5, 0.5 + 1e-9], [1.0, 0.0]])
    np.testing.assert_array_equal(
        numerics.check_distribution("p", values), values.sum(axis=-1, keepdims=True)
    )
