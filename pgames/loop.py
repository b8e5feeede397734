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
from pgames.numerics import check_bool, count, whole
from pgames.progress import progress
from pgames.regularisers import KL
from pgames.solver import Solver, State, check_call, check_reference, copied_reference, target_of

Array = NDArray[np.float64]

MOST = 10**7  # points of a grid
ABOVE = 1e-9  # the largest log-probability that counts as rounding
LAST = 2**62  # rounds that can be counted


def iterate(solver: Solver, arena: Any, rounds: int, state: State | None = None) -> Iterator[State]:
    """Yield the state after each of `rounds` rounds; pass `state` to continue from an earlier one.

    Raises ValueError when `rounds` is no whole number of at least 0, or the state does not fit the arena, and
    TypeError when a class, or a game in place of an arena, is passed.
    """
    rounds = count("rounds", rounds, 0)
    check_call(solver, arena)
    if state is None:
        state = started(solver, arena)
    elif rounds > 0:
        state = _first_step(solver, arena, _fitting(state, arena))
        rounds -= 1
        yield state
    for _ in range(rounds):
        state = _stepped(solver, arena, state)
        yield state


def solve(solver: Solver, arena: Any, rounds: int, state: State | None = None) -> State:
    """The state `rounds` rounds after `state`, or after the initial state when it is None.

    Raises ValueError and TypeError as `iterate` does.
    """
    check_call(solver, arena)
    start = started(solver, arena) if state is None else _fitting(state, arena)
    last = deque(iterate(solver, arena, rounds, start), maxlen=1)
    return last[0] if last else start


def log_grid(rounds: int, points: int = 100) -> NDArray[np.int64]:
    """int64[R]: 0 and up to `points` rounds spread evenly on a log scale, the last one included."""
    if rounds < 1:
        return np.zeros(1, dtype=np.int64)
    return np.r_[0, _log_spaced(1, rounds, points)]


def grid_from(start: int, rounds: int, points: int = 100) -> NDArray[np.int64]:
    """int64[R]: round `start` and up to `points` of the `rounds` after it, spread evenly on a log scale."""
    if start == 0 or rounds < 1:
        return start + log_grid(rounds, points)
    return np.r_[start, _log_spaced(start + 1, start + rounds, points)]


def _log_spaced(first: int, last: int, points: int) -> NDArray[np.int64]:
    """Up to `points` rounds int64[...] from `first` to `last`, which is one of them."""
    spaced = np.geomspace(first, last, min(points, MOST))
    return np.unique(np.round(np.r_[spaced[:-1], last])).astype(np.int64)


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

    Raises ValueError when `rounds` is no whole number of at least 0 or `points` none of at least 1, the state
    does not fit the arena, two metrics share a name, or one does not return one value per run; TypeError when
    a metric has no name, a class or a game is passed for a solver or an arena, the arena lacks
    `exploitability` and `record` is None, or `compiled` and a verb of the solver cannot be compiled; the
    message names the verb.

    Parameters
    ----------
    record : metrics, called as metric(arena, policy), or `pgames.metrics.OfState` for one that sees the
        state. By default the exploitability of the unregularised game and, for a solver whose target is above
        0, of the game regularised with that tau.
    compiled : run a traceable solver in one kernel, bit-identical to the loop.
    """
    check_call(solver, arena)
    rounds, points = count("rounds", rounds, 0), count("points", points, 1)
    check_bool("compiled", compiled)
    metrics = _default_metrics(solver, arena) if record is None else checked(record)
    state = started(solver, arena) if state is None else _fitting(state, arena)
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
                likes = measured_so_far[-1] if measured_so_far else [None] * len(metrics)
                pairs = zip(metrics, likes, strict=True)
                measured_so_far.append([measured(one, arena, state, runs, like) for one, like in pairs])
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


def started(solver: Solver, arena: Any) -> State:
    """The state before round 0. Raises TypeError when `init` returns none."""
    return _checked(solver, "init", solver.init(arena))


def _stepped(solver: Solver, arena: Any, state: State) -> State:
    """The state after one more round.

    Raises TypeError when `step` returns none, and ValueError when it is not that of the next round, its
    policy has another shape, or the step wrote into the arena's reference, the policy of the first round.
    """
    before = copied_reference(arena, state.policy)
    after = _checked(solver, "step", solver.step(arena.at(state.t), state))
    check_reference(arena, before, f"{type(solver).__name__}.step")
    if after.t != state.t + 1:
        raise ValueError(
            f"{type(solver).__name__} went from round {state.t} to {after.t} in one step: return "
            "State(state.t + 1, policy, memory)."
        )
    if isinstance(state.policy, np.ndarray) and np.shape(after.policy) != state.policy.shape:
        raise ValueError(
            f"the policy has shape {list(state.policy.shape)} before round {state.t} and "
            f"{list(np.shape(after.policy))} after it: {type(solver).__name__} or a verb of "
            f"{type(arena).__name__} changed it."
        )
    return after


def _checked(solver: Solver, verb: str, state: Any) -> State:
    if not isinstance(state, State):
        raise TypeError(
            f"{type(solver).__name__}.{verb} must return a State, got {type(state).__name__}: return "
            "State(t, policy, memory)."
        )
    return state


def _first_step(solver: Solver, arena: Any, state: State) -> State:
    """The round after a state that was passed. Raises ValueError when its memory is another solver's."""
    try:
        return _stepped(solver, arena, state)
    except Exception as error:  # kernels raise errors of their own
        if _alike(state.memory, solver.init(arena).memory):
            raise
        raise ValueError(
            f"{type(solver).__name__} cannot continue this state, whose memory is another solver's: continue "
            "with the solver that made it, or begin from its policy, "
            "solver.init(arena)._replace(policy=state.policy)."
        ) from error


def _alike(memory: Any, other: Any) -> bool:
    """Whether two memories may be of one solver."""
    return type(memory) is type(other) and (not isinstance(memory, tuple) or len(memory) == len(other))


def _fitting(state: State, arena: Any) -> State:
    """The state to continue from.

    Raises TypeError when it is none, and ValueError when it is of no round, or its policy has another shape
    than the arena's or holds no log-probabilities.
    """
    if not isinstance(state, State):
        hint = ": pass its field state" if isinstance(getattr(state, "state", None), State) else ""
        raise TypeError(f"state must be a State, got {type(state).__name__}{hint}.")
    there, here = np.shape(state.policy), np.shape(arena.reference)
    if there != here:
        raise ValueError(
            f"the state has a policy of shape {list(there)} and the arena one of {list(here)}: continue in "
            "an arena of the same game and the same number of runs."
        )
    if not whole(state.t) or not 0 <= state.t < LAST:
        raise ValueError(f"the state has t = {state.t!r:.60}: a whole number of rounds is needed.")
    if isinstance(arena.reference, np.ndarray):
        policy: Any = state.policy
        if not isinstance(policy, np.ndarray) or policy.dtype != arena.reference.dtype:
            kind = policy.dtype if isinstance(policy, np.ndarray) else type(policy).__name__
            raise ValueError(f"the policy of the state must be {arena.reference.dtype}, got {kind}.")
        if not (policy <= ABOVE).all():
            raise ValueError(
                "the policy of the state must hold log-probabilities, got "
                f"{policy[~(policy <= ABOVE)].flat[0]}: pass arena.policy(probabilities)."
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
