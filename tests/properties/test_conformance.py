"""Every solver and every arena of pgames keeps the promises of the conformance kit."""

import importlib
import pkgutil

import numpy as np
import pytest

import pgames as pg
from pgames import bandits, solvers
from pgames.testing import arena_cases, check_arena, check_solver, known_games, solver_cases
from tests.support.conformance_claims import LEARNED, LEARNERS, ON_PAIRS, SOLVERS, TAU, few


@pytest.mark.parametrize("name", SOLVERS)
def test_solver(name):
    solver, claims = SOLVERS[name]
    report = check_solver(solver, **claims)
    assert not report.failures


@pytest.mark.parametrize("name", ON_PAIRS)
def test_solver_on_pairs(name):
    solver, claims = ON_PAIRS[name]
    assert not check_solver(solver, **claims).failures


@pytest.mark.parametrize("learner", LEARNERS, ids=repr)
def test_learner(learner):
    check_solver(learner, **LEARNED)


def test_no_solver_is_forgotten():
    modules = [
        importlib.import_module(found.name)
        for room in (solvers, bandits)
        for found in pkgutil.iter_modules(room.__path__, f"{room.__name__}.")
    ]
    written = {
        name
        for module in modules
        for name, thing in vars(module).items()
        if isinstance(thing, type) and thing.__module__ == module.__name__ and hasattr(thing, "step")
    }
    checked = [solver for solver, _ in (*SOLVERS.values(), *ON_PAIRS.values())] + LEARNERS
    searching = {"ExpertIteration"}  # plays no table as it is: tests/search
    assert written == {type(solver).__name__ for solver in checked} | searching


@pytest.mark.parametrize("case", solver_cases(pg.INPO(TAU, 0.5), games=few(TAU)))
def test_solver_as_parameters(case):
    case()


GAME = pg.games.stack(
    [
        pg.games.comal3(),
        pg.games.cyclic(5, p=0.8),
        pg.games.duel(1.0).with_reference([0.1, 0.9]),
    ]
)


def exact():
    return pg.TableArena(GAME, runs=5)


def sampled():
    return pg.TableArena(GAME, runs=64, seed=7, samples=50)


@pytest.mark.parametrize("case", arena_cases(exact, make_narrow=lambda: pg.TableArena(GAME, runs=2)))
def test_exact_arena(case):
    case()


@pytest.mark.parametrize(
    "case", arena_cases(sampled, make_narrow=lambda: pg.TableArena(GAME, runs=3, seed=7, samples=50))
)
def test_sampled_arena(case):
    case()


@pytest.mark.parametrize("Y", [1, 2, 16, 40])
def test_arena_of_any_size(Y):
    game = pg.games.uniform_random(Y, seed=Y)
    arena = pg.TableArena(game, runs=3)
    if Y == 1:
        with pytest.raises(ValueError, match="are too similar"):
            check_arena(arena)
    else:
        check_arena(arena, narrow=pg.TableArena(game, runs=1))


class Opaque:
    """An arena seen through its verbs only: handles say nothing, no game, no maker of policies."""

    class Handle:
        def __init__(self, inside):
            self.__inside = inside

        def open(self):
            return self.__inside

    def __init__(self, arena):
        self.arena = arena
        self.reference = self.Handle(arena.reference)

    def _terms(self, terms):
        return [(weight, policy.open()) for weight, policy in terms]

    def geometric_mixture(self, *terms):
        return self.Handle(self.arena.geometric_mixture(*self._terms(terms)))

    def mixture(self, *terms):
        return self.Handle(self.arena.mixture(*self._terms(terms)))

    def mirror_step(self, prior, opponent, step):
        return self.Handle(self.arena.mirror_step(prior.open(), opponent.open(), step))

    def win_rate(self, first, second):
        return float(self.arena.win_rate(first.open(), second.open())[0])

    def at(self, t):
        return Opaque(self.arena.at(t))

    def anchored(self, reference):
        return Opaque(self.arena.anchored(reference.open()))

    def probs(self, policy):
        return self.arena.probs(policy.open())[0]


def test_opaque_arena():
    report = check_arena(Opaque(pg.TableArena(pg.games.comal3())))
    unclaimed = {row.promise.name for row in report.rows if row.status == "not claimed"}
    assert unclaimed == {
        "win_rate_formula",
        "rates_formula",
        "mirror_formula",
        "per_run_weights",
        "runs",
        "evidence",
        "label_route",
        "tilt",
    }


def test_policies_that_tell_nothing_are_refused():
    with pytest.raises(ValueError, match="are too similar"):
        check_arena(Opaque(pg.TableArena(pg.games.rock_paper_scissors())))


@pytest.mark.parametrize("tau", [0.0, 1e-3, 0.01, 0.1, 1.0, 10.0])
def test_known_equilibria_are_equilibria(tau):
    for name, game, equilibrium in known_games(tau):
        assert pg.exploitability(game, equilibrium, tau) < 1e-13, name
        assert np.abs(pg.nash(game, tau=tau).policy - equilibrium).max() < 1e-7, name


def test_published_equilibria():
    expected = {
        "cyclic3": [1 / 3] * 3,
        "comal3": [4 / 11, 3 / 11, 4 / 11],
        "biased_rps": [1 / 16, 10 / 16, 5 / 16],
        "perturbed_rps": [3 / 7, 3 / 7, 1 / 7],
        "m2wu_rps": [1 / 5, 3 / 5, 1 / 5],
    }
    known = {name: equilibrium for name, _, equilibrium in known_games()}
    for name, equilibrium in expected.items():
        np.testing.assert_allclose(known[name][0], equilibrium, rtol=1e-15)


def test_report_prints_a_table():
    told = str(check_solver(pg.EGPO(TAU, 0.5), games=few(TAU)))
    assert told.splitlines()[0] == "EGPO(tau=0.1, eta=0.5)"
    assert told.splitlines()[1].split() == ["property", "game", "status", "measured", "allowed"]
    assert any(line.split()[:3] == ["convergence", "biased_rps", "ok"] for line in told.splitlines())


def test_games_of_ones_own():
    games = [pg.games.disc(4, seed=2), pg.games.hidden_rps(tau=0.1)]
    report = check_solver(pg.EGPO(TAU, 1.0), games=games)
    assert {"game0", "game1"} <= {row.game for row in report.rows}


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"fixed_point": "Nash"}, "'regularised', 'nash', a function of the game or None, got 'Nash'"),
        ({"rounds": 0}, "rounds must be at least 1, got 0"),
        ({"short": 1}, "short must be at least 2 and tolerance in .*, got short=1, tolerance=0.0"),
        ({"tolerance": -0.1}, "got short=20, tolerance=-0.1"),
        ({"skip": ["symmetri"]}, "skip names no property symmetri; the properties are distributions"),
        ({"tau": np.array([0.1, 0.2])}, "one number"),
    ],
)
def test_wrong_arguments(arguments, told):
    with pytest.raises(ValueError, match=told):
        check_solver(pg.EGPO(TAU, 0.5), **arguments)


def test_solver_without_tau_must_say_what_it_finds():
    with pytest.raises(ValueError, match="SPPO has no field tau: pass tau="):
        check_solver(pg.SPPO(0.5))
