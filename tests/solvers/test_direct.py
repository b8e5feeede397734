"""XPO, VPO, SELM: their fits against a numeric optimiser, their optimism, and the flipped sign without it."""

import numpy as np
import pytest
from scipy.optimize import minimize

import pgames as pg
from pgames.loop import solve
from pgames.losses import logistic
from pgames.regret.simulate import simulate
from pgames.solvers.direct import SELM, VPO, XPO
from pgames.table.duels import DuelArena

BOUND = 3.0


def loss(r, prior, wins, counts, weight, beta):
    """The objective, written down plainly."""
    margin = r[:, None] - r[None, :]
    log_pi = prior + r / beta
    log_pi = log_pi - np.logaddexp.reduce(log_pi)
    return (wins * np.logaddexp(0, -margin)).sum() + weight * counts @ log_pi


def fitted(prior, wins, counts, weight, beta):
    """(scores, objective) of the arena's fit."""
    arena = DuelArena(pg.PreferenceGame(np.full((prior.size, prior.size), 0.5), np.exp(prior)))
    pairs, samples = arena.no_duels(), arena.no_samples()
    pairs.wins[0, 0], samples.counts[0, 0] = wins, counts
    policy = arena.fit_pairs(
        arena.reference, pairs, logistic, beta, samples=samples, weight=weight, bound=BOUND
    )
    r = beta * (policy[0, 0] - prior)
    r = r - (r.max() + r.min()) / 2
    assert np.abs(r).max() <= BOUND + 1e-9
    return r, loss(r, prior, wins, counts, weight, beta)


@pytest.mark.parametrize("weight", [-0.5, -0.02, 0.0, 0.01, 0.1, 1.0])
@pytest.mark.parametrize("seed", range(8))
def test_the_fit_is_as_good_as_a_numeric_optimiser_from_many_starts(weight, seed):
    rng = np.random.default_rng(seed)
    Y, beta = int(rng.integers(2, 6)), rng.choice([0.05, 0.2, 1.0])
    prior = np.log(rng.dirichlet(np.full(Y, 0.5)) + 1e-3)
    prior = prior - np.logaddexp.reduce(prior)
    wins = rng.poisson(2, (Y, Y)) * (rng.random((Y, Y)) < 0.6)
    counts = rng.poisson(3, Y)
    problem = (prior, wins.astype(float), counts.astype(float), weight, beta)
    _, ours = fitted(*problem)
    starts = [np.zeros(Y), *rng.uniform(-BOUND, BOUND, (8, Y))]
    theirs = [minimize(loss, start, problem, bounds=[(-BOUND, BOUND)] * Y).fun for start in starts]
    assert ours <= min(theirs) + 1e-7 * (1 + abs(min(theirs)))


def test_at_weight_zero_it_is_the_fit_without_samples():
    rng = np.random.default_rng(0)
    arena = DuelArena(pg.PreferenceGame(np.full((4, 4), 0.5)), runs=5)
    pairs, samples = arena.no_duels(), arena.no_samples()
    pairs.wins[:] = rng.integers(3, 9, pairs.wins.shape)
    plain = arena.fit_pairs(arena.reference, pairs, logistic, 0.3)
    boxed = arena.fit_pairs(arena.reference, pairs, logistic, 0.3, samples=samples)
    np.testing.assert_allclose(boxed, plain, atol=1e-8)


def test_samples_come_from_the_policy():
    game = pg.PreferenceGame(np.full((2, 3, 3), 0.5), [[0.2, 0.8, 0.0], [0.5, 0.25, 0.25]])
    arena = DuelArena(game, runs=3000, seed=2)
    one = arena.sample(arena.reference)
    assert (one.counts.sum(axis=-1) == 1).all()
    np.testing.assert_allclose(one.counts.mean(axis=0), game.reference, atol=0.04)
    many = arena.at(1, rounds=50).sample(arena.reference)
    assert (many.counts.sum(axis=-1) == 50).all() and (many.counts[:, 0, 2] == 0).all()
    np.testing.assert_allclose(many.counts.mean(axis=0) / 50, game.reference, atol=0.01)
    assert arena.bits == 0


def rare(tau, win, kappa=0.5):
    """Two responses, the first of reference probability exp(-kappa / tau)."""
    return pg.PreferenceGame([[0.5, win], [1 - win, 0.5]], [np.exp(-kappa / tau), 1 - np.exp(-kappa / tau)])


def chosen(learner, game, rounds=300, runs=20):
    arena = DuelArena(game, runs)
    state = solve(learner, arena, rounds)
    pairs = state.memory[0].wins[:, 0]
    return np.exp(state.policy)[:, 0, 0], pairs[:, 0, 1] + pairs[:, 1, 0]


def test_optimism_meets_the_rare_response_and_the_flipped_sign_does_not():
    tau, game = 0.05, rare(0.05, 0.8)
    policy, met = chosen(XPO(tau, 0.002), game)
    assert (policy > 0.99).all() and (met > 100).all()
    for blind in (XPO(tau, 0.002, optimism=False), XPO(tau, 0.0)):
        policy, met = chosen(blind, game)
        assert np.median(policy) < 0.01 and np.median(met) == 0


def test_xpo_gives_a_bad_rare_response_up_while_vpo_never_compares_it():
    tau, game = 0.05, rare(0.05, 0.2)
    policy, met = chosen(XPO(tau, 0.002), game, rounds=1000)
    assert (policy < 0.01).mean() > 0.8 and (met > 0).all()
    policy, met = chosen(VPO(tau, 1.0), game)
    assert (policy > 0.99).mean() > 0.8 and np.median(met) == 0


def test_xpo_tends_to_the_optimum_of_the_bradley_terry_reward():
    tau, scores = 1.0, np.array([0.8, 0.0, -0.5])
    game = pg.games.bradley_terry(scores)
    arena = DuelArena(game, 4, seed=1)
    policy = np.exp(solve(XPO(tau, 1e-4), arena, 6000).policy).mean(axis=0)[0]
    target = np.exp(scores / tau) / np.exp(scores / tau).sum()
    np.testing.assert_allclose(policy, target, atol=0.03)


@pytest.mark.parametrize("learner", [XPO(0.1, 0.01), VPO(0.1, 1.0), SELM(0.1, 0.01)])
def test_they_run_in_the_engine_one_bit_a_round_reproducibly(learner):
    game = pg.games.hidden_rps(0.1)
    many, few = simulate(learner, game, 60, seeds=6), simulate(learner, game, 60, seeds=2)
    np.testing.assert_array_equal(many.regret[:2], few.regret)
    assert many.bits[-1] == 60
    lazy = simulate(learner, game, 2000, seeds=2, refresh=1.1)
    assert lazy.bits[-1] == 2000 and np.isfinite(lazy.regret).all()


def test_bad_input():
    with pytest.raises(ValueError, match="alpha must be finite and at least 0, got -1"):
        XPO(0.1, -1)
    with pytest.raises(ValueError, match="bound must be finite and above 0, got 0"):
        SELM(0.1, 0.1, bound=0)
    with pytest.raises(ValueError, match="tau must be finite and above 0"):
        VPO(0.0, 0.1)
    arena = DuelArena(pg.games.cyclic(3))
    with pytest.raises(ValueError, match="samples need the logistic loss, got squared"):
        arena.fit_pairs(arena.reference, arena.no_duels(), pg.losses.squared, 0.1, samples=arena.no_samples())


class Noting(DuelArena):
    """A DuelArena that notes what is fitted: the weight, and the policy whose samples it goes on."""

    def __init__(self, game):
        super().__init__(game)
        self.noted = []

    def sample(self, policy):
        self.calibration = policy
        return super().sample(policy)

    def fit_pairs(self, prior, pairs, loss, beta, samples=None, weight=0.0, bound=3.0):
        self.noted.append((beta, weight, bound))
        return super().fit_pairs(prior, pairs, loss, beta, samples, weight, bound)


@pytest.mark.parametrize(
    ("learner", "weight"),
    [
        (XPO(0.2, 0.03), 0.03),
        (XPO(0.2, 0.03, optimism=False), -0.03),
        (VPO(0.2, 0.03), 0.03 * 0.2 / 8),
        (VPO(0.2, 0.03, optimism=False), -0.03 * 0.2 / 8),
        (SELM(0.2, 0.03), 0.03 * 0.2),
    ],
    ids=repr,
)
def test_the_weight_of_the_bonus_is_the_published_one(learner, weight):
    arena = Noting(rare(0.2, 0.7))
    state = learner.init(arena)._replace(t=7, policy=arena.policy([0.4, 0.6]))
    learner.step(arena, state)
    ((beta, got, bound),) = arena.noted
    assert (beta, bound) == (0.2, 3.0) and got == pytest.approx(weight, rel=1e-12)
    own = isinstance(learner, SELM)
    np.testing.assert_array_equal(arena.calibration, state.policy if own else arena.reference)
