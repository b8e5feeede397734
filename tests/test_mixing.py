"""Simplices: policies as tables, mixtures, tilts and best responses, whatever the game."""

import numpy as np
import pytest

from pgames.mixing import Simplices

SUPPORT = np.array([[True, True, True], [True, False, True]])
TABLES = Simplices(2, SUPPORT)


def made(seed):
    p = np.random.default_rng(seed).random((2, 2, 3)) * SUPPORT
    return TABLES.policy(p / p.sum(axis=-1, keepdims=True))


def test_mixtures_in_probabilities_and_in_logarithms():
    a, b = made(0), made(1)
    w = np.array([0.25, 0.6])
    mixed = TABLES.mixture((w, a), (1 - w, b))
    v = w[:, None, None]
    np.testing.assert_allclose(np.exp(mixed), v * np.exp(a) + (1 - v) * np.exp(b), atol=1e-15)
    product = np.where(SUPPORT, np.exp(a) ** 1.5 / np.where(SUPPORT, np.exp(b), 1) ** 0.5, 0)
    blended = TABLES.geometric_mixture((1.5, a), (-0.5, b))
    np.testing.assert_allclose(np.exp(blended), product / product.sum(axis=-1, keepdims=True), atol=1e-15)


def test_weights_of_zero_are_uniform_over_the_game():
    p = np.exp(TABLES.geometric_mixture((np.array([0.0, 1.0]), made(0))))
    np.testing.assert_allclose(p[0], SUPPORT / SUPPORT.sum(axis=-1, keepdims=True), atol=1e-15)
    np.testing.assert_allclose(p[1], np.exp(made(0))[1], atol=1e-15)


def test_a_tilt_and_its_limit():
    a, score = made(0), np.random.default_rng(2).random((2, 2, 3))
    weights = np.exp(a) * np.exp(0.7 * score)
    tilted = np.exp(TABLES.tilt(a, score, 0.7))
    np.testing.assert_allclose(tilted, weights / weights.sum(axis=-1, keepdims=True), atol=1e-15)
    best = np.exp(TABLES.best_response(a, score))
    np.testing.assert_allclose(best, np.exp(TABLES.tilt(a, score, 1e5)), atol=1e-12)
    ties = np.exp(TABLES.best_response(a, np.zeros((2, 2, 3))))
    np.testing.assert_allclose(ties, np.exp(a), atol=1e-15)


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (
            lambda: TABLES.policy(np.ones((3, 2))),
            r"a policy .* has shape \[2, 2, 3\], got \[3, 2\]",
        ),
        (lambda: TABLES.policy([0.2, 0.3, 0.5]), "a policy has mass on a response whose reference prob"),
        (lambda: TABLES.mixture(), "a mixture needs at least one"),
        (lambda: TABLES.mixture((0.4, made(0))), "must be at least 0 and sum to 1, got 0.4"),
        (lambda: TABLES.tilt(made(0), np.ones(3), np.nan), "a weight or a step must be finite, got nan"),
        (lambda: TABLES.per_run(np.ones(3)), r"a number or float64\[2\], one per run, got shape \(3,\)"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
