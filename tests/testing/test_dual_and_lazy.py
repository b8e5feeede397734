"""Solvers in dual form are checked where they settle; learners count the rounds of a lazy step."""

from dataclasses import dataclass

import numpy as np
import pytest

import pgames as pg
from pgames.numerics import normalise
from pgames.testing import ConformanceError, check_learner, check_solver


@dataclass(frozen=True)
class FTRL:
    """Follow the regularised leader: INPO with the sum of its payoffs as memory, not the policy."""

    tau: float
    eta: float
    error: float = 0.0  # of the tau at which it settles

    @property
    def target(self):
        return self.tau

    def init(self, arena):
        return pg.State(0, arena.reference, np.zeros_like(arena.reference))

    def step(self, arena, state):
        rate = self.eta * (self.tau + self.error)
        sums = (1 - rate) * state.memory + self.eta * arena.rates(state.policy)
        inside = arena.reference > -np.inf
        policy = normalise(np.where(inside, arena.reference, -np.inf) + np.where(inside, sums, 0.0))
        return pg.State(state.t + 1, policy, sums)


SKIP = ("runs",)


def test_a_dual_solver_passes():
    report = check_solver(FTRL(0.1, 0.3), fixed_point="regularised")
    rows = [row for row in report.rows if row.promise.name == "fixed_point"]
    assert len(rows) == 10 and all(row.status == "ok" for row in rows)


def test_a_dual_solver_that_claims_no_last_iterate_is_not_called_wrong():
    report = check_solver(FTRL(0.1, 0.3), fixed_point="regularised", within=None)
    assert {row.status for row in report.rows if row.promise.name == "fixed_point"} == {"not claimed"}


def test_a_dual_solver_that_settles_elsewhere_is_caught():
    with pytest.raises(ConformanceError) as caught:
        check_solver(FTRL(0.1, 0.3, error=0.1), fixed_point="regularised")
    assert "convergence" in {row.promise.name for row in caught.value.report.failures}


def test_a_primal_solver_with_a_wrong_tau_is_still_caught_at_its_fixed_point():
    with pytest.raises(ConformanceError) as caught:
        check_solver(pg.INPO(0.1, 0.3), tau=0.2)
    assert "fixed_point" in {row.promise.name for row in caught.value.report.failures}


def test_an_error_says_where_it_was_raised_and_nothing_else():
    class Broken(FTRL):
        def step(self, arena, state):
            raise ValueError("a payoff is missing")

    with pytest.raises(ConformanceError) as caught:
        check_solver(Broken(0.1, 0.3))
    said = str(caught.value)
    assert "raised ValueError: a payoff is missing" in said
    assert "the error is raised in test_dual_and_lazy.py, line" in said and "must be normalised" not in said


@dataclass(frozen=True)
class Hurried(pg.Greedy):
    """Greedy, but every step counts as one round."""

    def step(self, arena, state):
        return super().step(arena, state)._replace(t=state.t + 1)


def test_a_learner_that_lazy_updates_refuse_fails_the_kit_too():
    game = pg.games.duel(0.75)
    with pytest.raises(ValueError, match="Hurried went from round"):
        pg.simulate(Hurried(0.1), game, 50, refresh=1.1)
    with pytest.raises(ConformanceError, match=r"lazy: the error of state.t after a step of 5 rounds is 4"):
        check_learner(Hurried(0.1), rounds=200, seeds=2, skip=["sublinear"])
    report = check_learner(Hurried(0.1), rounds=200, seeds=2, skip=["sublinear", "lazy"])
    assert "lazy" not in {row.promise.name for row in report.rows}


def test_learners_count_the_rounds_of_a_lazy_step_or_play_one():
    for learner, status in (
        (pg.Optimistic(0.1), "ok"),
        (pg.ENPO(0.1), "not claimed"),
        (pg.RUCB(), "not claimed"),
    ):
        report = check_learner(learner, skip=["sublinear"])
        assert [row.status for row in report.rows if row.promise.name == "lazy"] == [status]


def test_a_report_is_short_in_a_notebook():
    report = check_learner(pg.Greedy(0.1), skip=["sublinear"])
    assert repr(report) == f"Report({report.subject}: {len(report.rows)} ok)" and len(repr(report)) < 100
    html = report._repr_html_()
    assert html.count("<tr>") == len(report.rows) + 1 and "reproducible" in html
    assert "reproducible" in str(report)  # print gives the table
