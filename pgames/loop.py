"""The loop: `iterate` and `solve` step a solver; `run` also measures it on a log grid of rounds."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgames.curves import Curve
from pgames.metrics import Exploitability, Metric
from pgames.progress import progress
from pgames.roles.arena import RoleArena
from pgames.solver import Solver, State, target_of
from pgames.table.arena import Policy, TableArena

Arenas = TableArena | RoleArena

Array = NDArray[np.float64]


def iterate(solver: Solver, arena: Any, rounds: int, state: State | None = None) -> Iterator[State]:
    """Yield the state after each of `rounds` rounds; pass `state` to continue from an earlier one.

    Raises ValueError when `rounds` is negative.
    """
    if rounds < 0:
        raise ValueError(f"rounds must be at least 0, got {rounds}.")
    state = solver.init(arena) if state is None else state
    for _ in range(rounds):
        state = solver.step(arena.at(state.t), state)
        yield state


def solve(solver: Solver, arena: Any, rounds: int, state: State | None = None) -> State:
    """The state `rounds` rounds after `state`, or after the initial state when it is None."""
    start = solver.init(arena) if state is None else state
    last = deque(iterate(solver, arena, rounds, start), maxlen=1)
    return last[0] if last else start


def log_grid(rounds: int, points: int = 100) -> NDArray[np.int64]:
    """int64[R]: 0 and up to `points` rounds spread evenly on a log scale, the last one included."""
    if rounds < 1:
        return np.zeros(1, dtype=np.int64)
    return np.unique(np.r_[0, np.round(np.geomspace(1, rounds, points))]).astype(np.int64)


def run(
    solver: Solver,
    arena: Arenas,
    rounds: int,
    record: Sequence[Metric] | None = None,
    compiled: bool = False,
    points: int = 100,
) -> Curve:
    """Run `solver` for `rounds` rounds and measure it at 0 and up to `points` of them, log-spaced.

    `record` defaults to the exploitability of the unregularised game and, for a solver whose target is above
    0, of the game regularised with that tau. `compiled` runs a traceable solver in one kernel, bit-identical
    to the loop. Ctrl-C ends the run early and keeps the measurements made so far.

    Raises ValueError when `rounds` is negative or a metric does not return one value per run, and TypeError
    when `compiled` and a verb of the solver cannot be compiled; the message names the verb.
    """
    if rounds < 0:
        raise ValueError(f"rounds must be at least 0, got {rounds}.")
    metrics = _default_metrics(solver) if record is None else list(record)
    state, cpu_seconds, stopped = solver.init(arena), 0.0, False
    reached: list[int] = []
    measured: list[list[Array]] = []
    try:
        with progress(type(solver).__name__, rounds) as bar:
            for target in log_grid(rounds, points).tolist():
                start = time.process_time()
                state = _continue(solver, arena, state, target - state.t, compiled)
                cpu_seconds += time.process_time() - start
                measured.append([_measure(metric, arena, state.policy) for metric in metrics])
                reached.append(target)
                bar(target)
    except KeyboardInterrupt:
        if not reached:
            raise
        stopped = True
    values = {
        metric.name: np.stack([row[i] for row in measured[: len(reached)]], axis=1)
        for i, metric in enumerate(metrics)
    }
    return Curve(
        repr(solver), np.array(reached), values, state=state, cpu_seconds=cpu_seconds, stopped=stopped
    )


def _default_metrics(solver: Solver) -> list[Metric]:
    tau = target_of(solver)
    regularised = [] if tau is None or not np.any(np.greater(tau, 0)) else [Exploitability(tau)]
    return [Exploitability(0.0), *regularised]


def _measure(metric: Metric, arena: Arenas, policy: Policy) -> Array:
    """One value per run, float64[S, ...]."""
    value = np.asarray(metric(arena, policy))
    if value.shape[:1] != (arena.runs,):
        raise ValueError(
            f"metric {metric.name!r} must return one value per run, float64[{arena.runs}], got shape "
            f"{value.shape}."
        )
    return value


def _continue(solver: Solver, arena: Arenas, state: State, rounds: int, compiled: bool) -> State:
    if compiled and rounds > 0:
        from pgames.tracing.compiled import run_compiled

        return run_compiled(solver, arena, state, rounds)
    return solve(solver, arena, rounds, state)
