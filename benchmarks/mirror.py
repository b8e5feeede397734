"""Mirror iterations per second: many runs of a small game, one run, and many runs of a large game.

An iteration updates the policy of one run, by multiplicative weights (SPPO) unless another solver is named.
NumPy does the same on log-probabilities, or on probabilities, which is faster but underflows. OpenSpiel's
regret matching and quantecon's fictitious play update two players per iteration.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.timing import NOT_INSTALLED, Row, cpu_seconds, folder_of, report, toy_asked
from pgames.games import uniform_random
from pgames.games.preference import PreferenceGame
from pgames.loop import solve
from pgames.solver import State
from pgames.solvers.mirror import INPO, SPPO
from pgames.table.arena import TableArena
from pgames.tracing.tableau import run_compiled

TAU, ETA = 0.1, 0.5
Advance = Callable[[], Any]


def main(toy: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """Print the table and write mirror.json."""
    title = "Mirror iterations, one thread"
    return report("mirror", [(title, toy_rows() if toy else rows())], folder_of(toy, folder))


def rows() -> Iterator[Row]:
    """Every row of the table."""
    yield from small_game()
    yield from one_run()
    yield from large_game()


def toy_rows() -> Iterator[Row]:
    """The same rows, on games of a few responses."""
    yield from small_game(4, 3, 5)
    yield from one_run(4, 5)
    yield from large_game(8, 2)


def small_game(runs: int = 1024, responses: int = 10, rounds: int = 200) -> Iterator[Row]:
    """Many runs of a small game: compiled, through the verbs, and batched NumPy."""
    game = uniform_random(responses, 0)
    arena = TableArena(game, runs=runs)
    sampling = TableArena(game, runs=runs, samples=4)
    methods = {
        "compiled": ours(SPPO(ETA), arena, rounds, compiled=True),
        "verbs in a Python loop": ours(SPPO(ETA), arena, rounds),
        "NumPy, log-probabilities": lambda: numpy_logs(game, runs, rounds),
        "NumPy, probabilities": lambda: numpy_probabilities(game, runs, rounds),
        "compiled, INPO": ours(INPO(TAU, ETA), arena, rounds, compiled=True),
        "verbs in a Python loop, INPO": ours(INPO(TAU, ETA), arena, rounds),
        "NumPy, log-probabilities, INPO": lambda: numpy_logs(game, runs, rounds, TAU),
        "compiled, INPO, 4 sampled duels": ours(INPO(TAU, ETA), sampling, rounds, compiled=True),
    }
    seconds = ((name, cpu_seconds(advance) / (runs * rounds)) for name, advance in methods.items())
    targets = {
        "compiled": "10 M/s, 2 x NumPy",
        "verbs in a Python loop": "5 M/s",
        "compiled, INPO": "10 M/s, 2 x NumPy",
        "verbs in a Python loop, INPO": "5 M/s",
    }
    yield from table(f"{runs} runs x {responses}", seconds, targets)


def one_run(responses: int = 100, rounds: int = 5000) -> Iterator[Row]:
    """One run of a game of medium size: compiled against OpenSpiel's regret matching."""
    game = uniform_random(responses, 0)
    arena = TableArena(game)
    skew = 2 * game.skew[0]
    methods = {
        "compiled": ours(SPPO(ETA), arena, rounds, compiled=True),
        "compiled, INPO": ours(INPO(TAU, ETA), arena, rounds, compiled=True),
        "verbs in a Python loop": ours(SPPO(ETA), arena, rounds),
        "NumPy, log-probabilities": lambda: numpy_logs(game, 1, rounds),
        "OpenSpiel regret matching": lambda: openspiel_regret_matching(skew, rounds),
        "quantecon fictitious play": lambda: quantecon_fictitious_play(skew, rounds),
    }

    def seconds() -> Iterator[tuple[str, float | str]]:
        for name, advance in methods.items():
            try:
                yield name, cpu_seconds(advance, repeats=3) / rounds
            except ImportError:
                yield name, NOT_INSTALLED

    yield from table(f"1 run x {responses}", seconds(), {"compiled": "10 x OpenSpiel"})


def large_game(responses: int = 1000, runs: int = 128) -> Iterator[Row]:
    """A large game: one run, which streams the table, and many runs, which are one matrix product."""
    game = uniform_random(responses, 0)
    one, many = TableArena(game), TableArena(game, runs=runs)
    policies = np.full((responses, runs), 1 / responses)
    few, lots = 10, 200
    methods: dict[str, tuple[Advance, int]] = {
        f"{runs} runs, compiled": (ours(SPPO(ETA), many, few, compiled=True), runs * few),
        f"{runs} runs, verbs in a Python loop": (ours(SPPO(ETA), many, few), runs * few),
        f"{runs} runs, NumPy (gemm)": (lambda: numpy_logs(game, runs, few), runs * few),
        "the gemm alone": (lambda: [game.skew[0] @ policies for _ in range(few)], runs * few),
        "1 run, compiled": (ours(SPPO(ETA), one, lots, compiled=True), lots),
        "1 run, verbs in a Python loop": (ours(SPPO(ETA), one, lots), lots),
        "1 run, NumPy (gemv)": (lambda: numpy_logs(game, 1, lots), lots),
    }
    seconds = ((name, cpu_seconds(advance) / count) for name, (advance, count) in methods.items())
    for row in table(f"x {responses}", seconds, {f"{runs} runs, compiled": "1/5 of 1 run"}):
        yield row | {"GFLOP/s": 2 * responses**2 / (row["microseconds"] * 1e3)}


def table(game: str, seconds: Iterator[tuple[str, float | str]], targets: dict[str, str]) -> Iterator[Row]:
    """One row per method; `ratio` is its time over that of the first method."""
    first = None
    for method, value in seconds:
        row: Row = {"game": game, "method": method}
        if isinstance(value, str):
            row["note"] = value
        else:
            first = value if first is None else first
            row |= {"microseconds": 1e6 * value, "M per second": 1e-6 / value, "ratio": value / first}
        yield row | ({"target": targets[method]} if method in targets else {})


def ours(solver: Any, arena: TableArena, rounds: int, compiled: bool = False) -> Advance:
    start: State = solver.init(arena)
    if compiled:
        return lambda: run_compiled(solver, arena, start, rounds)
    return lambda: solve(solver, arena, rounds, start)


def numpy_logs(game: PreferenceGame, runs: int, rounds: int, tau: float = 0.0) -> np.ndarray:
    """The update in NumPy, all runs at once: SPPO at tau = 0, INPO at tau > 0."""
    reference = np.log(np.repeat(game.reference, runs, axis=0))
    skew, logs = game.skew[0], reference
    for _ in range(rounds):
        rates = np.exp(logs) @ skew.T
        logs = (1 - ETA * tau) * logs + (ETA * tau) * reference if tau else logs
        logs = logs + ETA * rates
        logs -= logs.max(axis=1, keepdims=True)
        logs -= np.log(np.exp(logs).sum(axis=1, keepdims=True))
    return logs


def numpy_probabilities(game: PreferenceGame, runs: int, rounds: int) -> np.ndarray:
    """Multiplicative weights on probabilities."""
    p, skew = np.repeat(game.reference, runs, axis=0), game.skew[0]
    for _ in range(rounds):
        p = p * np.exp(ETA * (p @ skew.T))
        p /= p.sum(axis=1, keepdims=True)
    return p


def openspiel_regret_matching(skew: np.ndarray, rounds: int) -> Any:
    from open_spiel.python.algorithms import regret_matching

    return regret_matching.regret_matching([skew, -skew], iterations=rounds)


def quantecon_fictitious_play(skew: np.ndarray, rounds: int) -> Any:
    from quantecon.game_theory import FictitiousPlay, NormalFormGame, Player

    return FictitiousPlay(NormalFormGame([Player(skew), Player(skew)])).play(num_reps=rounds)


if __name__ == "__main__":
    main(toy_asked())
