"""What a run is given is used as it is, or refused in one line before the first round."""

import numpy as np
import pytest

import pgames as pg
from pgames import metrics

GAME = pg.games.comal3()
ARENA = pg.TableArena(GAME)
SOLVER = pg.EGPO(0.1, 0.5)


@pytest.mark.parametrize("rounds", [1.5, "10", None, np.nan, np.inf, True, [3], 3 + 0j])
def test_rounds_are_whole_numbers(rounds):
    for call in (
        lambda: pg.run(SOLVER, ARENA, rounds),
        lambda: pg.solve(SOLVER, ARENA, rounds),
        lambda: list(pg.iterate(SOLVER, ARENA, rounds)),
        lambda: pg.simulate(pg.Greedy(0.1), GAME, rounds),
        lambda: pg.stability(SOLVER, GAME, rounds=rounds),
    ):
        with pytest.raises(ValueError, match=r"rounds must be a whole number of at least [01], got"):
            call()


def test_a_float_that_is_whole_is_a_number_of_rounds():
    assert pg.run(SOLVER, ARENA, 1e2).rounds[-1] == 100
    assert pg.simulate(pg.Greedy(0.1), GAME, 1e1, seeds=2.0).rounds[-1] == 10


@pytest.mark.parametrize("points", [1, 2, 3, 10**9])
def test_the_last_round_is_measured_whatever_the_number_of_points(points):
    curve = pg.run(SOLVER, ARENA, 20, points=points)
    assert curve.rounds[-1] == 20 and curve.state.t == 20
    assert len(curve.rounds) <= points + 1
    assert pg.run(SOLVER, ARENA, 5, points=points, state=curve.state).rounds[-1] == 25
    assert pg.simulate(pg.Greedy(0.1), GAME, 20, record=points).rounds[-1] == 20


@pytest.mark.parametrize("points", [0, -1, 2.5, "x", np.nan])
def test_points_are_at_least_one(points):
    with pytest.raises(ValueError, match="points must be"):
        pg.run(SOLVER, ARENA, 20, points=points)
    with pytest.raises(ValueError, match="record must be"):
        pg.simulate(pg.Greedy(0.1), GAME, 20, record=points)


NUMBERS = {
    "tau": ("x", np.nan, -1, [0.1]),
    "refresh": ("x", np.nan, np.inf, 1, [1.1]),
    "seed": (-1, 1.5, None, "x"),
    "first_run": (-1, 1.5, None),
    "seeds": (0, 1.5, "x", np.inf),
}


@pytest.mark.parametrize("name", NUMBERS)
def test_the_numbers_of_a_simulation_are_checked(name):
    for value in NUMBERS[name]:
        with pytest.raises(ValueError, match=f"{name} must be"):
            pg.simulate(pg.Greedy(0.1), GAME, 3, **{name: value})


def odd(**fields):
    return pg.run(SOLVER, ARENA, 3).state._replace(**fields)


STATES = {
    "a round that is none": (lambda: odd(t="3"), "the state has t = '3'"),
    "a round before the first": (lambda: odd(t=-3), "the state has t = -3"),
    "NaN": (lambda: odd(policy=np.full((1, 1, 3), np.nan)), "must hold log-probabilities, got nan"),
    "probabilities": (lambda: odd(policy=np.full((1, 1, 3), 1 / 3)), "log-probabilities, got 0.333"),
    "lists": (lambda: odd(policy=[[[0.0, -1.0, -1.0]]]), "must be float64, got list"),
    "float32": (lambda: odd(policy=np.zeros((1, 1, 3), np.float32)), "must be float64, got float32"),
    "another size": (lambda: odd(policy=np.zeros((1, 1, 5))), "a policy of shape"),
}


@pytest.mark.parametrize("case", STATES)
def test_a_state_that_does_not_fit_is_refused(case):
    make, said = STATES[case]
    state = make()
    for call in (
        lambda: pg.run(SOLVER, ARENA, 3, state=state),
        lambda: pg.solve(SOLVER, ARENA, 3, state),
        lambda: list(pg.iterate(SOLVER, ARENA, 3, state)),
    ):
        with pytest.raises(ValueError, match=said):
            call()


def test_a_state_of_another_solver_is_named():
    simple = pg.solve(pg.MMD(0.1, 0.5), ARENA, 3)
    with pytest.raises(ValueError, match=r"PRMPlus cannot .* continue with the solver that made"):
        pg.run(pg.PRMPlus(), ARENA, 3, state=simple)
    with pytest.raises(ValueError, match="RegretMatching cannot continue this state"):
        pg.solve(pg.RegretMatching(), ARENA, 3, simple)


def test_a_fault_of_the_solver_itself_is_its_own():
    class Failing(pg.MMD):
        def step(self, arena, state):
            raise ValueError("mine")

    with pytest.raises(ValueError, match=r"^mine$"):
        pg.run(Failing(0.1, 0.5), ARENA, 3, state=pg.solve(pg.MMD(0.1, 0.5), ARENA, 1))


def test_a_metric_keeps_its_shape():
    growing = metrics.OfState("grows", lambda arena, state: np.ones((1, state.t + 1)))
    with pytest.raises(
        ValueError, match=r"metric 'grows' must keep its shape, \[1, 1\], got \[1, 2\] in rou"
    ):
        pg.run(SOLVER, ARENA, 5, [growing])
    with pytest.raises(ValueError, match="metric 'grows' must keep its shape"):
        pg.simulate(pg.Greedy(0.1), GAME, 5, metrics=[growing])
    ragged = metrics.Named("ragged", lambda arena, policy: [[1, 2], [3]])
    with pytest.raises(ValueError, match="metric 'ragged' must return one value per run"):
        pg.run(SOLVER, ARENA, 5, [ragged])


@pytest.mark.parametrize("kind", [metrics.Named, metrics.OfState])
def test_a_metric_needs_a_function(kind):
    with pytest.raises(TypeError, match="metric 'm' needs a function, got"):
        kind("m", "not a function")


@pytest.mark.parametrize("role", ["attackers", None, 3])
def test_a_role_is_one_of_two(role):
    for kind in (metrics.Gain, metrics.RoleEntropy):
        with pytest.raises(ValueError, match='role must be "attacker" or "defender", got'):
            kind(role)


def own(**methods):
    """A solver of one's own with the methods of one that keeps its policy, or others."""
    kept = {
        "target": 0.1,
        "init": lambda self, arena: pg.State(0, arena.reference),
        "step": lambda self, arena, state: state._replace(t=state.t + 1),
    }
    return type("Own", (), {**kept, **methods})()


SOLVERS = {
    "a step without an answer": (
        own(step=lambda *_: None),
        TypeError,
        "Own.step must return a State, got NoneType",
    ),
    "a step to a tuple": (
        own(step=lambda s, a, b: tuple(b)),
        TypeError,
        "Own.step must return a State, got tup",
    ),
    "a start that is a policy": (
        own(init=lambda s, a: a.reference),
        TypeError,
        "Own.init must return a State",
    ),
    "a round that does not count": (
        own(step=lambda s, a, b: b),
        ValueError,
        "Own went from round 0 to 0 in one",
    ),
    "a shorter policy": (
        own(step=lambda s, a, b: pg.State(b.t + 1, b.policy[..., :2])),
        ValueError,
        r"has shape \[1, 1, 3\] before round 0 and \[1, 1, 2\] after it",
    ),
}


@pytest.mark.parametrize("case", SOLVERS)
def test_a_solver_that_breaks_its_contract_is_named(case):
    solver, kind, said = SOLVERS[case]
    with pytest.raises(kind, match=said):
        pg.run(solver, ARENA, 3)
    with pytest.raises(kind, match=said):
        pg.solve(solver, ARENA, 3)


def test_an_arena_that_lies_about_its_shape_is_named():
    class Lying(pg.TableArena):
        def mirror_step(self, prior, opponent, step):
            return super().mirror_step(prior, opponent, step)[..., :2]

    with pytest.raises(ValueError, match="MMD or a verb of Lying changed it"):
        pg.run(pg.MMD(0.1, 0.5), Lying(GAME), 3)


def drifting(game_in):
    """A maker of arenas whose true game is game_in(game, t)."""
    methods = {
        "game_in": lambda self, game, t: game_in(game),
        "__call__": lambda self, game, **named: pg.DuelArena(game, **named),
    }
    return type("Mine", (), methods)()


MAKERS = {
    "another size": (
        drifting(lambda game: pg.games.cyclic(5)),
        ValueError,
        "must keep the prompts and responses",
    ),
    "no game": (drifting(lambda game: None), TypeError, "must return a PreferenceGame, got NoneType"),
    "an arena of another size": (
        lambda game, **named: pg.DuelArena(pg.games.cyclic(5), **named),
        ValueError,
        "a policy must be float64",
    ),
    "an arena of more runs": (
        lambda game, runs, **named: pg.DuelArena(game, runs + 1, **named),
        ValueError,
        "a policy must be float64",
    ),
    "a class that takes others": (pg.Corrupted, TypeError, "and Corrupted takes other arguments"),
}


@pytest.mark.parametrize("case", MAKERS)
def test_an_arena_of_another_game_is_refused_before_a_kernel_reads_it(case):
    arena, kind, said = MAKERS[case]
    with pytest.raises(kind, match=said):
        pg.simulate(pg.Greedy(0.1), GAME, 5, arena=arena)


def test_a_game_may_drift_to_a_table():
    table = [[0.5, 0.9, 0.1], [0.1, 0.5, 0.9], [0.9, 0.1, 0.5]]
    assert pg.simulate(pg.Greedy(0.1), GAME, 5, arena=pg.Drifting(table, 1, 3)).rounds[-1] == 5
    with pytest.raises(TypeError, match="game must be a PreferenceGame or a table"):
        pg.Drifting(None, 1, 3)


@pytest.mark.parametrize("solver", [pg.EGPO, None, "EGPO", ARENA])
def test_what_is_no_solver_is_refused_by_name(solver):
    for call in (lambda: pg.simulate(solver, GAME, 5), lambda: pg.stability(solver, GAME, rounds=5)):
        with pytest.raises(
            TypeError, match=r"a solver (is an instance, got the class EGPO|has the methods init)"
        ):
            call()


@pytest.mark.parametrize(
    "features", ["x", [["a"]], np.ones((3, 2)), np.ones((1, 3, 0)), np.full((1, 3, 2), np.nan)]
)
def test_features_are_a_table_of_numbers(features):
    with pytest.raises(ValueError, match="features must be"):
        pg.simulate(pg.Greedy(0.1), GAME, 5, features=features)
