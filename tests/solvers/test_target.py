"""The target of a solver: which game it is after, asked by everything that measures it."""

from __future__ import annotations

import inspect
from dataclasses import dataclass

import numpy as np
import pytest

import pgames as pg
from pgames.solver import State, one_target, target_of
from pgames.testing import check_solver
from tests.support.conformance_claims import LEARNERS, ON_PAIRS, SOLVERS, TAU

AT_ZERO = "exploitability (tau = 0)"
AT_TAU = "exploitability (tau = 0.1)"


@dataclass(frozen=True)
class NoTarget:
    """A user's solver that declares no target; its field tau is nobody's business."""

    tau: float = TAU

    def init(self, arena) -> State:
        return State(0, arena.reference)

    def step(self, arena, state: State) -> State:
        return pg.INPO(self.tau, 0.5).step(arena, state)


def test_every_solver_has_a_target():
    solvers = [solver for solver, _ in (*SOLVERS.values(), *ON_PAIRS.values())] + list(LEARNERS)
    for solver in solvers:
        assert isinstance(inspect.getattr_static(type(solver), "target"), property), solver
        assert "target" not in getattr(type(solver), "__dataclass_fields__", {}), solver
        own = getattr(solver, "tau", None)
        assert own is None or solver.target == own, solver


@pytest.mark.parametrize(
    ("solver", "target"),
    [
        (pg.EGPO(TAU, 0.5), TAU),
        (pg.EGPO(0.0, 0.5), 0.0),
        (pg.SPPO(0.5), 0.0),
        (pg.FictitiousPlay(), 0.0),
        (pg.FictitiousPlay(TAU), TAU),
        (pg.DPO(TAU), TAU),
        (pg.SPIN(1.0), None),
        (pg.Average(pg.MMD(TAU, 0.5)), TAU),
        (pg.Average(pg.Average(pg.MMD(TAU, 0.5))), TAU),
        (pg.Average(pg.SPPO(0.5)), 0.0),
        (pg.Average(pg.SPIN(1.0)), None),
        (pg.Average(NoTarget()), None),
        (pg.Best(pg.EGPO(0.3, 0.5), TAU), TAU),
        (pg.Best(pg.EGPO(0.3, 0.5)), 0.0),
        (pg.COMAL(TAU, 0.5, 10), 0.0),
        (pg.MPO(TAU, 0.5, 10), 0.0),
        (pg.ENPO(TAU), TAU),
        (pg.RUCB(), 0.0),
        (NoTarget(), None),
        (pg.EGPO(np.float32(TAU), 0.5), float(np.float32(TAU))),
    ],
    ids=repr,
)
def test_wrappers_forward_the_target(solver, target):
    assert target_of(solver) == target
    assert one_target(solver) == (target or 0.0)


def test_an_averaged_solver_is_measured_in_its_own_game():
    run = pg.run(pg.Average(pg.MMD(TAU, 0.5)), pg.TableArena(pg.games.comal3()), 2000)
    assert list(run.values) == [AT_ZERO, AT_TAU]
    assert run.values[AT_TAU][0, -1] < 1e-3 < run.values[AT_ZERO][0, -1]


def test_a_target_of_numpy_is_a_number():
    run = pg.run(pg.MMD(np.float32(TAU), 0.5), pg.TableArena(pg.games.comal3()), 200)
    assert list(run.values) == [AT_ZERO, AT_TAU] and run.values[AT_TAU][0, -1] < 1e-6


def test_a_target_per_run_is_measured_run_by_run():
    taus, game = np.array([0.1, 0.2, 0.4]), pg.games.comal3()
    run = pg.run(pg.MMD(taus, 0.5), pg.TableArena(game, runs=3), 300, points=20)
    together = run.values["exploitability (tau per run)"]
    for s, tau in enumerate(taus.tolist()):
        alone = pg.run(pg.MMD(tau, 0.5), pg.TableArena(game), 300, points=20)
        np.testing.assert_array_equal(together[s], alone.values[f"exploitability (tau = {tau:g})"][0])
    assert (together[:, -1] < 1e-9).all()


def test_a_solver_without_a_target_is_measured_at_zero():
    arena = pg.TableArena(pg.games.comal3())
    for solver in (NoTarget(), pg.SPPO(0.5)):
        assert list(pg.run(solver, arena, 10).values) == [AT_ZERO]
    with pytest.raises(ValueError, match="NoTarget has no target: pass tau="):
        check_solver(NoTarget())


def test_one_number_is_asked_for_where_runs_differ():
    with pytest.raises(ValueError, match=r"EGPO has a target of shape \[2\], one per run: pass tau"):
        one_target(pg.EGPO(np.array([0.1, 0.2]), 0.5))


def test_regret_is_charged_at_the_target():
    game = pg.games.duel(0.7)
    for learner, tau in ((pg.Greedy(TAU), TAU), (pg.RUCB(), 0.0)):
        assert pg.simulate(learner, game, 5).tau == tau
