"""What the learners do on the reference instances: the tables of exploration.md, within their seed noise."""

import numpy as np
import pytest

import pgames as pg
from pgames.regret.simulate import simulate


def late_slope(curve, decade=10.0):
    mean = curve.regret.mean(axis=0)
    last = curve.rounds >= curve.rounds[-1] / decade
    return np.polyfit(np.log(curve.rounds[last]), np.log(mean[last]), 1)[0]


def mean_within(curve, expected, published_seeds, relative):
    """The published mean is itself one of few seeds: both errors count."""
    final = curve.regret[:, -1]
    error = final.std() * np.sqrt(1 / len(final) + 1 / published_seeds)
    assert abs(final.mean() - expected) < 3.5 * error + relative * expected, (final.mean(), error, expected)


@pytest.mark.parametrize(
    ("learner", "inverse_tau", "regret"),
    [  # section 5.2: T = 1e6, lazy 1.02, 40 seeds
        (pg.Optimistic, 10, 13.7),
        (pg.Optimistic, 30, 47.7),
        (pg.Optimistic, 50, 73.6),
        (pg.Enhancer, 10, 13.7),
        (pg.Enhancer, 50, 48.8),
        (pg.UniformAdversary, 20, 26.5),
        (pg.UniformAdversary, 50, 49.5),
        (pg.Greedy, 10, 14.0),
        (pg.Greedy, 20, 74.0),
        (pg.Greedy, 30, 703.0),
    ],
)
def test_regret_of_the_oracle_learners(learner, inverse_tau, regret):
    tau = 1 / inverse_tau
    curve = simulate(learner(tau), pg.games.hidden_rps(tau), 10**6, seeds=100, refresh=1.02, seed=1)
    mean_within(curve, regret, 40, 0.05)


def test_greedy_pays_exponentially_and_optimism_does_not():
    inverse = np.array([20, 30, 40, 50])
    games = [pg.games.hidden_rps(1 / i) for i in inverse]

    def log_regret(learner):
        return [
            np.log(simulate(learner(1 / i), game, 10**6, seeds=40, refresh=1.02).regret[:, -1].mean())
            for i, game in zip(inverse, games, strict=True)
        ]

    greedy, optimistic = log_regret(pg.Greedy), log_regret(pg.Optimistic)
    assert np.polyfit(inverse, greedy, 1)[0] == pytest.approx(0.187, abs=0.02)
    assert np.polyfit(np.log(inverse), optimistic, 1)[0] == pytest.approx(0.94, abs=0.15)


def test_the_mean_of_the_passive_learner_is_not_its_median():
    """Self-starvation: one lost first comparison, and the policy leaves the better response for long."""
    curve = simulate(pg.OnPolicyGreedy(0.05), pg.games.duel(0.75), 10**5, seeds=300, refresh=1.02)
    hopeful = simulate(pg.Optimistic(0.05), pg.games.duel(0.75), 10**5, seeds=300, refresh=1.02)
    final = curve.regret[:, -1]
    assert final.mean() > 20 * np.median(final)
    assert hopeful.regret[:, -1].mean() < 10


@pytest.mark.parametrize(("tau", "regrets"), [(0.1, (22, 68)), (1 / 15, (32, 106)), (1 / 30, (109, 317))])
def test_enpo_grows_like_the_square_root(tau, regrets):
    """Section 5.3; its own table is of 16 seeds."""
    curve = simulate(pg.ENPO(tau), pg.games.hidden_rps(tau), 10**4, seeds=40, seed=1)
    mean_within(curve, regrets[1], 16, 0.03)
    early = curve.regret[:, np.searchsorted(curve.rounds, 1000)]
    assert early.mean() == pytest.approx(regrets[0], rel=0.15)
    assert 0.44 < late_slope(curve) < 0.62


@pytest.mark.parametrize("learner", [pg.Passive, pg.DENPO])
def test_passive_and_denpo_grow_linearly(learner):
    tau = 1 / 35
    curve = simulate(learner(tau), pg.games.hidden_rps(tau), 5000, seeds=16, seed=1)
    assert late_slope(curve) == pytest.approx(1.0, abs=0.02)
    assert curve.regret[:, -1].mean() == pytest.approx(0.2 * 5000, rel=0.05)
    explored = simulate(pg.ENPO(tau), pg.games.hidden_rps(tau), 5000, seeds=16, seed=1)
    assert explored.regret[:, -1].mean() < 0.5 * curve.regret[:, -1].mean()


def test_the_root_is_the_schedules():
    """Section 5.5, 2: with the linear schedule the same method is logarithmic at moderate tau."""
    game = pg.games.hidden_rps(0.2)
    root = simulate(pg.ENPO(0.2, pg.Schedule("sqrt", 1.0)), game, 10**4, seeds=48)
    log = simulate(pg.ENPO(0.2, pg.Schedule("linear")), game, 10**4, seeds=48)
    assert late_slope(root) == pytest.approx(0.5, abs=0.06)
    assert late_slope(log) < 0.25


def test_the_sft_term_changes_nothing_measurable_on_tables():
    game = pg.games.hidden_rps(0.2)
    schedule = pg.Schedule("sqrt", 1.0)
    plain = simulate(pg.ENPO(0.2, schedule), game, 3000, seeds=12)
    for sft in (0.1, 1.0):
        curve = simulate(pg.ENPO(0.2, schedule, sft=sft), game, 3000, seeds=12)
        assert curve.regret[:, -1].mean() == pytest.approx(plain.regret[:, -1].mean(), rel=0.2)


def test_a_batch_below_the_threshold_never_escapes():
    """Section 5.3, the batch trap: at 1/tau = 30 the threshold is m* = tau exp(kappa / tau) / (2 g) = 17."""
    tau = 1 / 30
    game = pg.games.hidden_rps(tau)

    def final(m):
        learner = pg.Passive(tau, pairs=m, labels=m, keep=False, ridge=1e-6)
        curve = simulate(learner, game, 2000, seeds=8, seed=1)
        return curve.gap[:, -1].mean() / pg.exploitability(game, game.reference, tau)

    assert final(2) > 0.9
    assert final(128) < 0.1


@pytest.mark.parametrize("learner", [pg.OMG(0.1), pg.VMG(0.1), pg.ExploreThenCommit(0.1, explore=3000)])
def test_other_oracle_learners_end_near_the_nash(learner):
    game = pg.games.hidden_rps(0.1)
    curve = simulate(learner, game, 20_000, seeds=20, refresh=1.05)
    assert np.median(curve.gap[:, -1]) < 0.05 * pg.exploitability(game, game.reference, 0.1)


def test_denpo_with_a_heavy_anchor_is_passive():
    """beta -> infinity: the adversary is the policy itself."""
    game = pg.games.hidden_rps(0.1)
    tilted = simulate(pg.DENPO(0.1, beta=1e12), game, 300, seeds=200).regret[:, -1]
    passive = simulate(pg.Passive(0.1), game, 300, seeds=200).regret[:, -1]
    error = np.hypot(tilted.std(), passive.std()) / np.sqrt(200)
    assert abs(tilted.mean() - passive.mean()) < 4 * error


def test_clones_cost_the_uniform_adversary_and_not_the_enhancer():
    """Section 5.2's clone panel, with the groups known as features of a log-linear class."""
    tau, copies = 0.05, 40
    game = pg.games.clones(pg.games.hidden_rps(tau), [copies] * 3 + [1, 1])
    groups = np.repeat(np.eye(5), [copies] * 3 + [1, 1], axis=0)[None]
    blind = simulate(pg.ENPO(tau), game, 1500, seeds=6)
    knowing = simulate(pg.ENPO(tau), game, 1500, seeds=6, features=groups)
    assert knowing.regret[:, -1].mean() < 0.8 * blind.regret[:, -1].mean()


def test_learners_keep_the_mask():
    game = pg.games.stack([pg.games.hidden_rps(0.1), pg.games.duel()])
    for learner in (
        pg.ENPO(0.1),
        pg.DENPO(0.1),
        pg.Passive(0.1, loss="pair"),
        pg.Optimistic(0.1),
        pg.Enhancer(0.1),
    ):
        arena = pg.DuelArena(game, runs=2)
        policy = arena.probs(pg.solve(learner, arena, 30).policy)
        assert (policy[:, 1, 2:] == 0).all()
        np.testing.assert_allclose(policy.sum(axis=-1), 1, atol=1e-12)
