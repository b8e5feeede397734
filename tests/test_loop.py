"""`run` and `solve`: what they refuse before the first round, metrics of one's own, and runs that go on."""

import copy
import dataclasses

import numpy as np
import pytest

import pgames as pg
from pgames.kernels.compiling import Compiling
from pgames.metrics import Entropy, Named, OfState

GAME = pg.games.comal3()
EGPO = pg.EGPO(0.1, 0.5)


class Own:
    """An arena of one's own: two verbs, a reference and rounds."""

    def __init__(self):
        self.table = pg.TableArena(GAME, runs=2)
        self.reference = self.table.reference

    def geometric_mixture(self, *terms):
        return self.table.geometric_mixture(*terms)

    def mirror_step(self, prior, opponent, step):
        return self.table.mirror_step(prior, opponent, step)

    def at(self, t):
        return self

    def anchored(self, reference):
        view = copy.copy(self)
        view.reference = reference
        return view


class Unplayed:
    """A solver that must not be asked to play."""

    target = 0.0

    def init(self, arena):
        return pg.State(0, arena.reference)

    def step(self, arena, state):
        raise AssertionError("a round was played")


@pytest.mark.parametrize(
    ("metrics", "error", "says"),
    [
        (
            [lambda arena, policy: policy],
            TypeError,
            "a metric needs a name, which a lambda lacks: pass pgames",
        ),
        ([Entropy], TypeError, r"called with \(arena, policy\), got Entropy: pass Entropy\(...\)"),
        (["entropy"], TypeError, "got str: pass a function in Named"),
        ("entropy", TypeError, "metrics are a list, got str"),
        (Entropy(), TypeError, "metrics are a list, got Entropy"),
        ([Entropy(), Named("entropy", abs)], ValueError, "two metrics are called 'entropy'"),
        ([Named("", abs)], TypeError, "needs a name"),
    ],
)
def test_metrics_are_checked_before_the_first_round(metrics, error, says):
    with pytest.raises(error, match=says):
        pg.run(Unplayed(), pg.TableArena(GAME), 5, record=metrics)


def test_a_function_without_a_name_is_named_in_the_remedy():
    def mass(arena, policy):
        return policy

    with pytest.raises(TypeError, match=r"pass pgames.metrics.Named\('my metric', mass\)"):
        pg.run(Unplayed(), pg.TableArena(GAME), 5, record=[mass])


def test_own_metrics_of_the_policy_and_of_the_state():
    metrics = [
        Named("first", lambda arena, policy: arena.probs(policy)[:, 0, 0]),
        OfState("round", lambda arena, state: np.full(arena.runs, state.t)),
        OfState("ahead", lambda arena, state: arena.probs(state.memory)[:, 0, 0]),
    ]
    curve = pg.run(pg.ONPO(0.1, 0.5), pg.TableArena(GAME, runs=2), 20, metrics)
    np.testing.assert_array_equal(curve.values["round"], [curve.rounds] * 2)
    last = curve.state
    np.testing.assert_array_equal(curve.values["first"][:, -1], np.exp(last.policy[:, 0, 0]))
    np.testing.assert_array_equal(curve.values["ahead"][:, -1], np.exp(last.memory[:, 0, 0]))
    with pytest.raises(TypeError, match="'round' reads the state"):
        metrics[1](pg.TableArena(GAME), last.policy)


@pytest.mark.parametrize("value", [lambda a, p: 1.0, lambda a, p: np.ones(3), lambda a, p: ["a", "b"]])
def test_a_metric_returns_one_number_per_run(value):
    with pytest.raises(ValueError, match=r"'mine' must return one value per run, float64\[2\]"):
        pg.run(EGPO, pg.TableArena(GAME, runs=2), 2, [Named("mine", value)])


@pytest.mark.parametrize("compiled", [False, True])
def test_a_run_goes_on_from_a_state_with_the_bits_of_one_run(compiled):
    arena = pg.TableArena(GAME, runs=2, seed=3, samples=4)
    whole = pg.run(EGPO, arena, 60, compiled=False)
    first = pg.run(EGPO, arena, 25, compiled=False)
    if compiled:
        arena = pg.TableArena(GAME, runs=2)
        whole, first = pg.run(EGPO, arena, 60), pg.run(EGPO, arena, 25)
    rest = pg.run(EGPO, arena, 35, state=first.state, compiled=compiled)
    assert rest.rounds[0] == 25 and rest.rounds[-1] == 60 == rest.state.t
    np.testing.assert_array_equal(rest.state.policy, whole.state.policy)
    for name in whole.values:
        shared, mine, theirs = np.intersect1d(rest.rounds, whole.rounds, return_indices=True)
        assert len(shared) > 10
        np.testing.assert_array_equal(rest.values[name][:, mine], whole.values[name][:, theirs])


def test_a_state_that_does_not_fit_is_refused():
    done = pg.run(EGPO, pg.TableArena(GAME), 2)
    with pytest.raises(TypeError, match="must be a State, got Curve: pass its field state"):
        pg.run(EGPO, pg.TableArena(GAME), 2, state=done)
    for arena in (pg.TableArena(GAME, runs=2), pg.TableArena(pg.games.cyclic(5))):
        with pytest.raises(ValueError, match=r"the state has a policy of shape \[1, 1, 3\]"):
            pg.run(EGPO, arena, 2, state=done.state)


@pytest.mark.parametrize("play", [pg.solve, pg.run, lambda *a: list(pg.iterate(*a))])
@pytest.mark.parametrize(
    ("solver", "arena", "says"),
    [
        (EGPO, GAME, r"plays in an arena, got a game: pass pgames.TableArena\(game\)"),
        (pg.EGPO, pg.TableArena(GAME), r"got the class EGPO: pass EGPO\(tau=..., eta=...\)"),
        (EGPO, pg.TableArena, r"got the class TableArena: pass TableArena\(...\)"),
        (pg.TableArena(GAME), EGPO, r"TableArena lacks init and step: pass a solver first"),
    ],
)
def test_a_wrong_argument_is_named_with_the_right_one(play, solver, arena, says):
    with pytest.raises(TypeError, match=says):
        play(solver, arena, 3)


def test_hidden_preferences_have_a_regret_and_no_exploitability():
    with pytest.raises(TypeError, match=r"hidden; measure the regret with pgames.simulate\(learner, game"):
        pg.run(pg.Greedy(0.1), pg.DuelArena(GAME), 3)
    with pytest.raises(TypeError, match=r"Greedy needs the verb.*pass a DuelArena, or measure its regret"):
        pg.solve(pg.Greedy(0.1), pg.TableArena(GAME), 3)


@pytest.mark.parametrize("solver", [EGPO, pg.COMAL(0.1, 0.5, 5), pg.ONPO(0.1, 0.5), pg.MMD(0.1, 0.3)])
def test_an_arena_of_your_own_needs_only_the_verbs_that_the_solver_says(solver):
    mine = pg.solve(solver, Own(), 40).policy
    np.testing.assert_array_equal(mine, pg.solve(solver, pg.TableArena(GAME, runs=2), 40).policy)


def test_a_verb_that_an_own_arena_lacks_is_to_be_written():
    for solver in (pg.Average(EGPO), pg.FictitiousPlay()):
        with pytest.raises(TypeError, match=r"needs the verb.*mixture.*give Own a method of that name"):
            pg.solve(solver, Own(), 3)
    with pytest.raises(TypeError, match=r"exploitability, which Own lacks: pass metrics of your own"):
        pg.run(EGPO, Own(), 3)
    curve = pg.run(EGPO, Own(), 3, [Named("first", lambda arena, policy: policy[:, 0, 0])])
    assert curve.seeds == 2


def test_a_run_of_no_rounds_cannot_be_drawn():
    with pytest.raises(ValueError, match="holds round 0 alone"):
        pg.run(EGPO, pg.TableArena(GAME), 0).plot()


def test_compilation_is_said_once_and_not_counted(capsys, monkeypatch):
    class Dispatcher:
        py_func = pg.run

    @dataclasses.dataclass
    class Event:
        data: dict

    monkeypatch.setattr("pgames.kernels.compiling.PATIENCE", 1000.0)  # however busy the machine is
    listener, event = Compiling(), Event({"dispatcher": Dispatcher})
    listener.on_start(event)
    listener.on_start(event)  # a function that the first one calls
    sum(range(2_000_000))
    listener.on_end(event)
    assert listener.seconds == 0
    listener.on_end(event)
    assert 0 < listener.seconds < 5 and not capsys.readouterr().err
    listener.seconds = 1500.0
    for _ in range(2):
        listener.on_start(event)
        listener.on_end(event)
    assert capsys.readouterr().err.count("compiling, once") == 1
    Dispatcher.py_func = sorted  # a function of somebody else
    before = listener.seconds
    listener.on_start(event)
    listener.on_end(event)
    assert listener.seconds == before
