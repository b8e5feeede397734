"""Runs never meet: 20 runs of 40 are 20 runs to the last bit, and a weight per run is that weight alone."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

import pgames as pg
from pgames import losses
from tests.support.tables import quick, tables


def answers(arena, probs, weight):
    """What every verb says, as arrays with the runs first."""
    a, b = (arena.policy(p) for p in probs)
    said = [
        arena.geometric_mixture((weight, a), (1 - weight, b)),
        arena.mixture((weight, a), (1 - weight, b)),
        arena.mirror_step(a, b, weight),
        arena.win_rate(a, b),
    ]
    if arena.game.responses > 64:  # too slow to fit
        return said
    pairs = arena.duel(a, b)
    return [
        *said,
        pairs.wins,
        arena.fit_pairs(a, pairs, losses.logistic, weight),
        arena.tilt(a, arena.fit_reward(pairs), weight),
    ]


@pytest.mark.parametrize("samples", [None, 6])
@pytest.mark.parametrize("responses", [2, 5, 16, 17, 64, 301])
def test_first_20_of_40_runs_are_20_runs(samples, responses):
    game = pg.games.uniform_random(responses, seed=responses)
    game = pg.games.stack([game, pg.games.comal3()]) if responses > 3 else game
    rng = np.random.default_rng(0)
    probs = [
        p / p.sum(axis=-1, keepdims=True)
        for p in rng.random((2, 40, game.prompts, responses)) * np.where(game.support, 1.0, 0.0)
    ]
    weights = rng.uniform(0.1, 0.9, 40)

    def said(runs):
        arena = pg.TableArena(
            game, runs=runs.stop - runs.start, seed=11, samples=samples, first_run=runs.start
        )
        return answers(arena.at(5), [p[runs] for p in probs], weights[runs])

    both, first, second = said(slice(0, 40)), said(slice(0, 20)), said(slice(20, 40))
    for whole, left, right in zip(both, first, second, strict=True):
        assert np.array_equal(whole, np.concatenate([left, right]), equal_nan=True)


@pytest.mark.parametrize("samples", [None, 4])
@pytest.mark.parametrize("solver", [pg.EGPO(0.1, 0.5), pg.ONPO(0.0, 1.0), pg.FictitiousPlay()], ids=repr)
def test_a_solver_on_20_of_40_runs_is_bit_identical(solver, samples):
    """Nothing differs between runs but their random streams; exact runs are all the same."""

    def policies(runs, first_run=0):
        arena = pg.TableArena(
            pg.games.cyclic(5, 0.8).with_reference([0.3, 0.1, 0.2, 0.3, 0.1]),
            runs=runs,
            seed=3,
            samples=samples,
            first_run=first_run,
        )
        return pg.solve(solver, arena, rounds=50).policy

    whole = policies(40)
    assert np.array_equal(whole[:20], policies(20))
    assert np.array_equal(whole[20:], policies(20, first_run=20))
    if samples:
        assert len(np.unique(whole, axis=0)) == 40


@quick
@given(tables(runs=3, policies=3), arrays(np.float64, 3, elements=st.floats(0.05, 0.95)))
def test_a_weight_per_run_is_that_weight_alone(table, weights):
    arena, (a, b, c), _ = table
    grid = (
        arena.mirror_step(a, b, weights),
        arena.geometric_mixture((weights, a), (1 - weights, c)),
        arena.mixture((weights, a), (1 - weights, c)),
        arena.tilt(a, b - c if np.isfinite(b).all() else np.zeros_like(b), weights),
    )
    for s, w in enumerate(map(float, weights)):
        alone = (
            arena.mirror_step(a, b, w),
            arena.geometric_mixture((w, a), (1 - w, c)),
            arena.mixture((w, a), (1 - w, c)),
            arena.tilt(a, b - c if np.isfinite(b).all() else np.zeros_like(b), w),
        )
        for many, one in zip(grid, alone, strict=True):
            assert np.array_equal(many[s], one[s])


@pytest.mark.parametrize("weight", [np.ones(2), np.ones((3, 1)), [0.1, 0.2]])
def test_a_weight_of_the_wrong_shape_is_refused(weight):
    arena = pg.TableArena(pg.games.comal3(), runs=3)
    for verb in (
        lambda: arena.mirror_step(arena.reference, arena.reference, weight),
        lambda: arena.geometric_mixture((weight, arena.reference), (1.0, arena.reference)),
        lambda: arena.mixture((weight, arena.reference), (1.0, arena.reference)),
    ):
        with pytest.raises(ValueError, match="one per run"):
            verb()


@pytest.mark.parametrize("weight", [np.nan, np.inf, np.array([0.5, np.nan, 0.5])])
def test_a_weight_that_is_no_number_is_refused(weight):
    arena = pg.TableArena(pg.games.comal3(), runs=3)
    for verb in (
        lambda: arena.tilt(arena.reference, np.zeros(3), weight),
        lambda: arena.geometric_mixture((weight, arena.reference), (1.0, arena.reference)),
        lambda: arena.mixture((weight, arena.reference), (1.0, arena.reference)),
    ):
        with pytest.raises(ValueError, match="must be finite, got"):
            verb()


@pytest.mark.parametrize("first", [0.0, np.array([1.0, 0.0, 2.0])])
def test_a_geometric_mixture_of_nothing_is_flat_within_the_game(first):
    arena = pg.TableArena(pg.games.comal3().with_reference([0.9, 0.1, 0.0]), runs=3)
    for terms in ([(first, arena.reference)], [(first, arena.reference), (0.0, arena.reference)]):
        made = arena.probs(arena.geometric_mixture(*terms))
        np.testing.assert_allclose(made[1], [[0.5, 0.5, 0.0]], atol=1e-15)
        assert not made[..., 2].any()
    if np.ndim(first):
        np.testing.assert_array_equal(made[0], arena.probs(arena.reference)[0])


@pytest.mark.parametrize("weights", [(0.0, 0.0), (0.3, 0.3), (-0.3, 1.3), (np.array([0.5, 0.4, 0.5]), 0.5)])
def test_a_mixture_that_is_no_distribution_is_refused(weights):
    arena = pg.TableArena(pg.games.comal3(), runs=3)
    with pytest.raises(ValueError, match="sum to 1"):
        arena.mixture(*((weight, arena.reference) for weight in weights))
