"""simulate: the regret of one learner on one game, for many seeds at once, on a log grid of rounds."""

from __future__ import annotations

import inspect
import math
from collections.abc import Sequence
from dataclasses import replace
from typing import cast

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.curves import Curve, Setting
from pgames.games.preference import PreferenceGame, as_game
from pgames.loop import log_grid, started
from pgames.metrics import Metric, checked, measured
from pgames.numerics import count, number
from pgames.progress import progress
from pgames.regret.ledger import Leaping, Ledger
from pgames.regret.recorder import SUMS, Recorder
from pgames.solver import Solver, State, check_call, check_reference, copied_reference, one_target
from pgames.table.arena import TableArena
from pgames.table.disturbed import Drift, DuelMaker
from pgames.table.duels import DuelArena

Array = NDArray[np.float64]

LEAP = 1_000_000  # duels in one compiled call, during which Ctrl-C and the progress bar wait


def simulate(
    learner: Solver,
    game: PreferenceGame | ArrayLike,
    rounds: int,
    seeds: int = 1,
    tau: float | None = None,
    refresh: float | None = None,
    record: int = 100,
    seed: int = 0,
    features: ArrayLike | None = None,
    first_run: int = 0,
    arena: DuelMaker | None = None,
    metrics: Sequence[Metric] = (),
) -> Curve:
    """The regret of a learner that knows the game only from duels, over `seeds` independent runs.

    In round t the learner plays state.policy and is charged gap(pi_t) = max_p J_tau(p, pi_t) - 1/2; policies
    played to explore are not charged. Every round asks the duels of every prompt, and `bits` counts the
    verdicts. The curve has `regret`, `gap`, `external` and `average_gap`, float64[S, R] each. Ctrl-C ends the
    simulation early and keeps the rounds recorded so far.

    Raises ValueError when an argument is out of range, a step of the learner does not advance the state by
    the rounds it stands for, or a metric has a name that is taken or returns another shape; TypeError when
    the learner needs a verb that the arena lacks, or a metric has no name.

    Parameters
    ----------
    game : a PreferenceGame, or its table P float64[Y, Y] or float64[X, Y, Y].
    rounds : T, at least 1. Under a lazy schedule the cost is per update, not per round.
    seeds : S, at least 1, computed side by side. Run s does not depend on S.
    tau : of the regret; by default the learner's target, or 0 (the von Neumann regret) if it has none.
    refresh : None to update every round; r > 1 to update when t has grown by the factor r and to play the
        same policies in between. At 1.02 regret grows by a few per cent.
    record : number of log-spaced rounds at which the curve is recorded, at least 1.
    seed : of all runs.
    features : float64[X, Y, D], those of a log-linear class of policies.
    first_run : the number of the first run, with which an experiment can be split.
    arena : the maker of the arena in which the learner plays, by default `DuelArena`: `Corrupted(rounds=50)`,
        `Delayed(by=100)`, `Drifting(to, start, end)`, or a class or function of your own, which is called as
        arena(game, runs=, seed=, features=, first_run=). Regret is charged in the true game; a maker with the
        method `game_in(game, t)` says which game that is in round t.
    metrics : of the policy played in a recorded round, called as metric(arena, policy) with the `TableArena`
        of the true game, or `pgames.metrics.OfState`, called with (arena, state). A learner with a `leap`
        plays round by round then, with the same bits.
    """
    rounds, seeds, record = (
        count(name, value, 1) for name, value in (("rounds", rounds), ("seeds", seeds), ("record", record))
    )
    if refresh is not None:
        check_refresh(refresh)
    game = as_game(game)
    duels = _made(arena, game, seeds, seed, features, first_run)
    check_call(learner, duels)
    tau = one_target(learner) if tau is None else tau
    drift = arena if isinstance(arena, Drift) else None
    found = checked(metrics, taken=SUMS)
    ledger, likes = Ledger(game, tau, seeds), dict[str, Array]()

    def measure(state: State) -> dict[str, Array]:
        true = TableArena(ledger.game, seeds, seed, first_run=first_run)
        for metric in found:
            likes[metric.name] = measured(metric, true, state, seeds, likes.get(metric.name))
        return dict(likes)

    recorder = Recorder(ledger, log_grid(rounds, record)[1:], measure if found else None, drift is not None)
    leaps = arena is None and refresh is None and not found and isinstance(learner, Leaping)
    state, stopped = started(learner, duels), False
    try:
        with progress(type(learner).__name__, rounds) as bar:
            while recorder.ledger.rounds < rounds:
                if drift is not None:
                    ledger.move_to(drift.game_in(game, ledger.rounds))
                if leaps:
                    state = _leap(cast(Leaping, learner), duels, state, recorder)
                else:
                    state = _play(learner, duels, state, recorder, rounds, refresh)
                bar(recorder.ledger.rounds)
    except KeyboardInterrupt:
        if recorder.empty:
            raise
        stopped = True
    setting = Setting(type(duels).__name__, samples=1)
    return replace(recorder.curve(repr(learner), stopped), setting=setting)


def _made(
    arena: DuelMaker | None,
    game: PreferenceGame,
    runs: int,
    seed: int,
    features: ArrayLike | None,
    first_run: int,
) -> DuelArena:
    """The arena of the simulation. Raises TypeError when `arena` makes none."""
    if arena is None:
        return DuelArena(game, runs, seed, features, first_run)
    if not callable(arena):
        raise TypeError(
            f"arena= is a class or function that makes the arena, got {type(arena).__name__}: pass the "
            "class, or pgames.Corrupted(rounds=50)."
        )
    named = {"runs": runs, "seed": seed, "features": features, "first_run": first_run}
    try:
        inspect.signature(arena).bind(game, **named)
    except TypeError as error:
        who = getattr(arena, "__name__", type(arena).__name__)
        raise TypeError(
            f"arena= is called as arena(game, runs=, seed=, features=, first_run=), and {who} takes other "
            f"arguments ({error}): pass a maker such as pgames.Corrupted(rounds=50)."
        ) from None
    made = arena(game, **named)
    if lacks := [name for name in ("at", "reference", "bits") if not hasattr(made, name)]:
        raise TypeError(
            f"arena= must make an arena of duels, got {type(made).__name__}, which lacks {', '.join(lacks)}: "
            "extend DuelArena."
        )
    return made


def _play(
    learner: Solver,
    arena: DuelArena,
    state: State,
    recorder: Recorder,
    rounds: int,
    refresh: float | None,
) -> State:
    """Play one step of the learner and charge its policy for the rounds that the step stands for."""
    t = recorder.ledger.rounds
    length = 1 if refresh is None else max(1, math.floor((refresh - 1) * t))
    length = min(length, rounds - t)
    view, before = arena.at(t, length), copied_reference(arena, state.policy)
    after = learner.step(view, state)
    check_reference(arena, before, f"{type(learner).__name__}.step")
    if not isinstance(after, State):
        raise TypeError(f"{type(learner).__name__}.step must return a State, got {type(after).__name__}.")
    if after.t != t + length:
        raise ValueError(
            f"{type(learner).__name__} went from round {t} to {after.t} in a step of {length} round(s): a "
            "step must return State(state.t + arena.rounds, ...); without lazy updates use refresh=None."
        )
    recorder.charge(state, length, view.bits)
    return after


def _leap(learner: Leaping, arena: DuelArena, state: State, recorder: Recorder) -> State:
    """Play the steps to the next recorded round, at most LEAP duels, in one compiled call."""
    length = min(recorder.rounds_to_next(), 1 + LEAP // (arena.runs * arena.prompts))
    view = arena.at(recorder.ledger.rounds, length)
    after = learner.leap(view, state, length, recorder.ledger)
    recorder.after_leap(view.bits)
    return after


def check_refresh(refresh: float) -> None:
    """Raises ValueError when `refresh` is not above 1."""
    if not 1 < number(refresh) < math.inf:
        raise ValueError(f"refresh must be above 1 (1.02 updates every 2 %), or None, got {refresh!r:.60}.")
