"""check_learner: checks that a learner from duels is honest and that its regret is sublinear."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Collection, Iterator, Mapping
from typing import TYPE_CHECKING, TypeVar

import numpy as np
from numpy.typing import NDArray

from pgames import games
from pgames.curves.fit import line
from pgames.games.preference import PreferenceGame
from pgames.regret.simulate import simulate
from pgames.solver import Solver, State, one_target
from pgames.table.duels import DuelArena
from pgames.testing.claims import difference
from pgames.testing.report import Case, Measured, Property, Report, run_cases
from pgames.testing.watched import WatchedArena

if TYPE_CHECKING:
    import pytest

Learner = TypeVar("Learner", bound=Solver)

LAZY = 5  # rounds of a lazy step
SHORT = 40  # rounds of checks that do not wait for learning
MODERATE_TAU = 0.1


def check_learner(
    learner: Solver,
    *,
    rounds: int = 5000,
    seeds: int = 20,
    slope: float = 0.85,
    instances: Mapping[str, PreferenceGame] | None = None,
    skip: Collection[str] = (),
) -> Report:
    """Check a learner from duels; returns the Report of measurements. Raises ConformanceError on failures.

    honest : it learns about the preferences only from `duel`, `compare`, `label` and `self_duels`, and every
        verdict it asks for is counted.
    counting : a step of one round counts one.
    lazy : a step that is given the duels of several rounds (`simulate(refresh=1.1)`) counts them all.
    reproducible : the same seed gives the same bits, step by step, and a step does not change its state.
    separate : a run has the same bits beside any number of others.
    masking : every policy is a distribution on the responses with reference probability above 0.
    diagonal : in every belief that it uses, a response beats itself with probability 1/2.
    sublinear : the late log-log slope of its mean regret is at most `slope` on the reference instances.

    Parameters
    ----------
    rounds, seeds : the size of the regret curves; the slope is measured over their last decade.
    instances : by default two responses, a cycle, and `hidden_rps`, all at tau = 0.1, or at the learner's
        target if that is larger; a learner with a field tau is checked at that tau. When the target is 0 or
        None, the external regret at tau = 0, against the von Neumann winner, must be sublinear.
    skip : names of properties that are not promised.
    """
    return run_cases(repr(learner), _cases(learner, rounds, seeds, slope, instances, skip))


def learner_cases(
    learner: Solver,
    *,
    rounds: int = 5000,
    seeds: int = 20,
    slope: float = 0.85,
    instances: Mapping[str, PreferenceGame] | None = None,
    skip: Collection[str] = (),
) -> list[pytest.ParameterSet]:
    """The checks of `check_learner`, same arguments, as pytest.param(case, id="property-game")."""
    import pytest

    return [pytest.param(c, id=c.id) for c in _cases(learner, rounds, seeds, slope, instances, skip)]


def _cases(
    learner: Solver,
    rounds: int,
    seeds: int,
    slope: float,
    instances: Mapping[str, PreferenceGame] | None,
    skip: Collection[str],
) -> list[Case]:
    known = [*(one.name for one in CONDUCT), SUBLINEAR.name]
    if unknown := set(skip) - set(known):
        raise ValueError(f"skip names no property {', '.join(sorted(unknown))}; they are {', '.join(known)}.")
    tau = max(MODERATE_TAU, one_target(learner))
    subject = _at_tau(learner, tau)
    small = _conduct_game(tau)
    cases = [
        Case(repr(learner), one, "", functools.partial(one.check, subject, small))
        for one in CONDUCT
        if one.name not in skip
    ]
    if SUBLINEAR.name not in skip:
        check = functools.partial(_sublinear, subject, rounds=rounds, seeds=seeds, slope=slope)
        for name, game in (_instances(tau) if instances is None else instances).items():
            cases.append(Case(repr(learner), SUBLINEAR, name, functools.partial(check, game)))
    return cases


def _instances(tau: float) -> dict[str, PreferenceGame]:
    return {
        "duel": games.duel(0.75),
        "cyclic3": games.cyclic(3, p=0.9),
        "hidden_rps": games.hidden_rps(tau, kappa=2 * tau),
    }


def _conduct_game(tau: float) -> PreferenceGame:
    """Two prompts, the second with two responses outside it, which would win every duel."""
    return games.stack([games.hidden_rps(tau, kappa=2 * tau), _tempting()])


def _tempting() -> PreferenceGame:
    P = np.full((5, 5), 0.5)
    P[:3, :3] = games.cyclic(3, p=0.9).P[0]
    P[3:, :3], P[:3, 3:] = 1.0, 0.0
    return PreferenceGame(P, [0.2, 0.3, 0.5, 0.0, 0.0])


def _at_tau(learner: Learner, tau: float) -> Learner:
    if not dataclasses.is_dataclass(learner) or isinstance(learner, type):
        return learner
    return dataclasses.replace(learner, tau=tau) if "tau" in learner.__dataclass_fields__ else learner


def _play(learner: Solver, arena: DuelArena, rounds: int = SHORT) -> Iterator[State]:
    """The state at the start and after every round."""
    state = learner.init(arena)
    yield state
    for t in range(rounds):
        state = learner.step(arena.at(t), state)
        yield state


# -- conduct ---------------------------------------------------------------------------------------------


def _honest(learner: Solver, game: PreferenceGame) -> Measured:
    arena = WatchedArena(game, runs=3, seed=5)
    notes, state, own = arena.notes, learner.init(arena), 0
    for t in range(SHORT):
        begun = len(notes.views)
        state = learner.step(arena.at(t), state)
        own += sum(view.bits for view in notes.views[begun + 1 :])
    if notes.reads:
        where = ", ".join(sorted(set(notes.reads)))
        return Measured(
            f"the number of reads of the true game outside of duels, in {SHORT} rounds,",
            len(notes.reads),
            0.0,
            f"It reads what only `duel`, `compare`, `label` and `self_duels` may read: {where}.",
        )
    return Measured(
        "the number of verdicts asked for in arenas that the learner made",
        float(own + arena.bits),
        0.0,
        "Verdicts are counted in the arena passed to step: do not call arena.at() in a learner.",
    )


def _counting(learner: Solver, game: PreferenceGame) -> Measured:
    states = list(_play(learner, DuelArena(game, 2, seed=5)))
    off = max(abs(state.t - t) for t, state in enumerate(states))
    return Measured("the error of state.t", float(off), 0.0)


def _lazy(learner: Solver, game: PreferenceGame) -> Measured | None:
    """One round and LAZY rounds from the same state; a learner that asks no more verdicts plays one round."""
    arena = DuelArena(game, 2, seed=5)
    *_, state = _play(learner, arena, 2)
    one, several = arena.at(2, 1), arena.at(2, LAZY)
    learner.step(one, state)
    after = learner.step(several, state)
    if several.bits == one.bits:
        return None
    error = float(abs(after.t - (2 + LAZY)))
    return Measured(f"the error of state.t after a step of {LAZY} rounds", error, 0.0)


def _reproducible(learner: Solver, game: PreferenceGame) -> Measured:
    arena = DuelArena(game, 2, seed=5)
    first = list(_play(learner, arena))
    again = list(_play(learner, DuelArena(game, 2, seed=5)))
    worst = max(difference(a, b) for a, b in zip(first, again, strict=True))
    if worst:
        return Measured("the same seed twice: the difference of the states", worst, 0.0)
    for t, state in enumerate(first[:-1]):  # later, on the stored states
        worst = max(worst, difference(learner.step(arena.at(t), state), first[t + 1]))
    return Measured(
        "the same step taken again later: the difference of the states",
        worst,
        0.0,
        "step must be a function of the arena and the state: does it change the state it is given?",
    )


def _separate(learner: Solver, game: PreferenceGame) -> Measured:
    def end(runs: int, first_run: int = 0) -> NDArray[np.float64]:
        arena = DuelArena(game, runs, seed=5, first_run=first_run)
        return np.stack([arena.probs(state.policy) for state in _play(learner, arena)])

    many = end(5)
    off = [np.abs(many[:, :2] - end(2)).max(), np.abs(many[:, 3:] - end(2, first_run=3)).max()]
    return Measured("two of five runs alone: the change of their policies", float(np.max(off)), 0.0)


def _masking(learner: Solver, game: PreferenceGame) -> Measured:
    arena = WatchedArena(game, runs=3, seed=5)
    played = [state.policy for state in _play(learner, arena)]
    outside, off = 0.0, 0.0
    for policy in [*played, *arena.notes.policies]:
        p = np.broadcast_to(arena.probs(policy), (3, game.prompts, game.responses))
        outside = np.maximum(outside, np.where(game.support, 0.0, p).max())
        off = np.max([off, np.abs(p.sum(axis=-1) - 1).max(), -p.min()])
    if not off <= 1e-9:
        return Measured(
            "the distance of a policy from a distribution", float(off), 1e-9, "Is every policy normalised?"
        )
    chosen = [np.take_along_axis(game.support[None], met[..., None], axis=-1) for met in arena.notes.met]
    if not all(inside.all() for inside in chosen):
        return Measured("the share of rounds with a response outside the game", 1.0, 0.0)
    return Measured("the mass of responses whose reference probability is 0", float(outside), 0.0)


def _diagonal(learner: Solver, game: PreferenceGame) -> Measured | None:
    arena = WatchedArena(game, runs=3, seed=5)
    for _ in _play(learner, arena):
        pass
    if not arena.notes.beliefs:
        return None
    rates = np.stack([np.diagonal(rates, axis1=-2, axis2=-1) for rates in arena.notes.beliefs])
    return Measured("the error of P(y > y) = 1/2 in a belief", float(np.abs(rates - 0.5).max()), 0.0)


def _sublinear(learner: Solver, game: PreferenceGame, rounds: int, seeds: int, slope: float) -> Measured:
    curve = simulate(learner, game, rounds, seeds, seed=5)
    kind = "regret" if one_target(learner) > 0 else "external regret"
    mean = (curve.regret if kind == "regret" else curve.external).mean(axis=0)
    late = (10 * curve.rounds >= rounds) & (mean > 0)
    what = f"the late log-log slope of its mean {kind}, {mean[-1]:.3g} after {rounds} rounds,"
    if late.sum() < 3:
        return Measured(what, 0.0, slope)
    return Measured(what, float(line(np.log(curve.rounds[late]), np.log(mean[late]))[1]), slope)


CONDUCT = (
    Property(
        "honest", _honest, "Only `duel`, `compare`, `label` and `self_duels` may read the true preference."
    ),
    Property(
        "counting",
        _counting,
        "state.t must count the rounds done: return State(state.t + arena.rounds, ...).",
    ),
    Property(
        "lazy",
        _lazy,
        "It was given the duels of several rounds: return State(state.t + arena.rounds, ...).",
    ),
    Property(
        "reproducible",
        _reproducible,
        "Is there a hidden counter, or a random generator of its own? Randomness comes from the arena.",
    ),
    Property(
        "separate",
        _separate,
        "Runs must be independent: is something averaged, or drawn, over all runs?",
    ),
    Property(
        "masking",
        _masking,
        "Reference probability 0 means outside the game: start from arena.reference or arena.uniform.",
    ),
    Property(
        "diagonal",
        _diagonal,
        "A bonus on the diagonal never shrinks: a response beats itself half of the time.",
    ),
)
SUBLINEAR = Property(
    "sublinear",
    _sublinear,
    "Its regret still grows like the number of rounds: does it explore, and does its step shrink?",
)
