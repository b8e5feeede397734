"""simulate: the regret of one learner on one game, for many seeds at once, on a log grid of rounds."""

from __future__ import annotations

import math

from numpy.typing import ArrayLike

from pgames.curves import Curve
from pgames.games.preference import PreferenceGame
from pgames.loop import log_grid
from pgames.progress import progress
from pgames.regret.ledger import Leaping, Ledger
from pgames.regret.recorder import Recorder
from pgames.solver import Solver, State, one_target
from pgames.table.duels import DuelArena

LEAP = 1_000_000  # duels in one compiled call, during which Ctrl-C and the progress bar wait


def simulate(
    learner: Solver,
    game: PreferenceGame,
    rounds: int,
    seeds: int = 1,
    tau: float | None = None,
    refresh: float | None = None,
    record: int = 100,
    seed: int = 0,
    features: ArrayLike | None = None,
    first_run: int = 0,
) -> Curve:
    """The regret of a learner that knows the game only from duels, over `seeds` independent runs.

    In round t the learner plays state.policy and is charged gap(pi_t) = max_p J_tau(p, pi_t) - 1/2; policies
    played to explore are not charged. Every round asks the duels of every prompt, and `bits` counts the
    verdicts. The curve has `regret`, `gap`, `external` and `average_gap`, float64[S, R] each. Ctrl-C ends the
    simulation early and keeps the rounds recorded so far.

    Raises ValueError when an argument is out of range, or a step of the learner does not advance the state by
    the rounds it stands for, and TypeError when the learner needs a verb that a `DuelArena` lacks.

    Parameters
    ----------
    rounds : T, at least 1. Under a lazy schedule the cost is per update, not per round.
    seeds : S, at least 1, computed side by side. Run s does not depend on S.
    tau : of the regret; by default the learner's target, or 0 (the von Neumann regret) if it has none.
    refresh : None to update every round; r > 1 to update when t has grown by the factor r and to play the
        same policies in between. At 1.02 regret grows by a few per cent.
    record : number of log-spaced rounds at which the curve is recorded, at least 1.
    seed : of all runs.
    features : float64[X, Y, D], those of a log-linear class of policies.
    first_run : the number of the first run, with which an experiment can be split.
    """
    _check(rounds, seeds, refresh, record)
    tau = one_target(learner) if tau is None else float(tau)
    arena = DuelArena(game, seeds, seed, features, first_run)
    recorder = Recorder(Ledger(game, tau, seeds), log_grid(rounds, record)[1:])
    state, stopped = learner.init(arena), False
    try:
        with progress(type(learner).__name__, rounds) as bar:
            while recorder.ledger.rounds < rounds:
                if refresh is None and isinstance(learner, Leaping):
                    state = _leap(learner, arena, state, recorder)
                else:
                    state = _play(learner, arena, state, recorder, rounds, refresh)
                bar(recorder.ledger.rounds)
    except KeyboardInterrupt:
        if recorder.empty:
            raise
        stopped = True
    return recorder.curve(repr(learner), stopped)


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
    view = arena.at(t, length)
    after = learner.step(view, state)
    if after.t != t + length:
        raise ValueError(
            f"{type(learner).__name__} went from round {t} to {after.t} in a step of {length} round(s): a "
            "step must return State(state.t + arena.rounds, ...); without lazy updates use refresh=None."
        )
    recorder.charge(state.policy, length, view.bits)
    return after


def _leap(learner: Leaping, arena: DuelArena, state: State, recorder: Recorder) -> State:
    """Play the steps to the next recorded round, at most LEAP duels, in one compiled call."""
    length = min(recorder.rounds_to_next(), 1 + LEAP // (arena.runs * arena.prompts))
    view = arena.at(recorder.ledger.rounds, length)
    after = learner.leap(view, state, length, recorder.ledger)
    recorder.after_leap(view.bits)
    return after


def _check(rounds: int, seeds: int, refresh: float | None, record: int) -> None:
    for name, value in (("rounds", rounds), ("seeds", seeds), ("record", record)):
        if value < 1:
            raise ValueError(f"{name} must be at least 1, got {value}.")
    if refresh is not None:
        check_refresh(refresh)


def check_refresh(refresh: float) -> None:
    """Raises ValueError when `refresh` is not above 1."""
    if not 1 < refresh:
        raise ValueError(f"refresh must be above 1 (1.02 updates every 2 %), or None, got {refresh}.")
