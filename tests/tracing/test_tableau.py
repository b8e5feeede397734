"""Traced solvers: the coefficients are what the solver does, the compiled run is the loop to the last bit."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pytest

from pgames.games.preference import PreferenceGame
from pgames.loop import solve
from pgames.solver import State
from pgames.solvers.league import FictitiousPlay
from pgames.solvers.mirror import EGPO, INPO, IPOMD, MMD, MNPO, ONPO, SPPO, NashEMA, NashMD
from pgames.solvers.outer import COMAL, Average, Best
from pgames.solvers.pairs import DPO, RLHF, OnlineIPO
from pgames.table.arena import TableArena
from pgames.tracing.tableau import family_rows, family_table, run_compiled, tableau


@dataclass(frozen=True)
class Optimistic:
    """Optimistic multiplicative weights: the payoff of pi twice, less that of the policy before."""

    def init(self, arena):
        return State(0, arena.reference, arena.reference)

    def step(self, arena, state):
        gained = arena.mirror_step(state.policy, state.policy, 1.0)
        return State(state.t + 1, arena.mirror_step(gained, state.memory, -0.5), state.policy)


FAMILY = [
    SPPO(0.5),
    INPO(0.1, 0.5),
    MMD(0.1, 0.5),
    NashMD(0.1),
    NashMD(0.1, 0.5),
    NashEMA(0.1, 0.5, 0.9),
    IPOMD(0.1, 0.5, 0.25),
    EGPO(0.1, 0.5),
    ONPO(0.1, 0.25),
    MNPO(0.1, 0.5, past=1),
    MNPO(0.1, 0.5, past=3),
    Optimistic(),
]


def arena(runs, prompts, responses=7, samples=None, masked=True):
    rng = np.random.default_rng(responses)
    upper = np.triu(rng.uniform(-0.5, 0.5, (prompts, responses, responses)), 1)
    reference = rng.dirichlet(np.ones(responses), prompts)
    if masked:
        reference[:, -1] = 0
        reference[0, 0] = 0
        reference /= reference.sum(axis=1, keepdims=True)
    game = PreferenceGame(upper - np.swapaxes(upper, 1, 2) + 0.5, reference)
    return TableArena(game, runs=runs, seed=3, samples=samples)


def arrays(state):
    def flat(part):
        return [leaf for item in part for leaf in flat(item)] if isinstance(part, tuple) else [part]

    return [state.policy, *flat(state.memory)]


def assert_same_bits(ours, theirs):
    assert ours.t == theirs.t
    assert type(ours.memory) is type(theirs.memory)
    assert len(arrays(ours)) == len(arrays(theirs))
    for a, b in zip(arrays(ours), arrays(theirs), strict=True):
        np.testing.assert_array_equal(a.view(np.uint64), b.view(np.uint64))


@pytest.mark.parametrize("samples", [None, 3])
@pytest.mark.parametrize(("runs", "prompts"), [(1, 1), (1, 3), (7, 1), (33, 3)])
@pytest.mark.parametrize("solver", FAMILY, ids=repr)
def test_compiled_is_the_loop(solver, runs, prompts, samples):
    table = arena(runs, prompts, samples=samples)
    loop = solve(solver, table, 17)
    assert_same_bits(run_compiled(solver, table, solver.init(table), 17), loop)


@pytest.mark.parametrize("responses", [1, 2, 10, 65])
def test_compiled_is_the_loop_at_other_sizes(responses):
    table = arena(12, 2, responses, masked=False)
    for solver in (EGPO(0.1, 0.5), ONPO(0.1, 0.25)):
        assert_same_bits(run_compiled(solver, table, solver.init(table), 5), solve(solver, table, 5))


@pytest.mark.parametrize(
    "solver",
    [
        INPO(np.linspace(0.1, 0.2, 33), np.linspace(0.5, 1, 33)),
        NashMD(np.linspace(0.1, 0.2, 33)),
        EGPO(0.1, np.linspace(0.5, 1, 33)),
    ],
    ids=["INPO", "NashMD with a schedule", "EGPO"],
)
def test_hyper_parameters_may_differ_between_runs(solver):
    table = arena(33, 2)
    assert_same_bits(run_compiled(solver, table, solver.init(table), 9), solve(solver, table, 9))


@pytest.mark.parametrize("solver", [NashMD(0.1), ONPO(0.1, 0.25), MNPO(0.1, 0.5)], ids=repr)
def test_chunks_of_any_length_go_on_where_the_last_ended(solver, monkeypatch):
    monkeypatch.setattr("pgames.tracing.compiled.CHUNK", 4)
    table = arena(9, 2, samples=2)
    state = solver.init(table)
    for rounds in (1, 0, 2, 9, 1):
        state = run_compiled(solver, table, state, rounds)
    assert_same_bits(state, solve(solver, table, 13))
    assert_same_bits(run_compiled(solver, table, state, 3), solve(solver, table, 3, state))


def test_the_reference_may_have_moved():
    table = arena(9, 2)
    moved = table.anchored(solve(SPPO(1.0), table, 3).policy)
    solver = EGPO(0.1, 0.5)
    ours = run_compiled(solver, moved, solver.init(moved), 8)
    assert_same_bits(ours, solve(solver, moved, 8))
    assert not np.array_equal(ours.policy, solve(solver, table, 8).policy)


def test_other_samples_give_other_bits():
    """Negative control: the comparison above is not of constants."""
    solver = INPO(0.1, 0.5)
    one, other = (
        run_compiled(solver, table, solver.init(table), 17).policy
        for table in (arena(7, 1, samples=3), arena(7, 1, samples=4))
    )
    assert not np.array_equal(one, other)


def test_a_tableau_says_what_the_solver_does():
    rows = tableau(EGPO(tau=0.1, eta=0.5)).rows
    assert [row.policy for row in rows] == ["k1", "pi'"]
    for row, opponent in zip(rows, ("pi", "k1"), strict=True):
        assert row.exponents == {"pi": 0.95, "ref": 0.05}
        assert row.payoffs == {opponent: 0.5}
    base, new = tableau(ONPO(tau=0.1, eta=0.5)).rows
    assert (base.policy, new.policy) == ("m'", "pi'")
    assert new.exponents == pytest.approx({"m": 0.95**2, "ref": 0.05 + 0.95 * 0.05})
    assert new.payoffs == pytest.approx({"pi": 0.5 + 0.95 * 0.5})
    (row,) = tableau(Optimistic()).rows
    assert row.payoffs == {"pi": 1.0, "pi[t-1]": -0.5}
    (row,) = tableau(MNPO(tau=0.0, eta=0.5, past=3)).rows
    assert row.exponents == pytest.approx({"ref": 0, "pi": 1 / 3, "pi[t-1]": 1 / 3, "pi[t-2]": 1 / 3})
    average, new = tableau(NashEMA(tau=0.1, eta=0.5, decay=0.9)).rows
    assert average.policy == "m'" and average.exponents == pytest.approx({"m": 0.9, "pi": 0.1})
    assert new.payoffs == {"m'": 0.5}


def test_exponents_sum_to_one():
    """Every prior of the family is a normalised geometric mixture, whatever the round."""
    for solver in FAMILY:
        for row in tableau(solver).rows:
            np.testing.assert_allclose(sum(row.exponents.values()), 1, atol=1e-15)


def test_a_schedule_shows_its_first_rounds():
    text = str(tableau(NashMD(tau=0.1)))
    assert "1, 0.667, 0.5, ..." in text
    assert "(10, 6.67, 5, ...) P k1" in text


def test_the_expanded_tableau_predicts_the_policy():
    """The printed exponents and payoffs, put together by hand, are the next policy."""
    table = arena(1, 1, masked=False)
    solver = ONPO(tau=0.1, eta=0.5)
    state = solve(solver, table, 3)
    inputs = {"ref": table.reference, "pi": state.policy, "m": state.memory}
    _, row = tableau(solver).rows
    logs = sum(w * inputs[name] for name, w in row.exponents.items())
    logs = logs + sum(w * np.exp(inputs[name]) @ table.game.P[0].T for name, w in row.payoffs.items())
    expected = logs - np.log(np.exp(logs).sum(axis=-1, keepdims=True))
    np.testing.assert_allclose(solver.step(table, state).policy, expected, atol=1e-13)


def test_the_family_table_has_a_row_for_every_solver():
    rows = family_rows()
    assert {row["solver"].partition("(")[0] for row in rows} - {""} == {
        type(solver).__name__ for solver in FAMILY[:-1]
    }
    assert family_table().row_count == len(rows)


@pytest.mark.parametrize(
    ("solver", "what"),
    [
        (Average(SPPO(0.5)), "mixture"),
        (Best(SPPO(0.5)), "exploitability"),
        (COMAL(0.1, 0.5, 10), "anchored"),
        (NashEMA(0.1, 0.5, arithmetic=True), "mixture"),
        (FictitiousPlay(0.1), "mixture"),
        (OnlineIPO(0.1, 0.5), "duel"),
        (DPO(0.1), "duel"),
        (RLHF(0.1), "duel"),
    ],
    ids=repr,
)
def test_what_cannot_be_traced_is_named(solver, what):
    with pytest.raises(TypeError, match=rf"{what}.*use run\(\.\.\., compiled=False\)") as error:
        tableau(solver)
    assert "\n" not in str(error.value)


@dataclass(frozen=True)
class Alternating:
    """Branches on the round."""

    def init(self, arena):
        return State(0, arena.reference)

    def step(self, arena, state):
        step = 0.5 if state.t % 2 else 0.1
        return State(state.t + 1, arena.mirror_step(state.policy, state.policy, step))


@dataclass(frozen=True)
class Greedy:
    def init(self, arena):
        return State(0, arena.reference)

    def step(self, arena, state):
        return State(state.t + 1, arena.mirror_step(arena.reference, state.policy, np.inf))


@pytest.mark.parametrize("rounds", [1, 5])
def test_a_branch_on_the_round_and_an_infinite_step_are_refused(rounds):
    table = arena(2, 1)
    for solver, what in ((Alternating(), "the round"), (Greedy(), "infinite step")):
        with pytest.raises(TypeError, match=what):
            run_compiled(solver, table, solver.init(table), rounds)


def test_a_weight_per_run_must_fit_the_runs():
    table = arena(3, 1)
    solver = INPO(0.1, np.full(4, 0.5))
    with pytest.raises(ValueError, match=r"float64\[3\], one per run"):
        run_compiled(solver, table, solver.init(table), 2)


def test_only_a_table_arena_runs_compiled():
    solver = INPO(0.1, 0.5)
    with pytest.raises(TypeError, match="only a TableArena"):
        run_compiled(solver, object(), State(0, None), 2)  # type: ignore[arg-type]
