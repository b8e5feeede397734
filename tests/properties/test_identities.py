"""Algorithms of different names that are one map on a table, and the pairs of labels that are not."""

from __future__ import annotations

import numpy as np
import pytest

from pgames import (
    EGPO,
    INPO,
    IPOMD,
    MMD,
    MNPO,
    SPPO,
    FictitiousPlay,
    NashMD,
    OnlineIPO,
    State,
    TableArena,
    games,
    iterate,
    solve,
)
from pgames.counts import PairCounts
from pgames.losses import logistic, squared
from tests.support.oracles import RECORDED_GAMES, equilibrium, kl

GAME = games.stack(list(RECORDED_GAMES.values()))
INSIDE = GAME.support
TAUS, ETAS = np.array([0.01, 0.1, 1.0]), np.array([0.7, 0.5, 0.3])
RATES = [rate[:, None, None] for rate in (TAUS, ETAS)]


def normalised(logs):
    logs = np.where(INSIDE, logs, -np.inf)
    top = logs.max(axis=-1, keepdims=True)
    return logs - top - np.log(np.exp(logs - top).sum(axis=-1, keepdims=True))


def win_rates(logs):
    return np.einsum("xyz,sxz->sxy", GAME.P, np.exp(logs))


REFERENCE = normalised(np.log(np.where(INSIDE, GAME.reference, 1.0)))[None].repeat(3, axis=0)
PULL = np.where(INSIDE, REFERENCE, 0.0)  # finite, so that it can be multiplied by 0


def paper(update, rounds=50):
    """The policies of an update written out in NumPy, with -inf kept out of the sums."""
    logs, out = REFERENCE, []
    for t in range(rounds):
        logs = normalised(update(t, np.where(INSIDE, logs, 0.0), logs))
        out.append(np.exp(logs))
    return out


def same(solver, expected, atol=1e-12):
    arena = TableArena(GAME, runs=3)
    for state, policy in zip(iterate(solver, arena, len(expected)), expected, strict=True):
        np.testing.assert_allclose(arena.probs(state.policy), policy, atol=atol)


tau, eta = RATES


def test_sppo_is_multiplicative_weights():
    same(SPPO(ETAS), paper(lambda t, pi, logs: pi + eta * win_rates(logs)))


def test_inpo_is_mirror_descent_on_the_regularised_game():
    same(INPO(TAUS, ETAS), paper(lambda t, pi, logs: pi + eta * (win_rates(logs) - tau * (pi - PULL))))


def test_mmd_is_its_papers_implicit_step_and_inpo_with_a_shorter_one():
    implicit = paper(lambda t, pi, logs: (pi + eta * tau * PULL + eta * win_rates(logs)) / (1 + eta * tau))
    same(MMD(TAUS, ETAS), implicit)
    same(INPO(TAUS, ETAS / (1 + ETAS * TAUS)), implicit)


def test_nash_md_is_its_papers_step():
    def update(t, pi, logs):
        step = 2 / (tau * (t + 2))
        mixture = (1 - step * tau) * pi + step * tau * PULL
        return mixture + step * win_rates(normalised(mixture))

    same(NashMD(TAUS), paper(update))


def egpo(t, pi, logs):
    start = (1 - eta * tau) * pi + eta * tau * PULL
    return start + eta * win_rates(normalised(start + eta * win_rates(logs)))


def mirror_prox(t, pi, logs):
    """Nash-MP (arXiv:2505.19731): mirror-prox in which the KL term is implicit in both steps."""
    ahead = (pi + eta * tau * PULL + eta * win_rates(logs)) / (1 + eta * tau)
    return (pi + eta * tau * PULL + eta * win_rates(normalised(ahead))) / (1 + eta * tau)


def test_egpo_is_its_papers_extragradient():
    same(EGPO(TAUS, ETAS), paper(egpo))


def test_nash_mirror_prox_is_egpo_with_a_shorter_step():
    same(EGPO(TAUS, ETAS / (1 + ETAS * TAUS)), paper(mirror_prox))


def test_mnpo_with_one_past_policy_is_inpo():
    same(
        MNPO(TAUS, ETAS, past=1), paper(lambda t, pi, logs: pi + eta * (win_rates(logs) - tau * (pi - PULL)))
    )


def test_a_different_algorithm_is_told_apart():
    with pytest.raises(AssertionError):
        same(EGPO(TAUS, ETAS), paper(mirror_prox))
    with pytest.raises(AssertionError):
        same(MMD(TAUS, ETAS), paper(lambda t, pi, logs: pi + eta * (win_rates(logs) - tau * (pi - PULL))))


# -- fitted from pairs -------------------------------------------------------------------------------------

ONE = RECORDED_GAMES["rand10"]
ARENA = TableArena(ONE)
POLICY = solve(SPPO(0.5), ARENA, 25).policy


def test_online_ipo_with_a_step_is_inpo():
    arena = TableArena(ONE, runs=3)
    pairs = zip(iterate(OnlineIPO(TAUS, ETAS), arena, 20), iterate(INPO(TAUS, ETAS), arena, 20), strict=True)
    for fitted, exact in pairs:
        np.testing.assert_allclose(arena.probs(fitted.policy), arena.probs(exact.policy), atol=1e-10)


def test_online_ipo_minimised_every_round_is_the_smoothed_best_response():
    arena, taus = TableArena(ONE, runs=3), np.array([0.1, 0.3, 1.0])
    state = OnlineIPO(taus).init(arena)
    for _ in range(5):
        answer = arena.mirror_step(arena.reference, state.policy, 1 / taus)
        state = OnlineIPO(taus).step(arena, state)
        np.testing.assert_allclose(arena.probs(state.policy), arena.probs(answer), atol=1e-6)


def test_iterated_ipo_is_multiplicative_weights():
    fit = ARENA.fit_pairs(POLICY, ARENA.duel(POLICY, POLICY), squared, 1 / 0.5)
    np.testing.assert_allclose(
        ARENA.probs(fit), ARENA.probs(SPPO(0.5).step(ARENA, State(0, POLICY)).policy), atol=1e-9
    )


def test_direct_nash_optimisation_is_multiplicative_weights():
    """DNO (arXiv:2404.03715): logistic loss, soft label sigmoid(r(y) - r(y')) with r = P pi, step 1 / eta."""
    rates = ONE.P[0] @ ARENA.probs(POLICY)[0, 0]
    label = 1 / (1 + np.exp(rates[None, :] - rates[:, None]))
    fit = ARENA.fit_pairs(POLICY, PairCounts(label[None, None]), logistic, 1 / 0.5)
    np.testing.assert_allclose(ARENA.probs(fit), ARENA.probs(_step(0.5, POLICY)), atol=1e-5)
    hard = ARENA.fit_pairs(POLICY, PairCounts((label > 0.5)[None, None] * 1.0), logistic, 1 / 0.5)
    assert np.abs(ARENA.probs(hard) - ARENA.probs(_step(0.5, POLICY))).max() > 0.1


def _step(step, opponent):
    return ARENA.mirror_step(POLICY, opponent, step)


def test_pairs_of_the_opponent_give_the_mirror_step_against_it():
    fit = ARENA.fit_pairs(POLICY, ARENA.duel(POLICY, POLICY), squared, 2.0)
    np.testing.assert_allclose(ARENA.probs(fit), ARENA.probs(_step(0.5, POLICY)), atol=1e-9)


def test_pairs_of_another_policy_give_the_step_against_that_one():
    other = ARENA.reference
    fit = ARENA.fit_pairs(POLICY, ARENA.duel(other, other), squared, 2.0)
    np.testing.assert_allclose(ARENA.probs(fit), ARENA.probs(_step(0.5, other)), atol=1e-9)
    assert np.abs(ARENA.probs(fit) - ARENA.probs(_step(0.5, POLICY))).max() > 0.01


# -- where constant steps end ------------------------------------------------------------------------------


@pytest.mark.parametrize(("tau", "step"), [(0.1, 0.5), (0.1, 2.0), (1.0, 0.5)])
@pytest.mark.parametrize("name", RECORDED_GAMES)
def test_nash_md_at_a_constant_step_ends_where_ipo_md_does_and_not_at_the_nash(name, tau, step):
    game = RECORDED_GAMES[name]
    arena = TableArena(game)
    last = solve(NashMD(tau, step), arena, 3000).policy
    mixture = arena.geometric_mixture((1 - step * tau, last), (step * tau, arena.reference))
    assert kl(equilibrium(game, tau / (1 - step * tau)), mixture[0])[0] < 1e-14
    assert kl(equilibrium(game, tau), last[0])[0] > 1e-6
    same_point = solve(IPOMD(tau, step, mixture=step * tau), arena, 3000).policy
    np.testing.assert_allclose(arena.probs(same_point), arena.probs(last), atol=1e-9)


@pytest.mark.parametrize("share", [0.0, 0.125, 0.25, 0.5, 0.9])
def test_ipo_mds_mixture_is_the_nash_of_a_higher_temperature(share):
    """The exact fixed points of arXiv:2403.08635, appendix E, on a 3-cycle at tau = 0.1."""
    game = games.perturbed_rps()
    arena = TableArena(game)
    last = solve(IPOMD(0.1, 0.5, share), arena, 4000).policy
    mixture = arena.geometric_mixture((1 - share, last), (share, arena.reference))
    assert kl(equilibrium(game, 0.1 / (1 - share)), mixture[0])[0] < 1e-14
    step = arena.mirror_step(arena.reference, mixture, 10.0)
    np.testing.assert_allclose(arena.probs(step), arena.probs(last), atol=1e-9)
    assert share == 0 or kl(equilibrium(game, 0.1), last[0])[0] > 1e-5


def test_smoothed_fictitious_play_ends_at_the_regularised_nash():
    arena = TableArena(RECORDED_GAMES["COMAL3"])
    last = solve(FictitiousPlay(0.5), arena, 20_000).policy
    assert kl(equilibrium(arena.game, 0.5), last[0])[0] < 1e-6
