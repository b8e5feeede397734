"""The conformance kit: checks of the properties that solvers and arenas must have.

    from pgames.testing import check_solver, solver_cases

    print(check_solver(MySolver(tau=0.1, eta=0.5)))          # a Report, or ConformanceError

    @pytest.mark.parametrize("case", solver_cases(MySolver(tau=0.1, eta=0.5)))
    def test_my_solver(case):
        case()

A failure names the property, the game, the measured and the allowed value, and the usual cause.
"""

from pgames.testing.checks import arena_cases, check_arena, check_solver, solver_cases
from pgames.testing.known import Known, known_games
from pgames.testing.learner import check_learner, learner_cases
from pgames.testing.report import ConformanceError, Report

__all__ = [
    "ConformanceError",
    "Known",
    "Report",
    "arena_cases",
    "check_arena",
    "check_learner",
    "check_solver",
    "known_games",
    "learner_cases",
    "solver_cases",
]
