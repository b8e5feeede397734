"""RoleArena: the conformance kit, views of one role, gains, temperatures, sampled verdicts, bad input."""

import numpy as np
import pytest

import pgames as pg
from pgames.arena import Opposing, OpposingMeasured
from pgames.solver import require
from pgames.testing import arena_cases
from tests.support.roles import gap, references, softmax, table

MATRIX = pg.MatrixRoles(table(0), *references(0))
PROMPTS = pg.PromptRoles(table(0, (4, 6)), defender=[0.3, 0.2, 0.1, 0.2, 0.2, 0.0])
GAMES = {"matrix": MATRIX, "prompts": PROMPTS}


def arena_of(name, runs=3, samples=None, **more):
    return pg.RoleArena(GAMES[name], runs, seed=7, samples=samples, **more)


def policies(arena, count, seed=0):
    rng = np.random.default_rng(seed)
    reference = arena.probs(arena.reference)
    return [arena.policy(softmax_inside(rng.normal(size=reference.shape), reference)) for _ in range(count)]


def softmax_inside(logs, reference):
    weights = reference * np.exp(logs)
    return weights / weights.sum(axis=-1, keepdims=True)


CASES = [
    case
    for name in GAMES
    for samples in (None, 12)
    for case in arena_cases(
        lambda name=name, samples=samples: arena_of(name, 3 if samples is None else 40, samples),
        make_narrow=lambda name=name, samples=samples: arena_of(name, 2, samples),
        # the attacker of a prompt game is paid in proportion to how often it asks, a defender is not
        skip=("mirror_optimal",) if name == "prompts" else (),
    )
]


@pytest.mark.parametrize("case", CASES)
def test_the_kit(case):
    case()


@pytest.mark.parametrize("name", GAMES)
def test_it_offers_what_solvers_of_roles_ask_for(name):
    require(pg.INPO(0.1, 0.5), arena_of(name), Opposing, OpposingMeasured)


def test_rates_and_win_rates_are_products_with_the_table():
    arena = arena_of("matrix")
    a, b = policies(arena, 2)
    (p, q), (r, s) = arena.halves(a), arena.halves(b)
    A = MATRIX.success
    attacked, lost = (np.einsum("si,ij,sj->s", p, A, s), np.einsum("si,ij,sj->s", r, A, q))
    np.testing.assert_allclose(arena.win_rate(a, b), (attacked + 1 - lost) / 2, atol=1e-15)
    stepped = arena.halves(arena.mirror_step(a, b, 0.7))
    np.testing.assert_allclose(stepped.attacker, softmax(np.log(p) + 0.7 * s @ A.T), atol=1e-15)
    np.testing.assert_allclose(stepped.defender, softmax(np.log(q) - 0.7 * r @ A), atol=1e-15)


def test_the_defender_of_prompts_is_weighed_by_how_often_they_are_asked():
    arena = arena_of("prompts")
    a, b = policies(arena, 2)
    (p, q), (r, s) = arena.halves(a), arena.halves(b)
    R = PROMPTS.success
    attacked, lost = (np.einsum("sx,sxy,xy->s", p, s, R), np.einsum("sx,sxy,xy->s", r, q, R))
    np.testing.assert_allclose(arena.win_rate(a, b), (attacked + 1 - lost) / 2, atol=1e-15)
    best = np.where(arena.reference[0, 1:, :6] > -np.inf, 1 - R, 0).max(axis=-1)
    gain = (p * (best - (q * (1 - R)).sum(axis=-1))).sum(axis=-1)
    np.testing.assert_allclose(arena.gains(a).defender, gain, atol=1e-15)
    np.testing.assert_allclose(
        arena.gains(a).attacker, (q * R).sum(-1).max(-1) - np.einsum("sx,sxy,xy->s", p, q, R), atol=1e-15
    )


def test_gains_sum_to_the_gap_and_are_what_best_responses_gain():
    arena = arena_of("matrix")
    (a,) = policies(arena, 1)
    p, q = arena.halves(a)
    A, (p0, q0) = MATRIX.success, references(0)
    gaps = [gap(A, p[s], q[s]) for s in range(3)]
    np.testing.assert_allclose(sum(arena.gains(a)), gaps, atol=1e-15)
    np.testing.assert_allclose(2 * arena.exploitability(a), gaps, atol=1e-15)

    def payoff(p, q, tau=0.2):
        def kl(first, second):
            return (first * np.log(first / second)).sum(axis=-1)

        return np.einsum("si,ij,sj->s", p, A, q) - tau * kl(p, p0) + tau * kl(q, q0)

    better = arena.halves(arena.mirror_step(arena.reference, a, 1 / 0.2))
    gains = arena.gains(a, 0.2)
    np.testing.assert_allclose(gains.attacker, payoff(better.attacker, q) - payoff(p, q), atol=1e-14)
    np.testing.assert_allclose(gains.defender, payoff(p, q) - payoff(p, better.defender), atol=1e-14)
    for other in policies(arena, 5, seed=3):  # no other policy gains more
        assert (payoff(arena.halves(other).attacker, q) - payoff(p, q) <= gains.attacker + 1e-14).all()


def test_a_tau_per_run_is_measured_run_by_run():
    arena = arena_of("prompts")
    (a,) = policies(arena, 1)
    together = arena.exploitability(a, np.array([0.0, 0.1, 2.0]))
    alone = [arena.exploitability(a, tau)[s] for s, tau in enumerate((0.0, 0.1, 2.0))]
    np.testing.assert_array_equal(together, alone)


def test_exploitability_is_that_of_the_solved_game():
    for name, game in GAMES.items():
        for tau in (0.05, 0.0):
            found = pg.nash_roles(game, tau)
            arena = arena_of(name)
            pair = arena.pair(found.attacker, found.defender)
            assert arena.exploitability(pair, tau).max() < 1e-14
            assert arena.exploitability(arena.reference, tau).min() > 1e-3


# -- views of one role -----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", GAMES)
@pytest.mark.parametrize("role", ["attacker", "defender"])
@pytest.mark.parametrize("samples", [None, 5])
def test_the_idle_role_is_held_to_the_bit_in_every_output(name, role, samples):
    arena = arena_of(name, samples=samples).at(3)
    a, b, at = policies(arena, 3)
    idle = slice(1, None) if role == "attacker" else slice(0, 1)
    busy = slice(0, 1) if role == "attacker" else slice(1, None)
    view = arena.only(role, at)
    made = [
        view.reference,
        view.policy(arena.probs(a)),
        view.geometric_mixture((0.5, a), (0.5, b)),
        view.mixture((0.5, a), (0.5, b)),
        view.mirror_step(a, b, 0.7),
        view.mirror_step(a, b, np.inf),
        view.join(a, b),
        view.at(4).reference,
        view.anchored(a).reference,
        view.anchored(a).mirror_step(a, b, 0.7),
    ]
    for policy in made:
        np.testing.assert_array_equal(policy[:, idle], at[:, idle])
    held = arena.join(b, at) if role == "attacker" else arena.join(at, b)
    np.testing.assert_array_equal(made[4][:, busy], arena.mirror_step(a, held, 0.7)[:, busy])
    np.testing.assert_array_equal(made[2][:, busy], arena.geometric_mixture((0.5, a), (0.5, b))[:, busy])
    assert not (made[4][:, busy] == a[:, busy]).all()


@pytest.mark.parametrize("name", GAMES)
def test_only_the_free_role_gains(name):
    arena = arena_of(name)
    a, at = policies(arena, 2)
    held = arena.join(a, at)
    gains = arena.only("attacker", at).gains(a, 0.1)
    np.testing.assert_array_equal(gains.attacker, arena.gains(held, 0.1).attacker)
    np.testing.assert_array_equal(gains.defender, 0)
    other = arena.only("defender", at).gains(a, 0.1)
    np.testing.assert_array_equal(other.attacker, 0)
    assert (other.defender > 0).all()
    won = arena.only("attacker", at).win_rate(a, at)
    np.testing.assert_array_equal(won, arena.win_rate(held, at))


def test_the_view_of_a_view_holds_what_was_asked_last():
    arena = arena_of("matrix")
    a, b, c = policies(arena, 3)
    view = arena.only("attacker", a).only("defender", b)
    np.testing.assert_array_equal(view.mixture((1.0, c)), arena.join(b, c))


def test_join():
    arena = arena_of("matrix")
    a, b = policies(arena, 2)
    joined = arena.halves(arena.join(a, b))
    np.testing.assert_array_equal(joined.attacker, arena.halves(a).attacker)
    np.testing.assert_array_equal(joined.defender, arena.halves(b).defender)


# -- temperatures and sampled verdicts ----------------------------------------------------------------------


def test_a_temper_multiplies_what_a_role_sees():
    arena, plain = arena_of("matrix", tempers=(1.0, 5.0)), arena_of("matrix")
    a, b = policies(arena, 2)
    stepped = arena.halves(arena.mirror_step(a, b, 0.2))
    np.testing.assert_array_equal(stepped.attacker, plain.halves(plain.mirror_step(a, b, 0.2)).attacker)
    np.testing.assert_allclose(
        stepped.defender, plain.halves(plain.mirror_step(a, b, 1.0)).defender, atol=1e-15
    )
    gains = arena.gains(a, 0.1)
    np.testing.assert_array_equal(gains.attacker, plain.gains(a, 0.1).attacker)
    np.testing.assert_allclose(gains.defender, plain.gains(a, 0.02).defender, rtol=1e-12)
    np.testing.assert_array_equal(arena.win_rate(a, b), plain.win_rate(a, b))


@pytest.mark.parametrize("name", GAMES)
def test_sampled_rates_are_the_exact_ones_on_average(name):
    samples, runs = 400, 200
    arena, exact = arena_of(name, runs, samples), arena_of(name, runs)
    a, b = (np.repeat(one[:1], runs, axis=0) for one in policies(exact, 2))
    sampled = GAMES[name].sampled_rates(b, samples, 7, 0, 2)
    error = (sampled - GAMES[name].rates(b)).mean(axis=0)[GAMES[name].support]
    assert np.abs(error).max() < 5 * 0.5 / np.sqrt(samples * runs)
    assert 0.5 < (sampled - GAMES[name].rates(b))[:, GAMES[name].support].std() * 2 * np.sqrt(samples) <= 1
    rates = arena.at(2).win_rate(a, b)
    assert abs((rates - exact.win_rate(a, b)).mean()) < 5 * 0.5 / np.sqrt(2 * samples * runs)
    assert rates.std() * 2 * np.sqrt(2 * samples) == pytest.approx(1, abs=0.2)


def test_verdicts_follow_from_seed_run_and_round():
    arena = arena_of("prompts", 4, 6)
    a, b = policies(arena, 2)
    first = arena.at(2).mirror_step(a, b, 0.5)
    np.testing.assert_array_equal(first, arena.at(2).mirror_step(a, b, 0.5))
    assert not (first == arena.at(3).mirror_step(a, b, 0.5)).all()
    late = pg.RoleArena(PROMPTS, 2, seed=7, samples=6, first_run=2)
    np.testing.assert_array_equal(late.at(2).mirror_step(a[2:], b[2:], 0.5), first[2:])
    other = pg.RoleArena(PROMPTS, 4, seed=8, samples=6)
    assert not (first == other.at(2).mirror_step(a, b, 0.5)).all()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: pg.RoleArena(MATRIX, runs=0), "runs must be a whole number of at least 1, got 0"),
        (lambda: pg.RoleArena(MATRIX, samples=0), "samples .None for exact feedback. must be a whole number"),
        (lambda: pg.RoleArena(MATRIX, seed=-1), "seed must be a whole number of at least 0, got -1"),
        (
            lambda: pg.RoleArena(MATRIX, tempers=(1.0, 0.0)),
            r"tempers must be two .*got \(1.0, 0.0\)",
        ),
        (lambda: pg.RoleArena(MATRIX, tempers=(1.0,)), "tempers must be two numbers above 0"),
        (lambda: arena_of("matrix").only("judge", None), "role must be .* got 'judge'"),
        (lambda: arena_of("matrix").policy(np.eye(2)), r"a policy of this arena has shape \[3, 2, 6\]"),
        (lambda: arena_of("matrix").gains(arena_of("matrix").reference, -0.1), "tau must be finite and at"),
        (lambda: arena_of("matrix").gains(arena_of("matrix").reference, np.ones(2)), r"or float64\[3\]"),
        (lambda: arena_of("matrix").pair([1, 0, 0, 0, 0, 0], [2, 0, 0, 0, 0]), "a policy must sum to 1"),
    ],
)
def test_bad_input(make, message):
    with pytest.raises(ValueError, match=message):
        make()
