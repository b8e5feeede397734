"""What a function or a class of the user is given is read, and never written."""

from dataclasses import dataclass

import numpy as np
import pytest

import pgames as pg
from pgames import metrics, population, regularisers
from pgames.regularisers.contract import MEMBERS
from pgames.solver import State
from pgames.tracing.recording import NotTraceable

GAME = pg.games.cyclic(4, 0.8).with_reference([0.4, 0.3, 0.2, 0.1])


def doubled(arena, policy):
    policy *= 2
    return policy[:, 0, 0]


def shifted(arena, state):
    state.memory[0][:] -= 1
    return state.memory[0][:, 0, 0]


def sorted_in_place(arena, policy):
    policy.sort()
    return policy[:, 0, 0]


def written_reference(arena, policy):
    arena.reference[:] = np.log(0.25)
    return policy[:, 0, 0]


WRITERS = {
    "in place": metrics.Named("mine", doubled),
    "sorted": metrics.Named("mine", sorted_in_place),
    "memory": metrics.OfState("mine", shifted),
    "state": metrics.OfState("mine", lambda arena, state: doubled(arena, state.policy)),
}


@pytest.mark.parametrize("case", WRITERS)
def test_a_metric_cannot_write_into_what_it_is_given(case):
    arena = pg.TableArena(GAME, 2)
    before = arena.reference.copy()
    with pytest.raises(ValueError, match=r"^metric 'mine' writes into the arrays that it is given: .*copy"):
        pg.run(
            pg.NashEMA(0.1, 0.5, 0.9) if case == "memory" else pg.EGPO(0.1, 0.5), arena, 3, [WRITERS[case]]
        )
    np.testing.assert_array_equal(arena.reference, before)


def test_a_metric_that_writes_is_refused_in_simulations_too():
    with pytest.raises(ValueError, match=r"^metric 'mine' writes into the arrays"):
        pg.simulate(pg.Greedy(0.1), GAME, 5, metrics=[WRITERS["in place"]])


def test_a_metric_that_writes_into_the_reference_is_named():
    mine = metrics.Named("mine", written_reference)
    for call in (
        lambda: pg.run(pg.EGPO(0.1, 0.5), pg.TableArena(GAME), 3, [mine]),
        lambda: pg.simulate(pg.Greedy(0.1), GAME, 5, metrics=[mine]),
    ):
        with pytest.raises(ValueError, match=r"^metric 'mine' writes into the reference of the arena"):
            call()


def test_a_metric_may_work_on_a_copy_and_call_verbs():
    def mine(arena, policy):
        own = policy.copy()
        own -= 1
        return arena.win_rate(policy, arena.reference) + 0 * own[:, 0, 0]

    kept, plain = (
        pg.run(pg.EGPO(0.1, 0.5), pg.TableArena(GAME, 2), 3, record)
        for record in ([metrics.Entropy(), metrics.Named("mine", mine)], [metrics.Entropy()])
    )
    np.testing.assert_array_equal(kept.values["entropy"], plain.values["entropy"])


def test_a_fault_of_a_metric_stays_its_own():
    def mine(arena, policy):
        raise ValueError("no luck")

    with pytest.raises(ValueError, match=r"^no luck$"):
        pg.run(pg.EGPO(0.1, 0.5), pg.TableArena(GAME), 1, [metrics.Named("mine", mine)])


@dataclass(frozen=True)
class InPlace:
    target = 0.1

    def init(self, arena):
        return State(0, arena.reference)

    def step(self, arena, state):
        state.policy[:] = arena.mirror_step(state.policy, state.policy, 0.1)
        return State(state.t + 1, state.policy)


def test_a_solver_that_writes_into_the_reference_is_named():
    for call in (
        lambda: pg.run(InPlace(), pg.TableArena(GAME), 3),
        lambda: pg.solve(InPlace(), pg.TableArena(GAME), 3),
        lambda: next(pg.iterate(InPlace(), pg.TableArena(GAME), 3)),
    ):
        with pytest.raises(ValueError, match=r"^InPlace\.step writes into the reference of the arena"):
            call()


def test_a_learner_that_writes_into_the_reference_is_named():
    class Learner(InPlace):
        def step(self, arena, state):
            state.policy[:] = np.log(0.25)
            return State(state.t + arena.rounds, state.policy)

    with pytest.raises(ValueError, match=r"^Learner\.step writes into the reference of the arena"):
        pg.simulate(Learner(), GAME, 3)


def spoiled(rates):
    rates[:] = 0.5
    return population.Uniform()(rates)


def spoiled_match(rates):
    rates += 0.0
    return population.Everybody()(rates)


def test_meta_solvers_and_matchmakers_cannot_write_into_the_win_rates():
    cases = {
        "the meta-solver spoiled": pg.PSRO(meta=spoiled),
        "the matchmaker spoiled_match": pg.League(pg.MMD(0.1, 0.5), 2, match=spoiled_match),
    }
    for who, solver in cases.items():
        with pytest.raises(ValueError, match=f"^{who} writes into the win rates: .*copy"):
            pg.solve(solver, pg.TableArena(GAME), 2)


def test_a_meta_solver_of_roles_cannot_write_either():
    roles = pg.RoleArena(pg.MatrixRoles([[0.9, 0.1], [0.2, 0.7]]))
    with pytest.raises(ValueError, match=r"^the meta-solver spoiled writes into the win rates"):
        pg.solve(pg.PSRO(meta=spoiled), roles, 1)


def test_a_bound_cannot_write_into_the_rounds():
    def value(rounds):
        rounds -= 1
        return rounds

    rounds = np.array([1.0, 2.0])
    bound = pg.bounds.Bound("mine", value, "regret", "order", "here")
    with pytest.raises(ValueError, match=r"^the bound 'mine' writes into the rounds"):
        bound(rounds)
    np.testing.assert_array_equal(rounds, [1, 2])


@pytest.mark.parametrize("member", ["gradient", "inverse", "curvature", "divergence"])
def test_a_regulariser_cannot_write_into_what_it_is_given(member):
    class Mine(regularisers.ReverseKL):
        name = "mine"

    def writes(self, *arrays):
        arrays[-1][:] += 1
        return getattr(regularisers.ReverseKL(), member)(*arrays)

    setattr(Mine, member, writes)
    with pytest.raises(ValueError, match=r"^regulariser .* writes into the arrays that it is given"):
        pg.nash(GAME, 0.1, regulariser=Mine())
    assert regularisers.check_regulariser(regularisers.L2()) == regularisers.L2()


CONTRADICTIONS = {
    "gradient": (lambda s, p: p, r"gradient\(p, base\) fails"),
    "inverse": (lambda s, d, b: 1.0, r"inverse\(dual, base\) must return numbers of shape \[4\]"),
    "no curvature": (lambda s, p, b: None, "curvature.* got shape"),
    "other curvature": (lambda s, p, b: 7 / p, "curvature must be the derivative of gradient"),
    "negative curvature": (lambda s, p, b: -1 / p, "curvature must be the derivative of gradient"),
    "no divergence": (lambda s, p, q, b: None, "divergence.* got NaN"),
    "divergence per response": (lambda s, p, q, b: p, r"divergence.* got shape \[4\]"),
    "divergence of 0": (lambda s, p, q, b: 0 * p.sum(-1), "divergence must be that of its gradient"),
    "divergence below 0": (lambda s, p, q, b: -p.sum(-1), "divergence must be that of its gradient"),
}


@pytest.mark.parametrize("case", CONTRADICTIONS)
def test_a_regulariser_whose_members_contradict_each_other_is_refused(case):
    function, said = CONTRADICTIONS[case]
    member = next(word for word in case.split() if word in MEMBERS)
    Mine = type("Mine", (regularisers.KL,), {member: function})
    for call in (
        lambda: pg.nash(GAME, 0.1, regulariser=Mine()),
        lambda: pg.TableArena(GAME, regulariser=Mine()),
    ):
        with pytest.raises((TypeError, ValueError), match=f"^regulariser .*{said}"):
            call()


@pytest.mark.parametrize("one", ["KL", "ReverseKL", "ChiSquare", "L2", "Tsallis"])
def test_regularisers_pass_the_check_of_a_users_own(one):
    kind = getattr(regularisers, one)
    Mine = type("Mine", (kind,), {})
    value = Mine(1.5) if one == "Tsallis" else Mine()
    assert regularisers.check_regulariser(value) is value


def own(step):
    class Mine:
        target = 0.1

        def init(self, arena):
            return State(0, arena.reference)

    Mine.step = lambda self, arena, state: step(arena, state)
    return Mine()


def test_a_solver_that_does_nothing_runs_compiled():
    idle = own(lambda arena, state: State(state.t + 1, state.policy))
    arena = pg.TableArena(GAME, 2)
    for rounds in (1, 5):
        curve, loop = (pg.run(idle, arena, rounds, compiled=compiled) for compiled in (True, False))
        np.testing.assert_array_equal(curve.state.policy, loop.state.policy)
        assert curve.state.t == loop.state.t == rounds


UNTRACEABLE = {
    "None": (lambda arena, state: None, "returns no State but NoneType"),
    "tuple": (lambda arena, state: (1, state.policy), "returns no State but tuple"),
    "copies": (lambda arena, state: State(state.t + 1, state.policy.copy()), "reads what the trace"),
    "array": (lambda arena, state: State(state.t + 1, np.zeros((1, 1, 4))), "returns a policy that no verb"),
    "no policy": (lambda arena, state: State(state.t + 1, None), "returns a policy that no verb"),
    "stands still": (lambda arena, state: State(state.t, state.policy), "does not return a State of round"),
}


@pytest.mark.parametrize("case", UNTRACEABLE)
def test_a_solver_that_cannot_be_compiled_is_told_in_one_line(case):
    step, said = UNTRACEABLE[case]
    with pytest.raises(NotTraceable, match=f"^Mine {said}.*compiled=False"):
        pg.run(own(step), pg.TableArena(GAME), 3, compiled=True)


def test_a_weight_that_is_not_finite_is_refused_compiled_as_in_the_loop():
    def step(arena, state):
        return State(state.t + 1, arena.mirror_step(state.policy, state.policy, np.nan))

    for compiled in (True, False):
        with pytest.raises(ValueError, match=r"a weight or a step must be finite"):
            pg.run(own(step), pg.TableArena(GAME), 3, compiled=compiled)
