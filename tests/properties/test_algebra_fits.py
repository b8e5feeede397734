"""Mirror steps and fits are optimal, against numeric optimisers; which labels recover which win rate."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

import pgames as pg
from pgames import losses
from tests.support.tables import close, quick, tables


@settings(quick, max_examples=15)
@given(tables(runs=1, policies=2, prompts=st.just(1), responses=st.integers(2, 4)), st.floats(0.05, 10))
def test_mirror_step_beats_a_numeric_optimiser(table, step):
    arena, (prior, opponent), (p, q) = table
    inside = p[0, 0] > 0
    rates = (arena.game.P[0] @ q[0, 0])[inside]

    def loss(pi):
        ratio = np.log(np.maximum(pi, 1e-300) / p[0, 0, inside])
        return -(pi @ rates) + (pi @ ratio) / step

    ours = arena.probs(arena.mirror_step(prior, opponent, step))[0, 0, inside]
    found = minimize(
        loss,
        np.full(inside.sum(), 1 / inside.sum()),
        method="SLSQP",
        bounds=[(1e-12, 1)] * inside.sum(),
        constraints={"type": "eq", "fun": lambda pi: pi.sum() - 1},
        options={"ftol": 1e-14, "maxiter": 500},
    )
    theirs = found.x / found.x.sum()
    assert loss(ours) <= loss(theirs) + 1e-12
    close(ours, theirs, 1e-3)


LOSSES = [losses.logistic, losses.squared, losses.exponential, losses.truncated_square, losses.hinge(0.05)]


@pytest.mark.parametrize("loss", LOSSES, ids=lambda loss: loss.name)
@pytest.mark.parametrize("seed", range(3))
def test_fit_pairs_beats_a_numeric_optimiser(loss, seed):
    rng = np.random.default_rng(seed)
    game = pg.PreferenceGame(pg.games.uniform_random(4, seed).P * 0.8 + 0.1)
    arena = pg.TableArena(game)
    prior, first, second = (arena.policy(rng.dirichlet(np.full(4, 2.0))) for _ in range(3))
    beta = 0.7
    wins = (arena.duel(first, second) + arena.duel(second, prior)).wins[0, 0]

    def objective(log_ratio):
        margins = beta * (log_ratio[:, None] - log_ratio[None, :])
        return (wins * loss.value(margins))[~np.eye(4, dtype=bool)].sum()

    fitted = arena.fit_pairs(prior, pg.PairCounts(wins[None, None]), loss, beta)
    ours = (fitted - prior)[0, 0]
    found = minimize(
        lambda d: objective(np.append(d, 0.0)), np.zeros(3), method="BFGS", options={"gtol": 1e-9}
    )
    theirs = np.append(found.x, 0.0)
    assert objective(ours) <= objective(theirs) + 1e-9
    if loss.name in ("logistic", "squared", "exponential"):  # strictly convex: one minimiser
        close(ours - ours[-1], theirs, 1e-4)


def test_reward_of_a_bradley_terry_game_is_its_score():
    scores = np.array([0.3, -1.0, 2.0, 0.0])
    arena = pg.TableArena(pg.games.bradley_terry(scores))
    reward = arena.fit_reward(arena.duel(arena.reference, arena.policy([0.4, 0.3, 0.2, 0.1])))[0, 0]
    close(reward - reward.mean(), scores - scores.mean(), 1e-8)


@pytest.mark.parametrize("runs", [1, 3])
def test_fits_take_numbers_and_one_value_per_run(runs):
    arena = pg.TableArena(pg.games.comal3(), runs=runs)
    pairs = arena.duel(arena.reference, arena.reference)
    single = arena.fit_pairs(arena.reference, pairs, losses.logistic, 0.5)
    grid = arena.fit_pairs(arena.reference, pairs, losses.logistic, np.full(runs, 0.5))
    close(arena.probs(single), arena.probs(grid), 0)


def test_best_response_is_the_limit_and_breaks_ties_by_the_prior():
    P = [[0.5, 0.7, 0.7, 0.7], [0.3, 0.5, 0.9, 0.1], [0.3, 0.1, 0.5, 0.1], [0.3, 0.9, 0.9, 0.5]]
    arena = pg.TableArena(pg.PreferenceGame(P, [0.1, 0.2, 0.3, 0.4]))
    opponent = arena.policy([0.0, 0.0, 1.0, 0.0])  # 1 and 3 win 0.9 against it
    best = arena.probs(arena.mirror_step(arena.reference, opponent, np.inf))[0, 0]
    close(best, [0, 1 / 3, 0, 2 / 3], 1e-15)
    close(arena.probs(arena.mirror_step(arena.reference, opponent, 1e4))[0, 0], best, 1e-11)


@quick
@given(tables(policies=2))
def test_best_response_wins_at_least_as_much_as_anything(table):
    arena, (prior, opponent), (p, _) = table
    best = arena.mirror_step(prior, opponent, np.inf)
    rates = np.einsum("xyz,sxz->sxy", arena.game.P, arena.probs(opponent))
    top = np.where(p > 0, rates, -np.inf).max(axis=-1) @ arena.game.prompt_weights
    close(arena.win_rate(best, opponent), top)


# -- the label routes ------------------------------------------------------------------------------------


@settings(quick, max_examples=20)
@given(tables(policies=3, responses=st.integers(2, 5)), st.floats(0.1, 5))
def test_pair_labels_recover_the_win_rate_against_their_own_sampler(table, eta):
    """The squared loss on pairs from mu recovers eta P mu, so it is a mirror step iff mu is the opponent."""
    arena, (prior, opponent, mu), _ = table
    fitted = arena.fit_pairs(prior, arena.duel(mu, mu), losses.squared, 1 / eta)
    close(arena.probs(fitted), arena.probs(arena.mirror_step(prior, mu, eta)), 1e-6)
    fitted = arena.fit_pairs(prior, arena.duel(opponent, opponent), losses.squared, 1 / eta)
    close(arena.probs(fitted), arena.probs(arena.mirror_step(prior, opponent, eta)), 1e-6)


def test_pair_labels_of_another_sampler_miss_the_opponent():
    """Negative control: pairs drawn from anything but the opponent give a step against the wrong policy."""
    arena = pg.TableArena(pg.games.comal3())
    opponent, mu = arena.policy([0.7, 0.2, 0.1]), arena.policy([0.1, 0.3, 0.6])
    target = arena.probs(arena.mirror_step(arena.reference, opponent, 1.0))
    pairs = {
        "sampler = opponent": arena.duel(opponent, opponent),
        "sampler = mu": arena.duel(mu, mu),
        "mu against opponent": arena.duel(mu, opponent),
    }
    off = {
        name: np.abs(arena.probs(arena.fit_pairs(arena.reference, seen, losses.squared, 1.0)) - target).max()
        for name, seen in pairs.items()
    }
    assert off["sampler = opponent"] < 1e-9
    assert off["sampler = mu"] > 0.05
    assert off["mu against opponent"] > 0.01


def test_third_sample_labels_recover_the_opponent_from_any_sampler():
    """Labels z(y, y'') - z(y', y''), y'' from the opponent: eta P opponent, whatever the pairs' sampler."""
    arena = pg.TableArena(pg.games.biased_rps())
    opponent, mu = np.array([0.7, 0.2, 0.1]), np.array([0.1, 0.3, 0.6])
    rates = arena.game.P[0] @ opponent
    label = rates[:, None] - rates[None, :]  # in [-1, 1]: as a win probability, (1 + label) / 2
    wins = np.outer(mu, mu) * (1 + label) / 2
    fitted = arena.fit_pairs(arena.reference, pg.PairCounts(wins[None, None]), losses.squared, 1.0)
    half = arena.mirror_step(arena.reference, arena.policy(opponent), 0.5)  # the label is half a logit
    close(arena.probs(fitted), arena.probs(half), 1e-9)
