"""Meta-solvers and matchmakers: closed forms, independent runs, and what they refuse."""

import numpy as np
import pytest

import pgames as pg
from pgames.population import (
    AlphaRank,
    Capped,
    Even,
    Everybody,
    Hard,
    Latest,
    Nash,
    Near,
    Replicator,
    Uniform,
    mixed,
)

RPS = pg.games.rock_paper_scissors().P
METAS = [Uniform(), Latest(), Nash(), Nash(0.1), Nash(select="max_entropy"), AlphaRank(5.0), Replicator()]
MATCHMAKERS = [Everybody(), Hard(), Hard(2.0), Even(), Capped(), Near(), Everybody(0.3), Even(1.0)]


def several(runs=4, members=5, seed=0):
    return np.stack([pg.games.random_skew(members, seed + s).P[0] for s in range(runs)])


@pytest.mark.parametrize("meta", METAS, ids=repr)
def test_weights_are_a_distribution_and_runs_are_independent(meta):
    rates = several()
    weights = meta(rates)
    assert weights.shape == (4, 5) and (weights >= 0).all()
    np.testing.assert_allclose(weights.sum(axis=1), 1, atol=1e-12)
    np.testing.assert_array_equal(weights[2:3], meta(rates[2:3]))


def test_what_each_meta_solver_makes_of_a_cycle_and_of_a_ranking():
    ranking = pg.games.bradley_terry([0.0, 1.0, 3.0]).P
    for meta in (Uniform(), Nash(), Nash(0.1), AlphaRank(5.0), Replicator()):
        np.testing.assert_allclose(meta(RPS), 1 / 3, atol=1e-9)
    np.testing.assert_allclose(Latest()(RPS), [[0, 0, 1]])
    np.testing.assert_allclose(Nash()(ranking), [[0, 0, 1]], atol=1e-9)
    assert AlphaRank(100.0)(ranking)[0, 2] > 0.99 and Replicator()(ranking)[0, 2] > 0.9


def test_the_nash_is_pgames_nash_and_alpha_rank_that_of_ratings():
    rates = several()
    for s, P in enumerate(rates):
        game = pg.PreferenceGame(P)
        np.testing.assert_array_equal(Nash()(rates)[s], pg.nash(game).policy[0])
        np.testing.assert_array_equal(Nash(0.2)(rates)[s], pg.nash(game, 0.2).policy[0])
        np.testing.assert_array_equal(AlphaRank(3.0)(rates)[s], pg.ratings.alpha_rank(P, 3.0).scores)


def test_the_average_of_replicator_dynamics_approaches_the_nash():
    """Regret bound of exponential weights: the gap of the average is at most (log K / dt + dt T / 8) / T."""
    rates = several(1, 6)
    for steps in (100, 1000, 10_000):
        weights = Replicator(steps, 0.1)(rates)[0]
        assert (rates[0] @ weights).max() - 0.5 <= np.log(6) / (0.1 * steps) + 0.1 / 8


def test_the_weights_of_matchmakers():
    """Member 0 wins .8 and .6; the formulas by hand."""
    P = np.array([[[0.5, 0.8, 0.6], [0.2, 0.5, 0.5], [0.4, 0.5, 0.5]]])
    np.testing.assert_allclose(Everybody()(P)[0, 0], [0, 1 / 2, 1 / 2])
    np.testing.assert_allclose(Everybody(0.3)(P)[0, 0], [0.3, 0.35, 0.35])
    np.testing.assert_allclose(Hard()(P)[0, 0], [0, 1 / 3, 2 / 3])
    np.testing.assert_allclose(Hard(2.0)(P)[0, 0], [0, 0.2, 0.8])
    np.testing.assert_allclose(Even()(P)[0, 0], [0, 0.4, 0.6])
    np.testing.assert_allclose(Capped()(P)[0, 1], [0.5, 0, 0.5])  # 1 - .2 is capped at a half
    R = pg.ratings.settled(P[0], prior=0.05).scores
    near = np.exp(-((R[0] - R) ** 2) / (2 * 100.0**2))
    np.testing.assert_allclose(Near(100.0)(P)[0, 0], [0, *(near[1:] / near[1:].sum())])


@pytest.mark.parametrize("match", MATCHMAKERS, ids=repr)
def test_rows_are_distributions_whatever_the_rates(match):
    """A member that always wins has no hard opponent: its row is uniform over the others, never NaN."""
    sure = np.array([[[0.5, 1, 1], [0, 0.5, 1], [0, 0, 0.5]]])
    for rates in (several(), sure, np.full((2, 3, 3), 0.5)):
        rows = match(rates)
        assert np.isfinite(rows).all() and (rows >= 0).all()
        np.testing.assert_allclose(rows.sum(axis=2), 1, atol=1e-12)
        np.testing.assert_array_equal(rows[:1], match(rates[:1]))
    np.testing.assert_array_equal(match(np.full((2, 1, 1), 0.5)), np.ones((2, 1, 1)))
    if isinstance(match, Hard):
        np.testing.assert_allclose(match(sure)[0, 0], [0, 0.5, 0.5])


@pytest.mark.parametrize("one", [*METAS, *MATCHMAKERS], ids=repr)
def test_rates_that_are_no_record_are_refused(one):
    unmet = np.array([[[0.5, np.nan], [np.nan, 0.5]]])
    with pytest.raises(ValueError, match="members 0 and 1 is unknown in run 0: let them play"):
        one(unmet)
    with pytest.raises(ValueError, match=r"shape \[S, K, K\], got \[3, 3\]"):
        one(np.full((3, 3), 0.5))
    with pytest.raises(ValueError, match=r"rates \+ rates' must be 1, got 0.7 and 0.7"):
        one(np.array([[[0.5, 0.7], [0.7, 0.5]]]))


@pytest.mark.parametrize(
    ("make", "told"),
    [
        (lambda: Nash(-1.0), "tau must be finite and at least 0"),
        (lambda: Nash(select="first"), "one of centre, max_entropy, closest"),
        (lambda: AlphaRank(-1.0), "alpha must be at least 0"),
        (lambda: AlphaRank(1.0, 1), "population at least 2"),
        (lambda: Replicator(0), "steps must be at least 1"),
        (lambda: Replicator(5, 0.0), "dt finite and above 0"),
        (lambda: Hard(0.0), "p must be finite and above 0"),
        (lambda: Near(-1.0), "width must be finite and above 0"),
        (lambda: Even(1.5), r"Even: self_play must be in \[0, 1\], got 1.5"),
    ],
)
def test_settings_out_of_range_are_refused(make, told):
    with pytest.raises(ValueError, match=told):
        make()


def test_members_are_mixed_by_run():
    arena = pg.TableArena(pg.games.rock_paper_scissors(), runs=2)
    members = [arena.policy(row) for row in np.eye(3)]
    weights = np.array([[0.2, 0.8, 0.0], [1.0, 0.0, 0.0]])
    np.testing.assert_allclose(np.exp(mixed(arena, weights, members))[:, 0], weights, atol=1e-15)
    with pytest.raises(ValueError, match=r"shape \[S, 3\], got \[2, 2\]"):
        mixed(arena, weights[:, :2], members)
