"""check_learner: honest learners pass, and every kind of cheat is named."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pytest

from pgames.games import cyclic, duel
from pgames.solver import State
from pgames.solvers.explore import ENPO, Passive, Schedule
from pgames.solvers.oracle import Enhancer, Greedy, Optimistic
from pgames.table.beliefs import Belief
from pgames.testing import ConformanceError, check_learner, learner_cases


@pytest.mark.parametrize("case", learner_cases(Optimistic(0.05), rounds=2000, seeds=8))
def test_the_parts_of_one_check(case) -> None:
    case()


@pytest.mark.parametrize("learner", [Greedy(0.05), Enhancer(0.2), ENPO(0.05), Passive(0.1, loss="pair")])
def test_learners_that_pass(learner) -> None:
    report = check_learner(learner, rounds=2000, seeds=8)
    assert not report.failures
    beliefs = next(row for row in report.rows if row.promise.name == "diagonal")
    assert beliefs.status == (
        "ok" if hasattr(learner, "optimism") or "Gr" in repr(learner) else beliefs.status
    )


def fails(learner: Any, name: str) -> str:
    """What the check of that property says, having failed."""
    others = {"honest", "counting", "reproducible", "separate", "masking", "diagonal", "sublinear"} - {name}
    with pytest.raises(ConformanceError) as error:
        check_learner(learner, rounds=1000, seeds=8, skip=others)
    assert name in {row.promise.name for row in error.value.report.failures}
    return str(error.value)


@dataclass(frozen=True)
class Base:
    """Greedy, for cheats to spoil."""

    tau: float = 0.1

    @property
    def target(self) -> float:
        return self.tau

    def init(self, arena: Any) -> State:
        return Greedy(self.tau).init(arena)

    def step(self, arena: Any, state: State) -> State:
        return Greedy(self.tau).step(arena, state)


class ReadsTheGame(Base):
    def step(self, arena: Any, state: State) -> State:
        policy = arena._truth.mirror_step(arena.reference, state.policy, 1 / self.tau)
        return State(state.t + arena.rounds, policy, state.memory)


class ReadsAndForgets(Base):
    def step(self, arena: Any, state: State) -> State:
        assert arena._truth.game.P.size
        return super().step(arena, state)


class AsksInPrivate(Base):
    def step(self, arena: Any, state: State) -> State:
        evidence = state.memory
        for i in range(3):
            evidence = evidence + arena.at(10**6 + i, 50).duel(arena.uniform, state.policy)
        return super().step(arena, state._replace(memory=evidence))


class AsksAtTheStart(Base):
    def init(self, arena: Any) -> State:
        return super().init(arena)._replace(memory=arena.duel(arena.uniform, arena.uniform))


class ForgetsToCount(Base):
    def step(self, arena: Any, state: State) -> State:
        return super().step(arena, state)._replace(t=state.t + 2)


class HasACounter(Base):
    calls = np.zeros(1)

    def step(self, arena: Any, state: State) -> State:
        self.calls[0] += 1
        lean = arena.policy(np.full(arena.support.shape, 1.0) * arena.support / arena.support.sum(1)[:, None])
        policy = arena.geometric_mixture((1.0, state.policy), (0.001 * (self.calls[0] % 7), lean))
        return super().step(arena, state._replace(policy=policy))


class HasARandomGenerator(Base):
    rng = np.random.default_rng(0)

    def step(self, arena: Any, state: State) -> State:
        after = super().step(arena, state)
        score = np.ascontiguousarray(self.rng.normal(size=after.policy.shape))
        return after._replace(policy=arena.tilt(after.policy, score, 0.01))


class ChangesItsState(Base):
    def step(self, arena: Any, state: State) -> State:
        after = super().step(arena, state)
        state.memory.wins[...] += 1.0
        return after


class AveragesOverRuns(Base):
    def step(self, arena: Any, state: State) -> State:
        after = super().step(arena, state)
        mean = np.broadcast_to(np.exp(after.policy).mean(axis=0), after.policy.shape)
        return after._replace(policy=arena.policy(mean))


class PlaysOutside(Base):
    def step(self, arena: Any, state: State) -> State:
        everywhere = np.full_like(state.policy, -np.log(state.policy.shape[-1]))
        evidence = state.memory + arena.duel(everywhere, state.policy)
        return State(state.t + arena.rounds, arena.believe(evidence).nash(self.tau, state.policy), evidence)


class IsNotNormalised(Base):
    def step(self, arena: Any, state: State) -> State:
        return State(state.t + arena.rounds, state.policy + 0.01, state.memory)


class RewardsTheDiagonal(Base):
    def step(self, arena: Any, state: State) -> State:
        belief: Belief = arena.believe(state.memory)
        belief.rates = belief.rates + 0.1 * np.eye(arena.responses)
        explorer = belief.mirror_step(arena.reference, state.policy, 1 / self.tau)
        evidence = state.memory + arena.duel(explorer, state.policy)
        return State(state.t + arena.rounds, arena.believe(evidence).nash(self.tau, state.policy), evidence)


class NeverLearns(Base):
    def step(self, arena: Any, state: State) -> State:
        return State(
            state.t + arena.rounds, state.policy, state.memory + arena.duel(state.policy, state.policy)
        )


@pytest.mark.parametrize(
    ("cheat", "name", "says"),
    [
        (ReadsTheGame, "honest", "reads of the true game outside of duels, in 40 rounds, is 40, allowed 0"),
        (ReadsAndForgets, "honest", "test_check_learner.py, line"),
        (AsksInPrivate, "honest", "verdicts asked for in arenas that the learner made is 1.2e+04, allowed 0"),
        (AsksAtTheStart, "honest", "verdicts asked for in arenas that the learner made is 2, allowed 0"),
        (ForgetsToCount, "counting", "state.t is 40, allowed 0"),
        (HasACounter, "reproducible", "the same seed twice"),
        (HasARandomGenerator, "reproducible", "random generator"),
        (ChangesItsState, "reproducible", "does it change the state it is given?"),
        (AveragesOverRuns, "separate", "two of five runs alone: the change of their policies"),
        (PlaysOutside, "masking", "the mass of responses whose reference probability is 0 is 0.2, allowed 0"),
        (IsNotNormalised, "masking", "the distance of a policy from a distribution"),
        (RewardsTheDiagonal, "diagonal", "P(y > y) = 1/2 in a belief is 0.1, allowed 0"),
        (NeverLearns, "sublinear", "on duel, hidden_rps"),
    ],
)
def test_cheats_are_caught(cheat: type, name: str, says: str) -> None:
    message = fails(cheat(), name)
    if cheat is NeverLearns:  # on the cycle its reference is the equilibrium
        assert "sublinear on duel" in message and "sublinear on hidden_rps" in message
        assert "cyclic3" not in message and "is 1, allowed 0.85" in message
    else:
        assert says in message


def test_a_decoy_shows_what_was_read() -> None:
    """What ReadsTheGame learns from is the reversed game, so that reading it does not even pay."""
    from pgames.testing.watched import WatchedArena

    arena = WatchedArena(duel(0.9))
    assert arena._truth.game.P[0, 0, 1] == pytest.approx(0.1)
    assert arena.notes.reads and arena.notes.reads[0].startswith("test_check_learner.py, line ")
    wins = sum(arena.at(t).duel(arena.uniform, arena.uniform).wins for t in range(300))[0, 0]
    assert wins[0, 1] > 4 * wins[1, 0]


def test_a_constant_step_is_linear() -> None:
    message = fails(ENPO(0.1, Schedule("constant", 1.0)), "sublinear")
    assert "its mean regret" in message and "allowed 0.85" in message


def test_tau_is_moderated() -> None:
    report = check_learner(replace(Greedy(0.01)), rounds=1000, seeds=8)
    assert report.subject == "Greedy(tau=0.01)" and not report.failures


def test_own_instances_and_what_is_not_promised() -> None:
    report = check_learner(
        NeverLearns(), instances={"rps": cyclic(3)}, skip=["diagonal"], rounds=1000, seeds=8
    )
    assert [row.game for row in report.rows if row.promise.name == "sublinear"] == ["rps"]
    assert "diagonal" not in str(report)
    with pytest.raises(ValueError, match="skip names no property linear; they are honest, counting"):
        check_learner(Greedy(0.1), skip=["linear"])
