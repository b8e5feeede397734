"""Where losses of compared pairs end: closed forms, published fixed points, and the games they get wrong."""

from __future__ import annotations

import numpy as np
import pytest

from pgames import (
    DPO,
    IPO,
    RLHF,
    SPIN,
    OnlineDPO,
    OnlineGPO,
    OnlineIPO,
    PreferenceGame,
    TableArena,
    bounds,
    games,
    iterate,
    nash,
    solve,
)
from pgames.counts import PairCounts
from pgames.losses import exponential, hinge, logistic, squared, truncated_square
from tests.support.oracles import RECORDED_GAMES, duality_gap, equilibrium, kl, softmax


def answer(solver, arena, rounds=1):
    return arena.probs(solve(solver, arena, rounds).policy)[0, 0]


# -- offline -----------------------------------------------------------------------------------------------


def test_ipo_is_the_soft_best_response_to_its_data_even_when_that_is_a_mistake():
    arena = TableArena(games.dice())
    data = arena.policy([0.6, 0.3, 0.1])
    ipo = answer(IPO(0.1, arena.duel(data, data)), arena)
    np.testing.assert_allclose(ipo, [0.3656, 0.2478, 0.3865], atol=5e-5)
    assert arena.exploitability(arena.policy(ipo))[0] > 100 * arena.exploitability(arena.reference)[0]


@pytest.mark.parametrize("tau", [0.2, 1.0, 5.0])
def test_dpo_and_rlhf_are_the_tilt_by_the_score_when_preferences_have_one(tau):
    score = np.array([0.3, -1.0, 0.8, 0.0])
    game = games.bradley_terry(score).with_reference([0.1, 0.2, 0.3, 0.4])
    expected = softmax(np.log(game.reference[0]) + score / tau)
    for solver in (DPO(tau), RLHF(tau)):
        np.testing.assert_allclose(answer(solver, TableArena(game)), expected, atol=1e-8)
    # otherwise the answer is not: the data policy matters, and it is not the Nash
    cycle = RECORDED_GAMES["COMAL3"]
    assert kl(nash(cycle, tau).policy, np.log(answer(DPO(tau), TableArena(cycle)))[None])[0] > 1e-4


def test_a_cycle_has_no_score():
    arena = TableArena(games.cyclic(5, 0.9))
    np.testing.assert_allclose(answer(RLHF(0.01), arena), np.full(5, 0.2), atol=1e-9)


def test_what_a_score_makes_of_a_cycle_depends_on_who_was_compared():
    arena = TableArena(games.cyclic(3, 0.9))
    evenly = arena.fit_reward(arena.duel(arena.reference, arena.reference))
    lopsided = PairCounts(np.array([[0, 8, 1], [8, 0, 1], [1, 1, 0]])[None, None] * arena.game.P)
    assert np.ptp(evenly) < 1e-9
    elo = arena.fit_reward(lopsided)[0, 0] * 400 / np.log(10)
    np.testing.assert_allclose(elo - elo.mean(), [136, -145, 9], atol=40)  # the published online Elo, +-33


# -- what a score gets wrong -------------------------------------------------------------------------------


def test_a_score_can_rank_second_who_beats_everybody():
    """arXiv:2607.04590: log-odds AB = AC = eps, BC = 5 eps; the score is (8/3, 10/3, 0) eps."""
    eps = 1e-3
    odds = eps * np.array([[0, 1, 1], [-1, 0, 5], [-1, -5, 0]])
    np.testing.assert_allclose(
        odds.mean(axis=1) - odds.mean(axis=1).min(), np.array([8 / 3, 10 / 3, 0]) * eps
    )
    arena = TableArena(PreferenceGame(1 / (1 + np.exp(-odds))))
    score = arena.fit_reward(arena.duel(arena.reference, arena.reference))[0, 0]
    np.testing.assert_allclose(score - score.min(), np.array([8 / 3, 10 / 3, 0]) * eps, rtol=1e-4)
    np.testing.assert_allclose(nash(arena.game).policy[0], [1, 0, 0], atol=1e-12)  # the game is not fooled


def test_the_best_policy_of_the_score_can_lose_to_the_best_policy_of_the_preference():
    """arXiv:2312.00886, appendix A: scores (0, log 9, log 2), pi_1 = 2 pi_2; it loses with 50/99."""
    P = games.bradley_terry([0.0, np.log(9), np.log(2)]).P[0]
    line = np.linspace(0, 1, 3_001)  # pi = (2 a, a, 1 - 3 a), a in [0, 1/3]
    policies = np.stack([2 * line / 3, line / 3, 1 - line], axis=1)
    by_score = policies[np.argmax(policies @ [0.0, np.log(9), np.log(2)])]
    rates = P @ by_score
    by_preference = policies[np.argmax(policies @ rates)]
    assert by_preference @ P @ by_score == pytest.approx(50 / 99, abs=1e-9)
    assert by_preference @ P @ policies.T == pytest.approx(np.maximum(by_preference @ P @ policies.T, 0.5))


@pytest.mark.parametrize("epsilon", [-0.3, -0.01, 0.01, 0.2])
def test_three_raters_move_the_nash_smoothly_and_the_score_by_jumps(epsilon):
    game = games.raters(epsilon)
    expected = [1 / 3 + epsilon / 2, 1 / 3 + epsilon / 2, 1 / 3 - epsilon]
    np.testing.assert_allclose(nash(game).policy[0], expected, atol=1e-9)
    arena = TableArena(game)
    best = int(np.argmax(arena.fit_reward(arena.duel(arena.reference, arena.reference))[0, 0]))
    assert best == (0 if epsilon < 0 else 1)


# -- online ------------------------------------------------------------------------------------------------

COMAL = RECORDED_GAMES["COMAL3"]
BETA = 0.5


@pytest.mark.parametrize(
    ("loss", "tau", "expected"),
    [
        (squared, BETA / 2, [0.248, 0.3727, 0.3793]),  # (beta m - 1)^2 is ours at tau = beta / 2
        (truncated_square, BETA / 2, [0.248, 0.3727, 0.3793]),
        (exponential, BETA, [0.252, 0.369, 0.379]),
        (logistic, BETA, [0.2805, 0.3155, 0.404]),
    ],
)
def test_the_online_family_on_a_cycle(loss, tau, expected):
    settled = answer(OnlineGPO(loss, tau, eta=0.1), TableArena(COMAL), 1500)
    decimals = 4 if loss is squared or loss is truncated_square else 3
    np.testing.assert_allclose(settled, expected, atol=0.6 * 10.0**-decimals)
    is_nash = kl(equilibrium(COMAL, BETA / 2), np.log(settled)[None])[0] < 1e-12
    assert is_nash == (loss in (squared, truncated_square))


@pytest.mark.parametrize("eta", [0.1, 0.5])
def test_the_online_hinge_does_not_settle(eta):
    def wandering(loss, tau):
        arena = TableArena(COMAL)
        path = [arena.probs(state.policy)[0, 0] for state in iterate(OnlineGPO(loss, tau, eta), arena, 400)]
        return np.ptp(path[200:], axis=0).max()

    assert wandering(hinge(), BETA) > 0.05
    assert wandering(logistic, BETA) < 1e-4


def test_online_dpo_on_two_responses_is_not_the_nash():
    """arXiv:2403.08635, appendix F: P = 0.7, uniform reference, tau = 1."""
    arena = TableArena(games.duel(0.7))
    np.testing.assert_allclose(answer(OnlineDPO(1.0), arena, 50), [0.7, 0.3], atol=1e-9)
    np.testing.assert_allclose(nash(arena.game, 1.0).policy[0], [0.5498, 0.4502], atol=5e-5)
    np.testing.assert_allclose(answer(OnlineIPO(1.0), arena, 50), nash(arena.game, 1.0).policy[0], atol=1e-9)
    np.testing.assert_allclose(answer(RLHF(1.0), arena), [0.7, 0.3], atol=1e-9)


def test_the_online_dpo_fixed_point_solves_its_equation():
    """p(y > pi) = sum_y' pi(y') sigmoid(d_y - d_y') with d = tau log pi / ref."""
    arena = TableArena(COMAL)
    pi = answer(OnlineDPO(1.0, eta=0.3), arena, 600)
    d = np.log(pi / COMAL.reference[0])
    np.testing.assert_allclose(COMAL.P[0] @ pi, 1 / (1 + np.exp(d[None, :] - d[:, None])) @ pi, atol=1e-9)


# -- imitation ---------------------------------------------------------------------------------------------

EXPERT = np.array([0.1, 0.2, 0.3, 0.4])


def log_ratio_errors(lam, rounds):
    arena = TableArena(games.cyclic(4), expert=EXPERT)
    states = [SPIN(lam).init(arena), *iterate(SPIN(lam), arena, rounds)]
    ratios = np.array([state.policy[0, 0] for state in states]) - np.log(EXPERT)
    return ratios - ratios.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("lam", [0.6, 0.8, 1.0, 1.5, 4.0])
def test_spin_closes_the_log_ratio_to_the_expert_by_one_over_lam(lam):
    errors = log_ratio_errors(lam, 8)
    bound = bounds.spin(lam, np.abs(errors[0]).max())
    np.testing.assert_allclose(errors[1:], (1 - 1 / lam) ** np.arange(1, 9)[:, None] * errors[0], atol=1e-6)
    assert (np.abs(errors[1:]).max(axis=1) <= bound(np.arange(1, 9)) + 1e-6).all()


def test_spin_is_exact_in_one_round_at_lam_one_and_swings_out_below_one_half():
    assert np.abs(log_ratio_errors(1.0, 1)[1]).max() < 1e-6
    errors = log_ratio_errors(0.45, 4)
    sizes = np.abs(errors).max(axis=1)
    assert (np.diff(sizes) > 0).all()
    assert (np.sign(errors[1:]) == -np.sign(errors[:-1])).all()  # period two
    np.testing.assert_allclose(np.abs(log_ratio_errors(0.5, 3)).max(axis=1), sizes[0], rtol=1e-5)


def test_what_settles_is_least_exploitable_with_the_squared_loss():
    gap = {
        loss.name: duality_gap(COMAL, answer(OnlineGPO(loss, tau, 0.1), TableArena(COMAL), 1500), [BETA / 2])[
            0, 0
        ]
        for loss, tau in [(squared, BETA / 2), (exponential, BETA), (logistic, BETA)]
    }
    assert gap["squared"] < 1e-12 < gap["exponential"] < gap["logistic"]
