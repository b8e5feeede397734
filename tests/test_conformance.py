"""Every solver and every arena of pgames keeps the promises of the conformance kit."""

import importlib
import pkgutil

import numpy as np
import pytest

import pgames as pg
from pgames import solvers
from pgames.learning.duels import DuelArena
from pgames.solvers import bandits, direct, explore, oracle
from pgames.testing import arena_cases, check_arena, check_solver, known_games, solver_cases

TAU = 0.1
FEW = {"cyclic3", "biased_rps", "two_prompts"}


def few(tau=0.0):
    return [known for known in known_games(tau) if known.name in FEW]


def mixed(game, share):
    """The policy whose geometric mixture with the reference is the Nash of tau / (1 - share)."""
    mu = pg.nash(game, tau=TAU / (1 - share)).policy
    inside = np.where(game.support, game.reference, 1.0)
    pi = np.where(game.support, mu / inside**share, 0.0) ** (1 / (1 - share))
    return pi / pi.sum(axis=-1, keepdims=True)


def tilted(game, step):
    """The soft best response to the reference."""
    pi = game.reference * np.exp(step * np.einsum("xyz,xz->xy", game.skew, game.reference))
    return pi / pi.sum(axis=-1, keepdims=True)


def with_expert(game, **arguments):
    return pg.TableArena(game, expert=tilted(game, 1.0), **arguments)


def nash_at_zero(rounds, within):
    return {"fixed_point": "nash", "rounds": rounds, "within": within}


UNCLAIMED = {"fixed_point": None, "games": few()}
SOLVERS = {
    "INPO": (pg.INPO(TAU, 0.3), {"contracts": 1 - 0.3 * TAU}),
    "MMD": (pg.MMD(TAU, 0.4), {"contracts": 1 / (1 + 0.4 * TAU)}),
    "EGPO": (pg.EGPO(TAU, 2.0), {"contracts": 1 - 2.0 * TAU, "within": 1e-9}),
    "EGPO, where INPO cycles": (pg.EGPO(0.01, 0.5), {"contracts": 1 - 0.005, "rounds": 3000}),
    "EGPO, unregularised": (pg.EGPO(0.0, 2.0), {"rounds": 5000, "within": 5e-3}),
    "ONPO": (pg.ONPO(TAU, 0.5), {"within": 1e-9}),
    "OMWU": (pg.ONPO(0.0, 1.0), {"games": few(), "rounds": 5000, "within": 0.05}),
    "NashMD": (pg.NashMD(TAU), {"rounds": 3000}),
    "NashMD, constant step": (pg.NashMD(TAU, 0.5), {"fixed_point": lambda game: mixed(game, 0.05)}),
    "NashEMA": (pg.NashEMA(1.0, 0.5, 0.9), {"within": 1e-9}),
    "NashEMA, arithmetic": (pg.NashEMA(1.0, 0.5, 0.9, arithmetic=True), {"within": 1e-9}),
    "MNPO": (pg.MNPO(TAU, 0.5), {}),
    "IPO-MD": (pg.IPOMD(TAU, 0.5), {"fixed_point": lambda game: mixed(game, 0.125)}),
    "SPPO": (pg.SPPO(0.5), {"fixed_point": "nash", "within": None}),
    "SPPO, averaged": (pg.Average(pg.SPPO(0.5)), nash_at_zero(2000, 0.05)),
    "SPPO, best": (pg.Best(pg.SPPO(0.5)), {**UNCLAIMED, "skip": ["prompts"]}),  # best on average over prompts
    "COMAL": (pg.COMAL(TAU, 0.5, every=60), nash_at_zero(3000, 0.01)),
    "MPO": (pg.MPO(TAU, 0.5, every=60), nash_at_zero(3000, 0.01)),
    "Fictitious play": (pg.FictitiousPlay(), nash_at_zero(2000, 0.05)),
    "Fictitious play, smoothed": (pg.FictitiousPlay(TAU), {"rounds": 2000}),
    "Online IPO": (pg.OnlineIPO(TAU, 0.5), {"games": few(TAU)}),
    "Online IPO, minimised": (pg.OnlineIPO(1.0), {"games": few(1.0), "rounds": 50}),
    "Online DPO": (pg.OnlineDPO(TAU, 0.5), UNCLAIMED),
    "IPO": (
        pg.IPO(TAU),
        {"fixed_point": lambda game: tilted(game, 1 / TAU), "rounds": 1, "within": 1e-7},
    ),
    "DPO": (pg.DPO(TAU), UNCLAIMED),
    "SLiC": (pg.SLiC(TAU), UNCLAIMED),
    "RLHF": (pg.RLHF(TAU), UNCLAIMED),
    "SPIN": (
        pg.SPIN(1.0),
        {
            "fixed_point": lambda game: tilted(game, 1.0),
            "rounds": 20,
            "within": 1e-7,
            "arena": with_expert,
        },
    ),
}


def duels_only(game, runs=1, seed=0, samples=None, first_run=0):
    return DuelArena(game, runs, seed, first_run=first_run)


# Learners draw duels: another order of responses, another prompt or another response means other draws.
LEARNED = {
    "fixed_point": None,
    "games": few(),
    "skip": ["symmetry", "irrelevance", "prompts"],
    "arena": duels_only,
}
LEARNERS = [
    explore.ENPO(TAU),
    explore.DENPO(TAU),
    explore.Passive(TAU),
    explore.Passive(TAU, loss="pair"),
    oracle.OnPolicyGreedy(TAU),
    oracle.Greedy(TAU),
    oracle.UniformAdversary(TAU),
    oracle.Optimistic(TAU),
    oracle.Enhancer(TAU),
    oracle.OMG(TAU),
    oracle.VMG(TAU),
    oracle.ExploreThenCommit(TAU, explore=7),
    bandits.SparringEXP3(),
    bandits.RUCB(),
    bandits.DoubleThompson(),
    direct.XPO(TAU, 0.01),
    direct.VPO(TAU, 0.01),
    direct.SELM(TAU, 0.01),
]


@pytest.mark.parametrize("name", SOLVERS)
def test_solver(name):
    solver, claims = SOLVERS[name]
    report = check_solver(solver, **claims)
    assert not report.failures


@pytest.mark.parametrize("learner", LEARNERS, ids=repr)
def test_learner(learner):
    check_solver(learner, **LEARNED)


def test_no_solver_is_forgotten():
    names = [found.name for found in pkgutil.iter_modules(solvers.__path__)]
    modules = [importlib.import_module(f"pgames.solvers.{name}") for name in names]
    written = {
        name
        for module in modules
        for name, thing in vars(module).items()
        if isinstance(thing, type) and thing.__module__ == module.__name__ and hasattr(thing, "step")
    }
    checked = [solver for solver, _ in SOLVERS.values()] + LEARNERS
    assert written == {type(solver).__name__ for solver in checked}


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
        with pytest.raises(ValueError, match="too much alike"):
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
        "mirror_formula",
        "per_run_weights",
        "runs",
        "evidence",
        "label_route",
        "tilt",
    }


def test_policies_that_tell_nothing_are_refused():
    with pytest.raises(ValueError, match="too much alike"):
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
