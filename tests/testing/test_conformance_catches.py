"""Negative controls: what is broken on purpose is caught, and the message names the property and the game."""

import itertools
import re
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import pytest

import pgames as pg
from pgames.solver import State
from pgames.testing import ConformanceError, check_arena, check_solver, known_games, solver_cases

TAU = 0.1


def few(tau):
    return [known for known in known_games(tau) if known.name in ("cyclic3", "two_prompts")]


def failures(check, *arguments, **keywords):
    """(names of the properties that failed, the message)."""
    with pytest.raises(ConformanceError) as caught:
        check(*arguments, **keywords)
    return {row.promise.name for row in caught.value.report.failures}, str(caught.value)


@dataclass(frozen=True)
class Base:
    """A correct INPO; each control below breaks one thing."""

    tau: float = TAU
    eta: float = 0.5

    @property
    def target(self) -> float:
        return self.tau

    def init(self, arena) -> State:
        return State(0, arena.reference)

    def prior(self, arena, policy):
        share = self.eta * self.tau
        return arena.geometric_mixture((1 - share, policy), (share, arena.reference))

    def improve(self, arena, state) -> Any:
        return arena.mirror_step(self.prior(arena, state.policy), state.policy, self.eta)

    def step(self, arena, state) -> State:
        return State(state.t + 1, self.improve(arena, state))


class Unnormalised(Base):
    def improve(self, arena, state):
        return super().improve(arena, state) + 0.1


class FromAhead(Base):
    """EGPO whose second step starts from the look-ahead policy."""

    def improve(self, arena, state):
        ahead = super().improve(arena, state)
        return arena.mirror_step(ahead, ahead, self.eta)


class FromAheadPulled(Base):
    """The same with the pull to the reference repeated: two INPO steps, which cycle where EGPO does not."""

    def improve(self, arena, state):
        ahead = super().improve(arena, state)
        return arena.mirror_step(self.prior(arena, ahead), ahead, self.eta)


@dataclass(frozen=True)
class HiddenCounter(Base):
    counter: Any = field(default_factory=itertools.count, repr=False)

    def improve(self, arena, state):
        return arena.mirror_step(state.policy, state.policy, self.eta / (1 + next(self.counter)))


class WritesIntoItsInput(Base):
    def init(self, arena):
        return State(0, arena.reference.copy())

    def improve(self, arena, state):
        policy = super().improve(arena, state)
        state.policy[...] = policy
        return state.policy


class WritesIntoTheReference(WritesIntoItsInput):
    def init(self, arena):
        return State(0, arena.reference)


class Unmasks(Base):
    def improve(self, arena, state):
        policy = np.maximum(super().improve(arena, state), -30.0)
        return policy - np.log(np.exp(policy).sum(axis=-1, keepdims=True))


class LikesTheFirst(Base):
    def improve(self, arena, state):
        policy = super().improve(arena, state).copy()
        policy[..., 0] += 0.01
        return policy - np.log(np.exp(policy).sum(axis=-1, keepdims=True))


class MeetsPrompts(Base):
    def improve(self, arena, state):
        policy = super().improve(arena, state)
        inside = np.where(policy > -50, policy, 0.0)
        policy = policy * (1 + 0.01 * inside.mean(axis=(1, 2), keepdims=True))
        return policy - np.log(np.exp(policy).sum(axis=-1, keepdims=True))


class MeetsRuns(Base):
    def improve(self, arena, state):
        policy = super().improve(arena, state)
        return arena.mixture((0.9, policy), (0.1, np.broadcast_to(policy[:1], policy.shape).copy()))


class Overflows(Base):
    """The soft best response without subtracting the largest exponent."""

    def improve(self, arena, state):
        rates = np.einsum("xyz,sxz->sxy", arena.game.P, np.exp(state.policy))
        with np.errstate(all="ignore"):
            weights = np.exp(arena.reference) * np.exp(rates / self.tau)
            return np.log(weights / weights.sum(axis=-1, keepdims=True))


class Miscounts(Base):
    def step(self, arena, state):
        return State(state.t + 2, self.improve(arena, state))


@dataclass(frozen=True)
class RemembersOutsideTheState(Base):
    """Its opponent is the policy before, kept in the solver instead of in the state."""

    last: list = field(default_factory=list, repr=False)

    def init(self, arena):
        self.last[:] = [arena.reference]
        return super().init(arena)

    def improve(self, arena, state):
        opponent, self.last[0] = self.last[0], state.policy
        return arena.mirror_step(self.prior(arena, state.policy), opponent, self.eta)


class WrongPull(Base):
    def prior(self, arena, policy):
        return replace(Base(), tau=2 * self.tau, eta=self.eta).prior(arena, policy)


class Crashes(Base):
    def improve(self, arena, state):
        return arena.mirror_step(state.policy, state.policy, 1 / (self.tau - self.tau))


def test_the_base_of_all_controls_passes():
    check_solver(Base(), contracts=1 - 0.5 * TAU + 0.01, games=few(TAU))


@pytest.mark.parametrize(
    ("solver", "property"),
    [
        (Unnormalised(), "distributions"),
        (FromAhead(), "fixed_point"),
        (HiddenCounter(), "purity"),
        (HiddenCounter(), "seeds"),
        (WritesIntoItsInput(), "purity"),
        (Unmasks(), "masking"),
        (LikesTheFirst(), "symmetry"),
        (MeetsPrompts(), "prompts"),
        (MeetsRuns(), "runs"),
        (Overflows(), "extremes"),
        (Miscounts(), "rounds"),
        (RemembersOutsideTheState(), "rounds"),
        (WrongPull(), "fixed_point"),
        (WrongPull(), "convergence"),
        (Crashes(), "distributions"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_broken_solver_is_caught(solver, property):
    caught, told = failures(check_solver, solver, games=few(TAU))
    assert property in caught
    assert told.startswith(f"{solver!r} fails ")
    assert re.search(rf"^  {property} on ", told, re.MULTILINE)


def test_only_what_is_broken_is_reported():
    caught, _ = failures(check_solver, Unmasks(), games=few(TAU))
    assert caught <= {"masking", "irrelevance", "fixed_point", "convergence"}


def test_extragradient_from_the_wrong_point_is_caught_where_it_matters():
    claims = {"contracts": 1 - 0.005, "rounds": 2500, "games": few(0.01)}
    check_solver(pg.EGPO(0.01, 0.5), **claims)
    caught, told = failures(check_solver, FromAheadPulled(0.01, 0.5), **claims)
    assert caught == {"contraction", "convergence"}
    assert re.search(
        r"convergence on cyclic3: the distance to .* after 2500 rounds \(.*\) is 0\.\d+, allowed", told
    )
    assert told.count("It is still moving") == 1


def test_biased_fixed_point_is_told_from_a_cycle():
    """Nash-MD at constant step settles, but elsewhere; SPPO never settles."""
    _, told = failures(check_solver, pg.NashMD(TAU, 0.5), games=few(TAU))
    assert "fixed_point on cyclic3" in told and "It has settled, but elsewhere" in told
    caught, told = failures(check_solver, pg.SPPO(0.5), fixed_point="nash", games=few(0.0))
    assert caught == {"convergence"} and "It is still moving" in told


def test_writing_into_the_input_is_named():
    _, told = failures(check_solver, WritesIntoItsInput(), games=few(TAU))
    assert "the change that step made to its inputs" in told and "never write into a handle" in told


def test_writing_into_the_reference_is_named():
    _, told = failures(check_solver, WritesIntoTheReference(), games=few(TAU))
    assert "raised ValueError" in told and "writes into the reference of the arena" in told


def test_a_crash_is_a_failure_with_its_cause():
    with pytest.raises(ConformanceError, match="raised ZeroDivisionError") as caught:
        check_solver(Crashes(), games=few(TAU))
    assert isinstance(caught.value.__cause__, ZeroDivisionError)
    assert "distributions on cyclic3, two_prompts: raised ZeroDivisionError" in str(caught.value)


def test_the_message_is_short_and_says_by_how_much():
    _, told = failures(check_solver, WrongPull(), games=few(TAU))
    line = next(line for line in told.splitlines() if line.startswith("  fixed_point on cyclic3"))
    assert re.fullmatch(
        r"  fixed_point on cyclic3: one step from the equilibrium moves it: the distance is "
        r"0\.0\d+, allowed 1e-07",
        line,
    )
    assert told.count("It leaves the equilibrium it claims to find") == 1


def test_one_case_fails_alone():
    cases = {parameter.id: parameter.values[0] for parameter in solver_cases(WrongPull(), games=few(TAU))}
    cases["masking-cyclic3"]()
    with pytest.raises(ConformanceError, match="fails 1 of 1 checks:\n  fixed_point on two_prompts"):
        cases["fixed_point-two_prompts"]()


GAME = pg.games.stack([pg.games.comal3(), pg.games.cyclic(5, p=0.8)])


class ForgetsToNormalise(pg.TableArena):
    def geometric_mixture(self, *terms):
        logs = [np.where(np.isneginf(pi), -np.inf, w * np.where(np.isneginf(pi), 0, pi)) for w, pi in terms]
        return sum(logs[1:], logs[0])


class MixesLogits(pg.TableArena):
    def mixture(self, *terms):
        return self.geometric_mixture(*terms)


class JudgesAgainstThePrior(pg.TableArena):
    """Pair labels on draws of the prior: what is fitted is the win rate against the prior."""

    def mirror_step(self, prior, opponent, step):
        return super().mirror_step(prior, prior, step)


class StepsTwice(pg.TableArena):
    def mirror_step(self, prior, opponent, step):
        return super().mirror_step(prior, opponent, 2 * step)


class FavoursTheFirst(pg.TableArena):
    def win_rate(self, first, second):
        return super().win_rate(first, second) + 0.02


class Noisy(pg.TableArena):
    """Win rates from a generator of its own."""

    generator = np.random.default_rng(0)

    def win_rate(self, first, second):
        return super().win_rate(first, second) + 1e-12 * self.generator.standard_normal(self.runs)


class SameInEveryRound(pg.TableArena):
    def at(self, t):
        return self


class CountsRounds(pg.TableArena):
    def at(self, t):
        return super().at(self.round + t)


class WritesIntoHandles(pg.TableArena):
    def mirror_step(self, prior, opponent, step):
        prior[...] = super().mirror_step(prior, opponent, step)
        return prior.copy()


class MovesItsReference(pg.TableArena):
    def anchored(self, reference):
        self.reference = reference
        return self


class AnchorsItsSteps(pg.TableArena):
    """Mirror steps that start from the reference whatever the prior."""

    def mirror_step(self, prior, opponent, step):
        return super().mirror_step(self.reference, opponent, step)


class DrawsByNumberOfRuns(pg.TableArena):
    def __init__(self, game, runs, samples):
        super().__init__(game, runs, samples=samples, first_run=1000 * runs)


class NoBestResponse(pg.TableArena):
    def mirror_step(self, prior, opponent, step):
        return super().mirror_step(prior, opponent, np.minimum(step, 1.0))


class OneWeightForAll(pg.TableArena):
    def mirror_step(self, prior, opponent, step):
        return super().mirror_step(prior, opponent, float(np.mean(step)))


class Unmasking(pg.TableArena):
    def mixture(self, *terms):
        mixed = np.logaddexp(super().mixture(*terms), -20.0)
        return mixed - np.log(np.exp(mixed).sum(axis=-1, keepdims=True))


class DuelsOfTheReference(pg.TableArena):
    def duel(self, first, second):
        return super().duel(self.reference, self.reference)


class ScoresItself(pg.TableArena):
    """A policy is said to beat itself (and anything else) a little too often, symmetrically wrong."""

    def win_rate(self, first, second):
        return super().win_rate(first, second) ** 1.1


class RatesOfThePolicy(pg.TableArena):
    """P(policy > y) in place of P(y > policy)."""

    def rates(self, policy):
        return 1 - super().rates(policy)


@pytest.mark.parametrize(
    ("broken", "properties"),
    [
        (ForgetsToNormalise, {"geometric_formula", "distributions"}),
        (MixesLogits, {"mixture_formula", "bilinear"}),
        (JudgesAgainstThePrior, {"mirror_optimal", "mirror_formula", "label_route"}),
        (StepsTwice, {"mirror_optimal", "mirror_formula"}),
        (FavoursTheFirst, {"antisymmetry", "self_play", "win_rate_formula"}),
        (Noisy, {"purity"}),
        (WritesIntoHandles, {"immutable"}),
        (MovesItsReference, {"immutable"}),
        (AnchorsItsSteps, {"anchored", "mirror_optimal"}),
        (NoBestResponse, {"best_response"}),
        (OneWeightForAll, {"per_run_weights"}),
        (Unmasking, {"distributions", "mixture_formula"}),
        (DuelsOfTheReference, {"label_route"}),
        (ScoresItself, {"antisymmetry", "self_play", "bilinear"}),
        (RatesOfThePolicy, {"rates_formula", "win_rate_formula"}),
    ],
)
def test_broken_arena_is_caught(broken, properties):
    caught, told = failures(check_arena, broken(GAME, runs=3))
    assert properties <= caught
    for name in properties:
        assert re.search(rf"^  {name}: .* is .*, allowed ", told, re.MULTILINE)


@pytest.mark.parametrize(
    ("broken", "properties"),
    [
        (JudgesAgainstThePrior, {"mirror_optimal", "mirror_formula"}),
        (FavoursTheFirst, {"antisymmetry"}),
        (SameInEveryRound, {"rounds"}),
        (CountsRounds, {"rounds"}),
    ],
)
def test_broken_sampled_arena_is_caught(broken, properties):
    caught, _ = failures(check_arena, broken(GAME, runs=64, samples=100))
    assert properties <= caught


def test_randomness_by_number_of_runs_is_caught():
    arena, narrow = (DrawsByNumberOfRuns(GAME, runs, samples=20) for runs in (8, 3))
    caught, told = failures(check_arena, arena, narrow=narrow)
    assert caught == {"runs"}
    assert "the first 3 of 8 runs differ" in told and "key it by the run's number" in told


def test_tolerance_is_what_it_says():
    """An arena that is off by 0.02 passes at tolerance 0.05, as a fitted one must, and fails at 0.01."""
    check_arena(FavoursTheFirst(GAME, runs=3), tolerance=0.05)
    failures(check_arena, FavoursTheFirst(GAME, runs=3), tolerance=0.01)
