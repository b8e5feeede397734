"""The loop: `iterate` and `solve` step a solver; `run` also measures it on a log grid of rounds."""

from __future__ import annotations

import json
import os
import time
from collections import deque
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from pgames.arena import Solver, State, target_of
from pgames.files import atomic, read_npz
from pgames.metrics import Exploitability, Metric
from pgames.progress import progress
from pgames.table.arena import TableArena

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from pgames.bounds import Bound


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """What a solver did: `values[name]` float64[R, S, ...] at `rounds` int64[R].

    `state` is where it ended (None when loaded from a file), `cpu_seconds` what the rounds cost without the
    metrics, `stopped` whether Ctrl-C ended it early.
    """

    solver: str
    rounds: NDArray[np.int64]
    values: dict[str, NDArray[np.float64]]
    state: State | None
    cpu_seconds: float
    stopped: bool = False

    def __repr__(self) -> str:
        final = ", ".join(
            f"{name}={np.median(value[-1]):.3g}" for name, value in self.values.items() if value.ndim == 2
        )
        return f"Run({self.solver}, rounds={self.rounds[-1]}, {final}, cpu_seconds={self.cpu_seconds:.3g})"

    def plot(self, metric: str | None = None, bound: Bound | None = None) -> Figure:
        """Draw a metric (the first by default) against rounds, with a band over runs and a bound over it."""
        from pgames import plot

        return plot.convergence([self], metric or next(iter(self.values)), bound=bound)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write everything but the state to one .npz file, atomically."""
        meta = {"solver": self.solver, "cpu_seconds": self.cpu_seconds, "stopped": self.stopped}
        values = {f"value:{name}": value for name, value in self.values.items()}
        with atomic(path) as file:
            np.savez(file, allow_pickle=False, meta=np.array(json.dumps(meta)), rounds=self.rounds, **values)

    @staticmethod
    def load(path: str | os.PathLike[str]) -> Run:
        """Read what `save` wrote. Raises ValueError when the file is no such file."""
        arrays = read_npz(path, "a saved run")
        values = {key.removeprefix("value:"): a for key, a in arrays.items() if key.startswith("value:")}
        try:
            meta = json.loads(str(arrays["meta"]))
            return Run(meta["solver"], arrays["rounds"], values, None, meta["cpu_seconds"], meta["stopped"])
        except (ValueError, KeyError, TypeError) as error:
            raise ValueError(f"{path} is not a saved run, it lacks {error}.") from None


def iterate(solver: Solver, arena: Any, rounds: int, state: State | None = None) -> Iterator[State]:
    """Yield the state after each of `rounds` rounds; pass `state` to go on from an earlier one."""
    if rounds < 0:
        raise ValueError(f"rounds must be at least 0, got {rounds}.")
    state = solver.init(arena) if state is None else state
    for _ in range(rounds):
        state = solver.step(arena.at(state.t), state)
        yield state


def solve(solver: Solver, arena: Any, rounds: int, state: State | None = None) -> State:
    """The state after `rounds` rounds."""
    start = solver.init(arena) if state is None else state
    last = deque(iterate(solver, arena, rounds, start), maxlen=1)
    return last[0] if last else start


def log_grid(rounds: int, points: int = 100) -> NDArray[np.int64]:
    """0 and up to `points` rounds spread evenly on a log scale, the last one included."""
    if rounds < 1:
        return np.zeros(1, dtype=np.int64)
    return np.unique(np.r_[0, np.round(np.geomspace(1, rounds, points))]).astype(np.int64)


def run(
    solver: Solver,
    arena: TableArena,
    rounds: int,
    record: Sequence[Metric] | None = None,
    compiled: bool = False,
    points: int = 100,
) -> Run:
    """Run `solver` for `rounds` rounds and measure it at about `points` of them, log-spaced.

    `record` defaults to the exploitability of the game itself and, for a solver whose target is above 0, of
    the game regularised with that tau. `compiled` runs a traceable solver in one kernel, bit-identical to the
    loop (TypeError names the verb that stands in the way). Ctrl-C ends the run early and keeps what was
    measured.
    """
    if rounds < 0:
        raise ValueError(f"rounds must be at least 0, got {rounds}.")
    metrics = _default_metrics(solver) if record is None else list(record)
    state, cpu_seconds, stopped = solver.init(arena), 0.0, False
    reached: list[int] = []
    measured: list[list[NDArray[np.float64]]] = []
    try:
        with progress(type(solver).__name__, rounds) as advance:
            for target in log_grid(rounds, points).tolist():
                start = time.process_time()
                state = _go_on(solver, arena, state, target - state.t, compiled)
                cpu_seconds += time.process_time() - start
                measured.append([metric(arena, state.policy) for metric in metrics])
                reached.append(target)
                advance(target)
    except KeyboardInterrupt:
        if not reached:
            raise
        stopped = True
    values = {
        metric.name: np.stack([row[i] for row in measured[: len(reached)]])
        for i, metric in enumerate(metrics)
    }
    return Run(repr(solver), np.array(reached), values, state, cpu_seconds, stopped)


def _default_metrics(solver: Solver) -> list[Metric]:
    tau = target_of(solver)
    regularised = [] if tau is None or not np.any(np.greater(tau, 0)) else [Exploitability(tau)]
    return [Exploitability(0.0), *regularised]


def _go_on(solver: Solver, arena: TableArena, state: State, rounds: int, compiled: bool) -> State:
    if compiled and rounds > 0:
        from pgames.tracing.tableau import run_compiled

        return run_compiled(solver, arena, state, rounds)
    return solve(solver, arena, rounds, state)
