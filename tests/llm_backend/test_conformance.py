"""The conformance kit on a language model: every solver and learner of the tables, and the arena itself."""

import numpy as np
import pytest
import torch

import pgames as pg
from llm_backend import Fit, testing
from llm_backend.policies.handles import Answers
from llm_backend.testing import GameArena, text_arena
from pgames.bandits import learners
from pgames.solver import State
from pgames.solvers import explore, oracle
from pgames.testing import check_arena, check_solver, known_games
from pgames.testing.solver_properties import ON_EXTREME_GAMES, ON_KNOWN_GAMES, extreme_games
from tests.support.conformance_claims import LEARNED, LEARNERS, ON_TEXT, SOLVERS, tilted
from tests.testing.test_conformance_catches import (
    Base,
    Crashes,
    FromAhead,
    HiddenCounter,
    Miscounts,
    RemembersOutsideTheState,
    WrongPull,
    failures,
)

# The kit also plays a game in which all responses tie, where a step says that it learns nothing.
pytestmark = pytest.mark.filterwarnings("ignore:the judge preferred nothing")

torch.set_num_threads(1)

# A cycle with an uneven reference, and beside it a prompt with fewer responses.
GAME = pg.games.stack(
    [
        pg.games.cyclic(3, p=0.9).with_reference([0.6, 0.3, 0.1]),
        pg.games.duel(0.8).with_reference([0.3, 0.7]),
    ]
)
TEXT = {"games": [GAME], "tolerance": 0.01, "short": 3}
NO_RUNS = "runs"  # the one property that is skipped: text has no run axis
FAST = ("NashMD, constant step", "RLHF", "SPIN")
PROPERTIES = {one.name for one in ON_KNOWN_GAMES + ON_EXTREME_GAMES}

ON_TABLES_ONLY = (learners.SparringEXP3, learners.RUCB, learners.DoubleThompson)  # their duels are single
ON_TEXT_TOO = [learner for learner in LEARNERS if not isinstance(learner, ON_TABLES_ONLY)]
DRAW_PAIRS = (explore.ENPO, explore.DENPO, explore.Passive)  # even in exact play: labels are of drawn pairs


def text_with_expert(game, **arguments):
    return text_arena(game, expert=tilted(game, 1.0), **arguments)


def text_of_duels(game, runs=1, seed=0, samples=None, first_run=0):
    return text_arena(game, runs, seed, samples or 8, first_run)


def on_text(name):
    """The solver and the claims of the tables, with what ON_TEXT changes."""
    solver, claims = SOLVERS[name]
    other, changed = ON_TEXT.get(name, (solver, {}))
    within = None if claims.get("within", 0) is None else 0.02
    arena = text_with_expert if "arena" in claims else text_arena
    skip = [NO_RUNS, *claims.get("skip", ())]
    if isinstance(other, (pg.RegretMatching, pg.RMPlus, pg.PRMPlus)):
        # a model's probabilities err by 1e-8, and without a past the policy is proportional to such regrets
        skip.append("fixed_point")
    return other, {**claims, **TEXT, "within": within, **changed, "skip": skip, "arena": arena}


@pytest.mark.parametrize(
    "name",
    [name if name in FAST else pytest.param(name, marks=pytest.mark.slow) for name in SOLVERS],
)
def test_solver(name, monkeypatch):
    """By Gauss-Newton: as near to the closed forms as the default, Adam, in a bit more than half the time."""
    monkeypatch.setattr(testing, "CLOSE", Fit(epochs=3))
    solver, claims = on_text(name)
    assert not check_solver(solver, **claims).failures


def test_on_text_no_claim_is_dropped():
    for name, (solver, changed) in ON_TEXT.items():
        table, claims = SOLVERS[name]
        assert type(solver) is type(table)
        assert not {claim for claim in changed if changed[claim] is None}
        assert ("contracts" in changed) == ("contracts" in claims)
        assert callable(changed.get("fixed_point")) == (
            callable(claims.get("fixed_point")) and name != "SPIN"
        )


@pytest.mark.parametrize("learner", ON_TEXT_TOO, ids=repr)
def test_learner(learner):
    short = getattr(learner, "explore", 3) + 1  # a round longer than it only explores
    claims = {**LEARNED, **TEXT, "short": short, "skip": [NO_RUNS, *LEARNED["skip"]], "arena": text_of_duels}
    assert not check_solver(learner, **claims).failures


@pytest.mark.slow
@pytest.mark.parametrize("learner", [one for one in ON_TEXT_TOO if not isinstance(one, DRAW_PAIRS)], ids=repr)
def test_learner_without_chance(learner):
    """A property that tables cannot test: in exact play a duel is its expectation, and nothing is drawn."""
    keep = set(LEARNED["skip"])
    claims = {**LEARNED, **TEXT, "skip": PROPERTIES - keep, "arena": text_arena}
    if isinstance(learner, oracle.VMG):
        claims["tolerance"] = 0.05  # the equilibria of its biased beliefs are far from where fits start
    assert {row.promise.name for row in check_solver(learner, **claims).rows} == keep


@pytest.mark.parametrize("learner", [one for one in LEARNERS if isinstance(one, ON_TABLES_ONLY)], ids=repr)
def test_learner_of_tables_says_so(learner):
    with pytest.raises(TypeError, match=r"needs the verb\(s\) compare, coins, which GameArena lacks"):
        learner.init(text_of_duels(GAME))


# -- negative controls ----------------------------------------------------------------------------------

TAU, ETA = 0.2, 2.0


class LikesTheFirst(Base):
    """Plays half against the first response in the list."""

    def improve(self, arena, state):
        first = Answers(*zip(*(((texts[0],), np.ones(1)) for texts in arena.space.texts), strict=True))
        opponent = arena.mixture((0.5, state.policy), (0.5, first))
        return arena.mirror_step(self.prior(arena, state.policy), opponent, self.eta)


class MeetsPrompts(Base):
    """The step depends on the number of prompts."""

    def improve(self, arena, state):
        step = self.eta * len(arena.prompts) / 3
        return arena.mirror_step(self.prior(arena, state.policy), state.policy, step)


class WritesIntoItsMemory(Base):
    def init(self, arena):
        return State(0, arena.reference, [arena.reference])

    def step(self, arena, state):
        state.memory[0] = self.improve(arena, state)
        return State(state.t + 1, state.memory[0], state.memory)


class CountsEveryone(Base):
    """The step depends on the number of responses of the model, including those outside the game."""

    def improve(self, arena, state):
        step = self.eta * arena.P.shape[-1] / 3
        return arena.mirror_step(self.prior(arena, state.policy), state.policy, step)


def everyone(game, **arguments):
    """An arena that includes the responses of reference probability 0."""
    everywhere = np.maximum(game.reference, 0.01)
    return text_arena(game.with_reference(everywhere / everywhere.sum(axis=1, keepdims=True)), **arguments)


def loose(game, **arguments):
    return text_arena(game, fit=Fit(epochs=3, lr=2e-3), **arguments)


def only(names):
    return {**TEXT, "rounds": 10, "within": 0.02, "skip": PROPERTIES - set(names)}


def test_the_base_of_all_controls_passes():
    names = PROPERTIES - {NO_RUNS, "extremes"}
    check_solver(Base(TAU, ETA), contracts=1 - ETA * TAU, arena=text_arena, **only(names))


@pytest.mark.parametrize(
    ("broken", "caught"),
    [
        (FromAhead, {"fixed_point"}),
        (HiddenCounter, {"purity", "seeds"}),
        (WritesIntoItsMemory, {"purity"}),
        (LikesTheFirst, {"symmetry"}),
        (MeetsPrompts, {"prompts"}),
        (CountsEveryone, {"irrelevance"}),
        (Miscounts, {"rounds"}),
        (RemembersOutsideTheState, {"rounds"}),
        (WrongPull, {"fixed_point", "convergence"}),
        (Crashes, {"distributions"}),
    ],
)
def test_broken_solver_is_caught(broken, caught):
    names, _ = failures(check_solver, broken(TAU, ETA), arena=text_arena, **only(caught))
    assert names == caught


@pytest.mark.parametrize(
    ("arena", "caught"), [(everyone, {"masking", "irrelevance"}), (loose, {"convergence", "contraction"})]
)
def test_broken_text_is_caught(arena, caught):
    names, _ = failures(check_solver, Base(TAU, ETA), contracts=1 - ETA * TAU, arena=arena, **only(caught))
    assert names == caught


# -- the arena ------------------------------------------------------------------------------------------


def apart(arena):
    """Three policies that play different responses, so that the choice of opponent matters."""
    rows = (
        ([0.8, 0.1, 0.1], [0.9, 0.1, 0]),
        ([0.1, 0.8, 0.1], [0.1, 0.9, 0]),
        ([0.1, 0.1, 0.8], [0.5, 0.5, 0]),
    )
    return [arena.policy(row) for row in rows]


def test_exact_arena():
    report = check_arena(text_arena(GAME), tolerance=0.01, policies=apart)
    assert {row.promise.name for row in report.rows if row.status == "not claimed"} == {
        "runs",
        "per_run_weights",
    }


@pytest.mark.slow
def test_sampled_arena():
    """With enough draws to meet every response, nothing is skipped."""
    report = check_arena(text_arena(GAME, samples=200), tolerance=0.01, policies=apart)
    assert {row.promise.name for row in report.rows if row.status == "not claimed"} == {
        "runs",
        "per_run_weights",
        "label_route",  # checked in exact play
    }


class JudgesAgainstThePrior(GameArena):
    """Pair labels on draws of the prior: what is fitted is the win rate against the prior."""

    def mirror_step(self, prior, opponent, step):
        return super().mirror_step(prior, prior, step)


class StepsTwice(GameArena):
    def mirror_step(self, prior, opponent, step):
        return super().mirror_step(prior, opponent, 2 * step)


@pytest.mark.parametrize("broken", [JudgesAgainstThePrior, StepsTwice])
@pytest.mark.parametrize("samples", [None, pytest.param(200, marks=pytest.mark.slow)])
def test_broken_arena_is_caught(broken, samples):
    arena = broken(GAME, 0, samples, text_arena(GAME).fit, None)
    keep = {"mirror_optimal", "mirror_formula"}
    every = {row.promise.name for row in check_arena(pg.TableArena(GAME)).rows}
    names, _ = failures(check_arena, arena, tolerance=0.01, policies=apart, skip=every - keep)
    assert names == keep


# -- the model ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("known", [*known_games(0.1), *extreme_games()], ids=lambda known: known.name)
def test_the_model_is_the_game(known):
    game, arena = known.game, text_arena(known.game)
    p = arena.probs(arena.reference)
    assert p.shape == (1, *game.reference.shape)
    np.testing.assert_allclose(p[0], game.reference, rtol=1e-4, atol=1e-300)
    np.testing.assert_array_equal(p[0] > 0, game.support)
    np.testing.assert_allclose(arena.game.P, game.P)
    there = arena.policy(known.equilibrium)
    np.testing.assert_allclose(arena.probs(there)[0], known.equilibrium, atol=1e-5)
    alone = pg.TableArena(pg.PreferenceGame(game.P, game.reference))
    rate = alone.win_rate(alone.policy(known.equilibrium), alone.reference)[0]
    assert arena.win_rate(there, arena.reference) == pytest.approx(rate, abs=1e-5)
    assert arena.exploitability(there, 0.1) == pytest.approx(
        pg.exploitability(arena.game, known.equilibrium, 0.1), abs=1e-4
    )


def test_responses_outside_the_game_are_tokens_of_the_model():
    game = pg.games.rock_paper_scissors().with_reference([0.4, 0.0, 0.6])
    arena = text_arena(game, expert=[[0.2, 0.0, 0.8]])
    assert arena.space.texts == [["r0", "r2"]]
    assert arena.lm.encode("r1") != arena.lm.encode("r2")
    assert arena.expert is not None
    np.testing.assert_allclose(arena.probs(arena.expert)[0], [[0.2, 0.0, 0.8]])
    np.testing.assert_allclose(arena.probs(arena.policy([[0.5, 0.0, 0.5]]))[0], [[0.5, 0, 0.5]], atol=1e-6)


@pytest.mark.parametrize("arguments", [{"runs": 2}, {"first_run": 1}])
def test_text_has_one_run(arguments):
    with pytest.raises(ValueError, match="text has one run"):
        text_arena(GAME, **arguments)


def test_the_rates_of_listed_responses_are_those_of_the_table():
    text, table = text_arena(GAME), pg.TableArena(GAME)
    probabilities = [[0.2, 0.3, 0.5], [0.4, 0.6, 0.0]]
    policy = text.policy(probabilities)
    expected = table.rates(table.policy(probabilities))
    np.testing.assert_allclose(
        text.rates(policy), np.where(GAME.support, expected, text.rates(policy)), atol=1e-5
    )
    listed = super(GameArena, text).rates(policy)
    np.testing.assert_allclose(listed[0], expected[0, 0], atol=1e-5)
