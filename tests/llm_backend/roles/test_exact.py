"""A listed game of two roles on a language model plays as its table does."""

import numpy as np
import pytest

import pgames as pg
from pgames.arena import Pair
from tests.support.llm_roles import RATES, listed_roles

TAU, ETA = 0.2, 2.0


@pytest.fixture(scope="module")
def arena():
    return listed_roles()


def normalised(logs):
    return logs - np.logaddexp.reduce(logs, axis=-1)[..., None]


def stepped(prior, opponent, step):
    """The mirror step of the table: pairs of log-probabilities float64[A] and float64[A, B]."""
    worth = (np.exp(opponent[1]) * RATES).sum(axis=1)
    return Pair(normalised(prior[0] + step * worth), normalised(prior[1] + step * (1 - RATES)))


def logs_of(arena, policy):
    return Pair(*(np.log(half[0]) for half in arena.probs(policy)))


def far(arena, policy, logs):
    """The largest total variation of the two roles from a pair of log-probabilities."""
    found = logs_of(arena, policy)
    return max(
        0.5 * np.abs(np.exp(a) - np.exp(b)).sum(axis=-1).max() for a, b in zip(found, logs, strict=True)
    )


def table_of(arena):
    """The same game on a table, with the reference of the language model."""
    p, q = (half[0] for half in arena.probs(arena.reference))
    return pg.RoleArena(pg.PromptRoles(RATES, attacker=p, defender=q))


SOLVERS = {
    "EGPO": (pg.EGPO(TAU, ETA), 6),
    "INPO": (pg.INPO(TAU, ETA), 6),
    "Turns": (pg.Turns(pg.INPO(TAU, ETA), pg.INPO(TAU, ETA)), 12),
}


@pytest.mark.parametrize("name", SOLVERS)
def test_solvers_of_pairs_follow_the_table(arena, name):
    solver, rounds = SOLVERS[name]
    table = table_of(arena)
    there = pg.iterate(solver, table, rounds)
    for here, state in zip(pg.iterate(solver, arena, rounds), there, strict=True):
        halves = [np.log(half[0]) for half in table.halves(state.policy)]
        assert far(arena, here.policy, halves) < 1e-3
        assert arena.exploitability(here.policy, TAU) == pytest.approx(
            float(table.exploitability(state.policy, TAU)[0]), abs=1e-4
        )
    assert far(arena, arena.reference, halves) > 0.1  # it has moved: another policy would be found out


def test_a_step_is_the_one_worked_out_by_hand(arena):
    reference = logs_of(arena, arena.reference)
    step = arena.mirror_step(arena.reference, arena.reference, ETA)
    assert far(arena, step, stepped(reference, reference, ETA)) < 1e-3


def test_one_role_is_trained_while_the_other_rests(arena):
    start = arena.mirror_step(arena.reference, arena.reference, 3.0)
    view = arena.only("defender", start)
    state = pg.solve(pg.INPO(TAU, ETA), view, 2)
    assert state.policy.attacker is start.attacker
    assert state.policy.defender is not start.defender
    assert view.gains(state.policy, TAU).attacker == 0.0
    other = arena.only("attacker", start).mirror_step(arena.reference, arena.reference, 1.0)
    assert other.defender is start.defender
    reference, met = logs_of(arena, arena.reference), logs_of(arena, start)
    attacker = np.exp(logs_of(arena, other).attacker)
    assert 0.5 * np.abs(attacker - np.exp(stepped(reference, met, 1.0).attacker)).sum() < 1e-3
    assert 0.5 * np.abs(attacker - np.exp(stepped(reference, reference, 1.0).attacker)).sum() > 4e-3


def test_gains_are_those_of_a_search(arena):
    policy = arena.mirror_step(arena.reference, arena.reference, 1.0)
    (p, q), (p0, q0) = (logs_of(arena, one) for one in (policy, arena.reference))

    def attackers(logs, tau):
        return np.exp(logs) @ (np.exp(q) * RATES).sum(axis=1) - tau * np.exp(logs) @ (logs - p0)

    def defenders(logs, tau):
        value = (np.exp(logs) * (1 - RATES - tau * (logs - q0))).sum(axis=1)
        return np.exp(p) @ value

    for tau in (0.0, 0.3):
        found = arena.gains(policy, tau)
        draws = np.random.default_rng(1)
        best = [-np.inf, -np.inf]
        for _ in range(3000):
            best[0] = max(best[0], attackers(normalised(p0 + 3 * draws.normal(size=5)), tau))
            best[1] = max(best[1], defenders(normalised(q0 + 3 * draws.normal(size=(5, 4))), tau))
        tried = best[0] - attackers(p, tau), best[1] - defenders(q, tau)
        assert all(one <= exact + 1e-9 for one, exact in zip(tried, found, strict=True))
        assert found.attacker - tried[0] < 0.05
        assert arena.exploitability(policy, tau) == pytest.approx(0.5 * sum(found))
    assert min(arena.gains(policy, 0.0)) > 0.05  # and no solution yet
    with pytest.raises(ValueError, match="tau must be at least 0"):
        arena.gains(policy, -0.1)


def test_play_ends_at_the_closed_form(arena):
    state = pg.solve(pg.INPO(TAU, ETA), arena, 14)
    p0, q0 = logs_of(arena, arena.reference)
    q = normalised(q0 - RATES / TAU)
    p = normalised(p0 + (np.exp(q) * RATES).sum(axis=1) / TAU)
    assert far(arena, state.policy, Pair(p, q)) < 3e-3
    assert arena.exploitability(state.policy, TAU) < 1e-4


def test_a_best_response_is_the_best_text(arena):
    best = arena.mirror_step(arena.reference, arena.reference, np.inf)
    q0 = np.exp(logs_of(arena, arena.reference).defender)
    p, q = (half[0] for half in arena.probs(best))
    assert p[np.argmax((q0 * RATES).sum(axis=1))] > 0.99
    assert (q[np.arange(5), RATES.argmin(axis=1)] > 0.99).all()


def test_win_rates_add_up_and_seeds_are_averaged():
    arena = listed_roles(seeds=("s", "t"))
    first = arena.mirror_step(arena.reference, arena.reference, 2.0)
    second = arena.join(first, arena.reference)
    assert arena.win_rate(first, second) + arena.win_rate(second, first) == pytest.approx(1)
    assert arena.win_rate(first, first) == pytest.approx(0.5)
    assert arena.win_rate(first, arena.reference) > 0.51
    p, q = arena.probs(first)
    assert p.shape == (2, 5) and q.shape == (2, 5, 4)
    assert arena.success(first.attacker, first.defender) == pytest.approx(
        (p[..., None] * q * RATES).sum() / 2
    )


def test_sampled_play_ends_near_the_closed_form():
    arena = listed_roles(samples=32, replies=8, seed=1)
    state = pg.solve(pg.INPO(TAU, 1.0), arena, 15)
    exact = listed_roles()
    p0, q0 = logs_of(exact, exact.reference)
    q = normalised(q0 - RATES / TAU)
    p = normalised(p0 + (np.exp(q) * RATES).sum(axis=1) / TAU)
    found = logs_of(arena, state.policy)
    off = [0.5 * np.abs(np.exp(a) - np.exp(b)).sum(axis=-1) for a, b in zip(found, (p, q), strict=True)]
    attacked = np.exp(p)
    print(off)
    assert off[0] < 0.1
    assert attacked @ off[1] < 0.05  # of the prompts that are attacked; the others are hardly trained
