"""The loop: `iterate` and `solve` step a solver; `run` also measures it on a log grid of rounds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgames.curves import Curve, Setting
from pgames.games.preference import PreferenceGame
from pgames.kernels.compiling import compiling
from pgames.metrics import Exploitability, Metric, checked, measured, regulariser_of
from pgames.progress import progress
from pgames.regularisers import KL
from pgames.solver import Solver, State, check_call, target_of

Array = NDArray[np.float64]


def iterate(solver: Solver, arena: Any, rounds: int, state: State | None = None) -> Iterator[State]:
    """Yield the state after each of `rounds` rounds; pass `state` to continue from an earlier one.

    Raises ValueError when `rounds` is negative, and TypeError when a class, or a game in place of an arena,
    is passed.
    """
    if rounds < 0:
        raise ValueError(f"rounds must be at least 0, got {rounds}.")
    if state is None:
        check_call(solver, arena)
        state = solver.init(arena)
    for _ in range(rounds):
        state = solver.step(arena.at(state.t), state)
        yield state


def solve(solver: Solver, arena: Any, rounds: int, state: State | None = None) -> State:
    """The state `rounds` rounds after `state`, or after the initial state when it is None."""
    if state is None:
        check_call(solver, arena)
        state = solver.init(arena)
    start = state
    last = deque(iterate(solver, arena, rounds, start), maxlen=1)
    return last[0] if last else start


def log_grid(rounds: int, points: int = 100) -> NDArray[np.int64]:
    """int64[R]: 0 and up to `points` rounds spread evenly on a log scale, the last one included."""
    if rounds < 1:
        return np.zeros(1, dtype=np.int64)
    return np.unique(np.r_[0, np.round(np.geomspace(1, rounds, points))]).astype(np.int64)


def grid_from(start: int, rounds: int, points: int = 100) -> NDArray[np.int64]:
    """int64[R]: round `start` and up to `points` of the `rounds` after it, spread evenly on a log scale."""
    if start == 0 or rounds < 1:
        return start + log_grid(rounds, points)
    return np.unique(np.r_[start, np.round(np.geomspace(start + 1, start + rounds, points))]).astype(np.int64)


def run(
    solver: Solver,
    arena: Any,
    rounds: int,
    record: Sequence[Metric] | None = None,
    compiled: bool = False,
    points: int = 100,
    state: State | None = None,
) -> Curve:
    """Run `solver` for `rounds` rounds and measure it at 0 and up to `points` of them, log-spaced.

    Pass the `state` of an earlier curve, or of `solve`, to continue from it for `rounds` more rounds, with
    the bits of a run in one go. Ctrl-C ends the run early and keeps the measurements made so far.

    Raises ValueError when `rounds` is negative, the state does not fit the arena, two metrics share a name,
    or one does not return one value per run; TypeError when a metric has no name, a class or a game is
    passed for a solver or an arena, the arena lacks `exploitability` and `record` is None, or `compiled` and
    a verb of the solver cannot be compiled; the message names the verb.

    Parameters
    ----------
    record : metrics, called as metric(arena, policy), or `pgames.metrics.OfState` for one that sees the
        state. By default the exploitability of the unregularised game and, for a solver whose target is above
        0, of the game regularised with that tau.
    compiled : run a traceable solver in one kernel, bit-identical to the loop.
    """
    check_call(solver, arena)
    if rounds < 0:
        raise ValueError(f"rounds must be at least 0, got {rounds}.")
    metrics = _default_metrics(solver, arena) if record is None else checked(record)
    state = solver.init(arena) if state is None else _fitting(state, arena)
    cpu_seconds, stopped = 0.0, False
    reached: list[int] = []
    measured_so_far: list[list[Array]] = []
    runs = getattr(arena, "runs", None)
    try:
        with progress(type(solver).__name__, rounds) as bar:
            begun = state.t
            for target in grid_from(begun, rounds, points).tolist():
                start, before = time.process_time(), compiling.seconds
                state = _continue(solver, arena, state, target - state.t, compiled)
                cpu_seconds += time.process_time() - start - (compiling.seconds - before)
                measured_so_far.append([measured(metric, arena, state, runs) for metric in metrics])
                reached.append(target)
                bar(target - begun)
    except KeyboardInterrupt:
        if not reached:
            raise
        stopped = True
    values = {
        metric.name: np.stack([row[i] for row in measured_so_far[: len(reached)]], axis=1)
        for i, metric in enumerate(metrics)
    }
    return Curve(
        repr(solver),
        np.array(reached),
        values,
        state=state,
        cpu_seconds=cpu_seconds,
        stopped=stopped,
        setting=setting_of(arena),
    )


def setting_of(arena: Any) -> Setting:
    """The setting of an arena. A regulariser that takes the name of KL is called by its repr."""
    regulariser = regulariser_of(arena)
    name = regulariser.name if regulariser == KL() or regulariser.name != KL().name else repr(regulariser)
    game, samples = getattr(arena, "game", None), getattr(arena, "samples", None)
    anchored = False
    if isinstance(game, PreferenceGame) and hasattr(arena, "policy"):
        anchored = not np.array_equal(arena.reference, arena.policy(game.reference))
    return Setting(type(arena).__name__, name, samples if isinstance(samples, int) else None, anchored)


def _fitting(state: State, arena: Any) -> State:
    """The state to continue from. Raises when it is none, or its policy has not the shape of the arena's."""
    if not isinstance(state, State):
        hint = ": pass its field state" if isinstance(getattr(state, "state", None), State) else ""
        raise TypeError(f"state must be a State, got {type(state).__name__}{hint}.")
    there, here = np.shape(state.policy), np.shape(arena.reference)
    if there != here:
        raise ValueError(
            f"the state has a policy of shape {list(there)} and the arena one of {list(here)}: continue in "
            "an arena of the same game and the same number of runs."
        )
    return state


def _default_metrics(solver: Solver, arena: Any) -> list[Metric]:
    if not hasattr(arena, "exploitability"):
        hides = hasattr(arena, "duel") and not hasattr(arena, "mirror_step")
        raise TypeError(
            f"a run measures exploitability, which {type(arena).__name__} lacks: "
            + (
                "its preferences are hidden; measure the regret with pgames.simulate(learner, game, rounds)."
                if hides
                else "pass metrics of your own, record=[...]."
            )
        )
    tau = target_of(solver)
    regularised = [] if tau is None or not np.any(np.greater(tau, 0)) else [Exploitability(tau)]
    return [Exploitability(0.0), *regularised]


def _continue(solver: Solver, arena: Any, state: State, rounds: int, compiled: bool) -> State:
    if compiled and rounds > 0:
        from pgames.tracing.compiled import run_compiled

        return run_compiled(solver, arena, state, rounds)
    return solve(solver, arena, rounds, state)
