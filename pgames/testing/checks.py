"""check_solver and check_arena, and their checks as pytest parameters."""

from __future__ import annotations

import functools
from collections.abc import Callable, Collection, Sequence
from typing import TYPE_CHECKING

import numpy as np

from pgames.games.preference import PreferenceGame
from pgames.solver import Pi, Solver, Weight, target_of
from pgames.table.arena import TableArena
from pgames.testing.arena_algebra import ALGEBRA
from pgames.testing.arena_conduct import CONDUCT
from pgames.testing.claims import Claims, FixedPoint, takes_tau
from pgames.testing.known import Known, known_games
from pgames.testing.looking import AnyMaker, Placing, Tried, places
from pgames.testing.report import Case, Measured, Property, Report, run_cases
from pgames.testing.solver_properties import ON_EXTREME_GAMES, ON_KNOWN_GAMES, SHORT, extreme_games
from pgames.testing.subject import Subject

if TYPE_CHECKING:
    import pytest

Games = Sequence[PreferenceGame | Known]


def check_solver(
    solver: Solver,
    *,
    fixed_point: FixedPoint = "regularised",
    tau: float | None = None,
    rounds: int = 500,
    within: float | None = 1e-3,
    contracts: float | None = None,
    games: Games | None = None,
    skip: Collection[str] = (),
    arena: AnyMaker = TableArena,
    tolerance: float = 0.0,
    short: int = SHORT,
) -> Report:
    """Check a solver on named games; returns the Report of measurements. Raises ConformanceError on failures.

    Checked for every solver: normalised policies, rounds counted and resumable, masking, symmetry under
    relabelling, independent prompts, purity, reproducible seeds, independent runs, no NaN at tau -> 0 and at
    sure preferences. The caller claims the rest:

    Parameters
    ----------
    fixed_point : the policy to which it converges and at which it stays: "regularised" (the Nash of tau,
        with the regulariser of the arena), "nash" (tau = 0), a function game -> float64[X, Y] for anything
        else, or None for no claim.
    tau : the tau of the regularised Nash; by default the solver's target.
    rounds, within : after `rounds` rounds it is within total variation `within` of the fixed point.
        within=None claims no convergence of the last iterate.
    contracts : the claimed factor on KL(equilibrium || policy) in every round, for instance 1 - eta * tau; on
        an arena of another regulariser, on its divergence.
    games : PreferenceGame or Known, with a unique equilibrium; by default `known_games(tau)`.
    skip : names of properties that are not promised.
    arena : called as arena(game, runs=, seed=, samples=, first_run=); for solvers that need an expert, for
        instance, and for other arenas, such as functools.partial(TableArena, regulariser=L2()) or
        `llm_backend.testing.text_arena`.
    tolerance : total variation by which the arena's policies may miss closed forms: 0 for tables, e.g. 0.01
        for fitted policies. Resumption, purity and seeds are always checked to the bit.
    short : rounds, at least 2, of the checks that do not wait for convergence.
    """
    cases = _solver_cases(
        solver, fixed_point, tau, rounds, within, contracts, games, skip, arena, tolerance, short
    )
    return run_cases(repr(solver), cases)


def solver_cases(
    solver: Solver,
    *,
    fixed_point: FixedPoint = "regularised",
    tau: float | None = None,
    rounds: int = 500,
    within: float | None = 1e-3,
    contracts: float | None = None,
    games: Games | None = None,
    skip: Collection[str] = (),
    arena: AnyMaker = TableArena,
    tolerance: float = 0.0,
    short: int = SHORT,
) -> list[pytest.ParameterSet]:
    """The checks of `check_solver`, same arguments, as pytest.param(case, id="property-game")."""
    return _parameters(
        _solver_cases(
            solver, fixed_point, tau, rounds, within, contracts, games, skip, arena, tolerance, short
        )
    )


def check_arena(
    arena: Tried[Pi],
    *,
    policies: Callable[[Tried[Pi]], Sequence[Pi]] | None = None,
    tolerance: float = 1e-9,
    noise: float | None = None,
    narrow: Tried[Pi] | None = None,
    skip: Collection[str] = (),
) -> Report:
    """Check the verbs of an arena; returns the Report of measurements. Raises ConformanceError on failures.

    Parameters
    ----------
    arena : anything with the verbs, and `probs(policy)` -> float64[S, X, Y] (or [X, Y]). With
        `arena.game`, a PreferenceGame, win rates and mirror steps are also compared with their formulas.
    policies : arena -> three different handles to check it with; made by `arena.policy` or by mirror steps
        when None.
    tolerance : allowed total variation of policies and error of exact win rates, e.g. 0.02 for fitted steps.
    noise : the standard error of one win rate; by default 1 / (2 sqrt(arena.samples)), 0 without samples.
    narrow : the same arena made with fewer runs, whose runs must be the first of `arena` bit for bit.
    skip : names of properties that are not promised.
    """
    subject = functools.cache(lambda: _subject(arena, policies, tolerance, noise, narrow))
    subject()
    return run_cases(type(arena).__name__, _arena_cases(type(arena).__name__, subject, skip))


def arena_cases(
    make_arena: Callable[[], Tried[Pi]],
    *,
    policies: Callable[[Tried[Pi]], Sequence[Pi]] | None = None,
    tolerance: float = 1e-9,
    noise: float | None = None,
    make_narrow: Callable[[], Tried[Pi]] | None = None,
    skip: Collection[str] = (),
) -> list[pytest.ParameterSet]:
    """The checks of `check_arena` as pytest parameters; the arena is made when first needed."""

    @functools.cache
    def subject() -> Subject[Pi]:
        return _subject(make_arena(), policies, tolerance, noise, make_narrow() if make_narrow else None)

    return _parameters(_arena_cases(getattr(make_arena, "__name__", "the arena"), subject, skip))


def _solver_cases(
    solver: Solver,
    fixed_point: FixedPoint,
    tau: float | None,
    rounds: int,
    within: float | None,
    contracts: float | None,
    games: Games | None,
    skip: Collection[str],
    arena: AnyMaker,
    tolerance: float,
    short: int,
) -> list[Case]:
    if not (fixed_point in ("regularised", "nash", None) or callable(fixed_point)):
        raise ValueError(
            f"fixed_point must be 'regularised', 'nash', a function of the game or None, got {fixed_point!r}."
        )
    if rounds < 1:
        raise ValueError(f"rounds must be at least 1, got {rounds}.")
    if short < 2 or not 0 <= tolerance < 1:
        raise ValueError(
            f"short must be at least 2 and tolerance in [0, 1), got short={short}, tolerance={tolerance}."
        )
    at: Weight | None = tau
    if at is None:
        at = target_of(solver)
        lacks = "target" if at is None else "" if takes_tau(solver) else "field tau"
        if lacks and fixed_point == "regularised":
            raise ValueError(
                f"{type(solver).__name__} has no {lacks}: pass tau=, or fixed_point='nash' or None."
            )
    at = 0.0 if at is None else at
    if np.ndim(at):
        raise ValueError(f"tau must be one number here, got shape {np.shape(at)}: check one run at a time.")
    claims = Claims(
        solver,
        fixed_point,
        float(at),
        rounds,
        within,
        contracts,
        arena,
        tolerance,
        short,
    )
    properties, extremes = _chosen(ON_KNOWN_GAMES, ON_EXTREME_GAMES, skip=skip)
    return [
        Case(repr(solver), one, known.name, functools.partial(one.check, claims, known))
        for chosen, on in ((properties, _known(games, claims)), (extremes, extreme_games()))
        for one in chosen
        for known in on
    ]


def _known(games: Games | None, claims: Claims) -> list[Known]:
    """The games, each with the fixed point that is claimed."""
    tau = claims.tau if claims.fixed_point != "nash" else 0.0
    known = known_games(tau) if games is None else [_solved(i, game, tau) for i, game in enumerate(games)]
    if not callable(claims.fixed_point):
        return known
    return [one._replace(equilibrium=np.atleast_2d(claims.fixed_point(one.game))) for one in known]


def _solved(number: int, game: PreferenceGame | Known, tau: float) -> Known:
    if isinstance(game, Known):
        return game
    from pgames.exact.equilibrium import nash

    return Known(f"game{number}", game, nash(game, tau=tau).policy)


def _arena_cases(name: str, subject: Callable[[], Subject[Pi]], skip: Collection[str]) -> list[Case]:
    def on(check: Callable[[Subject[Pi]], Measured | None]) -> Measured | None:
        return check(subject())

    (properties,) = _chosen(CONDUCT + ALGEBRA, skip=skip)
    return [Case(name, one, "", functools.partial(on, one.check)) for one in properties]


def _subject(
    arena: Tried[Pi],
    policies: Callable[[Tried[Pi]], Sequence[Pi]] | None,
    tolerance: float,
    noise: float | None,
    narrow: Tried[Pi] | None,
) -> Subject[Pi]:
    samples = getattr(arena, "samples", None)
    sampled = 0.5 / np.sqrt(samples) if samples else 0.0
    handles = tuple((policies or _made)(arena))
    if len(handles) != 3:
        raise ValueError(f"policies must give three handles, got {len(handles)}.")
    looks = [np.asarray(arena.probs(policy)) for policy in (arena.reference, *handles)]
    if min(np.abs(p - q).max() for i, p in enumerate(looks) for q in looks[:i]) < 1e-3:
        raise ValueError(
            "the policies to check the arena with are too similar (the reference may be an equilibrium): "
            "pass policies=, a function of the arena that gives three different handles."
        )
    inner = None if narrow is None else _subject(narrow, policies, tolerance, noise, None)
    return Subject(
        arena,
        (handles[0], handles[1], handles[2]),
        tolerance,
        float(sampled if noise is None else noise),
        inner,
    )


def _made(arena: Tried[Pi]) -> Sequence[Pi]:
    """Three different policies, from probabilities if the arena takes them, else by its verbs."""
    return _written(arena) if places(arena) else _stepped(arena)


def _written(arena: Placing[Pi]) -> Sequence[Pi]:
    p = np.asarray(arena.probs(arena.reference))
    noise = np.random.default_rng(0).normal(size=(3, *p.shape[-2:]))
    tilted = [p * np.exp(one) for one in noise]
    return [arena.policy(q / q.sum(axis=-1, keepdims=True)) for q in tilted]


def _stepped(arena: Tried[Pi]) -> Sequence[Pi]:
    start = arena.at(0)
    first = start.mirror_step(arena.reference, arena.reference, 3.0)
    second = start.mirror_step(arena.reference, first, -3.0)
    return first, second, start.geometric_mixture((1.5, first), (-0.8, second), (0.3, arena.reference))


def _chosen(*groups: tuple[Property, ...], skip: Collection[str]) -> list[list[Property]]:
    unknown = set(skip) - {one.name for group in groups for one in group}
    if unknown:
        names = ", ".join(one.name for group in groups for one in group)
        raise ValueError(f"skip names no property {', '.join(sorted(unknown))}; the properties are {names}.")
    return [[one for one in group if one.name not in skip] for group in groups]


def _parameters(cases: list[Case]) -> list[pytest.ParameterSet]:
    import pytest

    return [pytest.param(case, id=case.id) for case in cases]
