"""Rules of search on bandits: the policies that their visits approach, and published facts of mctx."""

import numpy as np
import pytest

import pgames as pg
from pgames.search.rules import Edges, considered_visits, mixed_value
from tests.support.token_games import bandits


def played(prior, value, rule, simulations, noise=None, own=0.5):
    """Visits float64[N, V] after each simulation, of actions whose values are known once visited."""
    visits, seen = np.zeros(len(prior)), []
    for i in range(simulations):
        node = visits @ value / visits.sum() if i else own
        mean = np.where(visits > 0, value, node)
        edges = Edges(prior, mean, visits, node, own, noise, i, simulations)
        visits[np.argmax(np.where(prior > 0, rule.scores(edges), -np.inf))] += 1
        seen.append(visits.copy())
    return np.array(seen)


@pytest.mark.parametrize("c", [0.5, 1.25, 3.0])
def test_visits_of_puct_stay_near_the_regularised_policy(c):
    worst, total = 0.0, np.arange(1, 1001)
    for prior, value in bandits():
        V = len(prior)
        known = known_from_the_start(prior, value, pg.PUCT(c), 1000)
        wanted = pg.regularised_policy(prior, value, c * np.sqrt(total) / (V + total))
        ours = (1 + known) / (V + total)[:, None]
        worst = max(worst, (np.abs(ours - wanted).max(axis=1) * (V + total) / (V - 1)).max())
    assert 0.5 < worst <= 1.25


def test_the_distance_of_visits_falls_with_their_number():
    distance = {10: [], 100: [], 1000: []}
    for prior, value in bandits():
        known = known_from_the_start(prior, value, pg.PUCT(1.25), 1000)
        for n, found in distance.items():
            wanted = pg.regularised_policy(prior, value, 1.25 * np.sqrt(n) / (len(prior) + n))
            found.append(0.5 * np.abs(known[n - 1] / n - wanted).sum())
    means = [np.mean(found) for found in distance.values()]
    np.testing.assert_allclose(means, [0.107, 0.013, 0.0017], rtol=0.1)


@pytest.mark.parametrize("step", [0.5, 2.0, 10.0])
def test_visits_of_tempered_converge_to_the_reverse_sibling_of_the_step(step):
    for prior, value in bandits()[:30]:
        visits = known_from_the_start(prior, value, pg.Tempered(step), 4000)[-1]
        np.testing.assert_allclose(visits / 4000, pg.regularised_policy(prior, value, 1 / step), atol=4e-3)
    if step == 10:
        forward = prior * np.exp(step * value)
        assert np.abs(visits / 4000 - forward / forward.sum()).max() > 0.02  # not the mirror step itself


def known_from_the_start(prior, value, rule, simulations):
    """`played` with the value of every action known before it is visited."""
    visits, seen = np.zeros(len(prior)), np.empty((simulations, len(prior)))
    for i in range(simulations):
        visits[np.argmax(rule.scores(Edges(prior, value, visits, 0.5, 0.5, None, i, simulations)))] += 1
        seen[i] = visits
    return seen


def test_actions_without_visits_have_the_value_of_their_node():
    """With 0 in its place a search of values near 1 never leaves the first action."""
    prior, value = np.full(4, 0.25), np.array([0.9, 0.92, 0.94, 0.96])
    assert (played(prior, value, pg.PUCT(0.25), 60)[-1] > 0).all()
    visits = np.zeros(4)
    for i in range(60):
        at = Edges(prior, np.where(visits > 0, value, 0.0), visits, 0.9, 0.5, None, i, 60)
        visits[np.argmax(pg.PUCT(0.25).scores(at))] += 1
    assert np.count_nonzero(visits) == 1


# -- Gumbel ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("actions", "budget", "start", "end"),
    [
        (8, 24, [0] * 8 + [1] * 4 + [2] * 4, [3, 3, 4, 4, 5, 5, 6, 6]),
        (8, 47, [0] * 8 + [1] * 4 + [2] * 4 + [3] * 4, [4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10]),
        (8, 2, [0, 0], []),
        (8, 13, [0] * 8 + [1] * 4, [2]),
        (7, 24, [0] * 7 + [1] * 3 + [2] * 3, [3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8]),
        (0, 16, list(range(16)), []),
        (1, 16, list(range(16)), []),
    ],
)
def test_the_schedule_of_halving_is_that_of_mctx(actions, budget, start, end):
    """The cases of mctx's own test of sequential halving, one of them cut short."""
    plan = considered_visits(actions, budget)
    assert len(plan) == budget
    assert list(plan[: len(start) + len(end)]) == start + end


def test_halving_visits_and_weighs_as_mctx_says():
    """mctx's test of its Gumbel policy: values of two allowed actions, 17 simulations."""
    logits, value = np.array([-np.inf, -1.0, 2.0, -np.inf]), np.array([20.0, 3.0, -1.0, 10.0])
    prior = np.exp(logits) / np.exp(logits).sum()
    rule, noise = pg.Halving(visit=60.0, scale=0.05), np.array([0.0, 1.3, -0.2, 2.0])
    visits = played(prior, value, rule, 17, noise, own=-5.0)[-1]
    assert sorted(visits) == [0, 0, 8, 9]
    edges = Edges(prior, np.where(visits > 0, value, 0.0), visits, 0.0, -5.0, noise, 17, 17)
    mixed = (-5.0 + 17 * (prior[1] * 3.0 + prior[2] * -1.0)) / 18
    assert mixed_value(edges) == pytest.approx(mixed, rel=1e-12)
    weights = prior * np.exp(np.where(visits > 0, (60 + 9) * 0.05 * value, (60 + 9) * 0.05 * mixed))
    np.testing.assert_allclose(rule.improved(edges), weights / weights.sum(), atol=1e-12)


def test_halving_splits_seventeen_simulations_of_four_actions_as_mctx_does():
    prior, value = np.exp([0.0, -1.0, 2.0, 3.0]), np.array([0.2, 0.3, 0.1, 0.9])
    visits = played(prior / prior.sum(), value, pg.Halving(), 17, np.zeros(4))[-1]
    assert sorted(visits) == [2, 2, 6, 7]


def test_few_simulations_of_halving_improve_and_those_of_puct_need_not():
    """4 simulations of 82 actions, mctx's demonstration: the mean improves, and at every bandit."""
    rng, gains = np.random.default_rng(0), []
    for _ in range(60):
        logits, value = rng.standard_normal(82), rng.random(82)
        prior = np.exp(logits) / np.exp(logits).sum()
        for noise in rng.gumbel(size=(5, 82)):
            own = prior @ value
            visits = played(prior, value, pg.Halving(), 4, noise, own)[-1]
            kept = np.where(visits == visits.max(), noise + logits + 50 * value, -np.inf)
            gains.append(value[np.argmax(kept)] - value[np.argmax(noise + logits)])
    assert min(gains) >= 0 and np.mean(gains) > 0.1
    prior, value = np.array([0.5, 0.3, 0.2]), np.array([0.0, 0.0, 1.0])
    visits = played(prior, value, pg.PUCT(), 2, own=prior @ value)[-1]
    assert value[np.argmax(visits)] < prior @ value


@pytest.mark.parametrize(
    ("make", "named"),
    [
        (lambda: pg.PUCT(0.0), "c"),
        (lambda: pg.PUCT(float("inf")), "c"),
        (lambda: pg.Tempered(-1.0), "step"),
        (lambda: pg.Halving(actions=0), "actions"),
        (lambda: pg.Halving(scale=float("nan")), "scale"),
        (lambda: pg.ExpertIteration(0), "simulations"),
    ],
)
def test_parameters_out_of_range_are_named(make, named):
    with pytest.raises(ValueError, match=rf"{named} must be"):
        make()
