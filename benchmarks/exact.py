"""Speed of exact equilibria against the fastest linear-programming and convex solvers.

Our times are of `pgames.nash(game)`, certificate included; a peer's are of its call on the payoff matrix
alone. `python -m benchmarks.exact --huge` solves one game of 10,000 responses and reports its time and
memory.
"""

from __future__ import annotations

import functools
import os
import resource
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

import pgames as pg
from benchmarks.timing import NOT_INSTALLED, Row, cpu_seconds, folder_of, report, timed, toy_asked

Vector = NDArray[np.float64]

SEEDS = 3


def main(toy: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """Print the table and write exact.json."""
    title = "Exact equilibria, CPU seconds per game, one thread"
    return report("exact", [(title, toy_rows() if toy else rows())], folder_of(toy, folder))


def rows() -> Iterator[Row]:
    """Every row of the table."""
    yield from unregularised(
        1000, {"highs": highs, "piqp": piqp, "quantecon": None}, {"highs": 25, "piqp": 1.3}
    )
    yield from before(1000)
    yield from enough(1000)
    yield from regret_matching(100, 1000)
    yield from flat(2, 2000)
    yield from flat(3, 3000)
    yield from unregularised(2000, {"piqp": piqp}, {})
    yield from unregularised(100, {"quantecon": quantecon, "piqp": piqp, "highs": highs}, {"quantecon": 0.5})
    yield from many_small_games(1024, 10)
    yield from regularised(100, 0.1)
    yield from regularised(100, 0.01)
    yield from regularised(1000, 0.1)
    yield from regularised(1000, 0.01)


def toy_rows() -> Iterator[Row]:
    """One row of every kind, on games of a few responses."""
    yield from unregularised(9, {"quantecon": quantecon, "piqp": piqp, "highs": highs}, {"quantecon": 0.5})
    yield from many_small_games(8, 4)
    yield from regularised(9, 0.1)
    yield from before(9)
    yield from enough(9)
    yield from regret_matching(9, 20)
    yield from flat(2, 30)


def unregularised(n: int, peers: dict[str, Callable | None], targets: dict[str, float]) -> Iterator[Row]:
    """Random antisymmetric games of n responses at tau = 0."""
    games = [pg.games.random_skew(n, seed) for seed in range(SEEDS)]
    ours = 0.0

    def measure(name: str, solve: Callable[[pg.PreferenceGame], Vector]) -> Row:
        warm_up(solve)
        measured = [timed(lambda game=game: solve(game), 5, 1.0) for game in games]
        worst = max(largest_payoff(game, x) for game, (_, x) in zip(games, measured, strict=True))
        cpu = float(np.median([seconds for seconds, _ in measured]))
        row = {"what": "Nash", "n": n, "solver": name, "cpu_s": cpu, "exploitability": worst}
        return row | (compared(cpu / ours, targets.get(name)) if ours else {})

    row = measure("pgames", lambda game: pg.nash(game).policy[0])
    ours = row["cpu_s"]
    yield row
    for name, solve in peers.items():
        if solve is None:
            yield {"what": "Nash", "n": n, "solver": name, "note": "left out: about 20 s and 1e-6"}
            continue
        try:
            yield measure(name, lambda game, solve=solve: solve(game.skew[0]))
        except ImportError:
            yield {"what": "Nash", "n": n, "solver": name, "note": NOT_INSTALLED}


def before(n: int) -> Iterator[Row]:
    """`pgames.nash` of an older checkout, whose folder is PGAMES_BEFORE, on the same games."""
    row: Row = {"what": "Nash", "n": n, "solver": "pgames before"}
    folder = os.environ.get("PGAMES_BEFORE")
    if folder is None:
        yield row | {"note": "left out: set PGAMES_BEFORE to the folder of an older checkout"}
        return
    environment = os.environ | {"PYTHONPATH": folder}
    told = subprocess.run(
        [sys.executable, "-c", BEFORE, str(n), str(SEEDS)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    cpu, worst = map(float, told.stdout.split()[-2:])
    yield row | {"cpu_s": cpu, "exploitability": worst}


BEFORE = """
import statistics, sys, time
import pgames as pg
n, seeds = map(int, sys.argv[1:])
pg.nash(pg.games.random_skew(60, 99))
times, worst = [], 0.0
for seed in range(seeds):
    game = pg.games.random_skew(n, seed)
    for _ in range(3):
        start = time.process_time()
        found = pg.nash(game)
        times.append(time.process_time() - start)
    worst = max(worst, found.exploitability)
print(statistics.median(times), worst)
"""


def enough(n: int) -> Iterator[Row]:
    """A precision that is enough, with its certificate."""
    games = [pg.games.random_skew(n, seed) for seed in range(SEEDS)]
    for precision in (1e-3, 1e-4, 1e-6):
        ask = functools.partial(pg.nash, precision=precision)
        measured = [timed(functools.partial(ask, game), 5, 1.0) for game in games]
        cpu = float(np.median([seconds for seconds, _ in measured]))
        worst = max(found.exploitability for _, found in measured)
        what = f"Nash, precision={precision:g}"
        yield {"what": what, "n": n, "solver": "pgames", "cpu_s": cpu, "exploitability": worst}


def regret_matching(n: int, rounds: int) -> Iterator[Row]:
    """As many rounds of PRM+ with restarts, of its average, and of OpenSpiel's regret matching."""
    game = pg.games.random_skew(n, 0)
    arena, what = pg.TableArena(game), f"{rounds} rounds of regret matching"
    for solver in (pg.PRMPlus(restart=100), pg.Average(pg.PRMPlus()), pg.Average(pg.RegretMatching())):
        pg.solve(solver, arena, 2)
        cpu, state = timed(lambda solver=solver: pg.solve(solver, arena, rounds), 3, 1.0)
        gap = float(arena.exploitability(state.policy)[0])
        yield {"what": what, "n": n, "solver": repr(solver), "cpu_s": cpu, "exploitability": gap}
    row: Row = {"what": what, "n": n, "solver": "OpenSpiel regret_matching"}
    try:
        from open_spiel.python.algorithms import regret_matching as peer
    except ImportError:
        yield row | {"note": NOT_INSTALLED}
        return
    A = game.skew[0]
    cpu, found = timed(lambda: peer.regret_matching([A, -A], iterations=rounds), 3, 1.0)
    yield row | {"cpu_s": cpu, "exploitability": float((A @ found[0]).max())}


def flat(m: int, n: int) -> Iterator[Row]:
    """Zero-sum games with far more columns than rows and normal payoffs, in turns with the row's program."""
    tables = [np.random.default_rng(seed).normal(size=(m, n)) for seed in range(SEEDS)]
    solvers = {"pgames": lambda A: pg.nash_zero_sum(A).value, "highs": row_value}
    seconds: dict[str, list[float]] = {name: [] for name in solvers}
    off = 0.0
    for solve in solvers.values():
        solve(tables[0])  # warm
    for A in tables:
        for _ in range(5):
            values = []
            for name, solve in solvers.items():
                cpu, value = timed(functools.partial(solve, A), 1)
                seconds[name].append(cpu)
                values.append(value)
            off = max(off, abs(values[0] - values[1]))
    cpu = {name: float(np.median(measured)) for name, measured in seconds.items()}
    row: Row = {"what": f"zero-sum, {m} rows", "n": n}
    worst = max(pg.nash_zero_sum(A).exploitability for A in tables)
    yield row | {"solver": "pgames", "cpu_s": cpu["pgames"], "exploitability": worst}
    yield (
        row
        | {"solver": "highs", "cpu_s": cpu["highs"], "values_apart": off}
        | compared(cpu["highs"] / cpu["pgames"], 1)
    )


def many_small_games(games: int, n: int) -> Iterator[Row]:
    """A batch of small games, per game."""
    batch = pg.games.stack([pg.games.random_skew(n, seed) for seed in range(games)])
    cpu = cpu_seconds(lambda: pg.nash(batch)) / games
    what = f"Nash, batch of {games}"
    worst = pg.nash(batch).residual
    yield {"what": what, "n": n, "solver": "pgames", "cpu_s": cpu, "exploitability": worst}
    row: Row = {"what": what, "n": n, "solver": "quantecon"}
    try:
        quantecon(batch.skew[0])
    except ImportError:
        yield row | {"note": NOT_INSTALLED}
        return
    peer, answers = timed(lambda: [quantecon(A) for A in batch.skew], 5)
    worst = max(float((A @ x).max()) for A, x in zip(batch.skew, answers, strict=True))
    yield row | {"cpu_s": peer / games, "exploitability": worst} | compared(peer / games / cpu, 0.5)


def regularised(n: int, tau: float) -> Iterator[Row]:
    """Random games with a Dirichlet(2) reference at tau > 0; peers only where they finish within a minute."""
    games = []
    for seed in range(SEEDS):
        reference = np.random.default_rng(seed).dirichlet(np.full(n, 2.0))
        games.append(pg.games.random_skew(n, seed).with_reference(reference))
    what = f"regularised Nash, tau = {tau}"

    def measure(name: str, solve: Callable[[pg.PreferenceGame], Vector]) -> Row:
        warm_up(solve)
        measured = [timed(lambda game=game: solve(game), 5, 1.0) for game in games]
        residual = max(fixed_point_error(g, x, tau) for g, (_, x) in zip(games, measured, strict=True))
        cpu = float(np.median([seconds for seconds, _ in measured]))
        return {"what": what, "n": n, "solver": name, "cpu_s": cpu, "residual": residual}

    ours = measure("pgames", lambda game: pg.nash(game, tau).policy[0])
    if n > 100:
        yield ours | {"target": "0.5 CPU s", "met": ours["cpu_s"] <= 0.5 and ours["residual"] <= 1e-14}
        return
    yield ours
    for name, solver, options in (
        ("cvxpy + ECOS", "ECOS", {}),
        ("cvxpy + Clarabel", "CLARABEL", {}),
        ("cvxpy + Clarabel, tolerances 1e-13", "CLARABEL", TIGHT),
    ):
        try:
            row = measure(name, lambda game, s=solver, o=options: by_cvxpy(game, tau, s, o))
            yield row | compared(row["cpu_s"] / ours["cpu_s"], 20)
        except ImportError:
            yield {"what": what, "n": n, "solver": name, "note": NOT_INSTALLED}


def huge(n: int = 10_000, threads: int = 2) -> dict[str, Any]:
    """One game of 10,000 responses, 800 MB a table: seconds and the largest memory of the whole process."""
    game = pg.games.random_skew(n, 0)
    start, wall = time.process_time(), time.perf_counter()
    answer = pg.nash(game, threads=threads)
    row = {
        "threads": threads,
        "load": os.getloadavg()[0],
        "what": "Nash",
        "n": n,
        "solver": "pgames",
        "cpu_s": time.process_time() - start,
        "wall_s": time.perf_counter() - wall,
        "exploitability": answer.exploitability,
        "steps": answer.iterations,
        "peak_GiB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20,
    }
    return report("exact_huge", [("One huge game", [row])], folder_of(False, None))


def warm_up(solve: Callable[[pg.PreferenceGame], Any]) -> None:
    """Import and compile, on a small game."""
    solve(pg.games.random_skew(60, 99))


def compared(ratio: float, target: float | None) -> Row:
    """The ratio of the peer's time to ours, and the target ratio."""
    return {"ratio": ratio} if target is None else {"ratio": ratio, "target": target, "met": ratio >= target}


def largest_payoff(game: pg.PreferenceGame, x: Vector) -> float:
    """max (P x) - 1/2 for the x[Y] that a solver returned, unchanged."""
    return float((game.skew[0] @ x).max())


def fixed_point_error(game: pg.PreferenceGame, x: Vector, tau: float) -> float:
    """||x - softmax(log ref + P x / tau)||_1."""
    logits = np.log(game.reference[0]) + game.skew[0] @ x / tau
    weights = np.exp(logits - logits.max())
    return float(np.abs(x - weights / weights.sum()).sum())


# -- the peers ---------------------------------------------------------------------------------------------


def highs(A: Vector) -> Vector:
    """min v subject to A x <= v, by SciPy's HiGHS."""
    from scipy.optimize import linprog

    n = len(A)
    return linprog(
        np.r_[np.zeros(n), 1],
        A_ub=np.c_[A, -np.ones(n)],
        b_ub=np.zeros(n),
        A_eq=np.r_[np.ones(n), 0][None],
        b_eq=[1],
        bounds=[(0, None)] * n + [(None, None)],
        method="highs",
    ).x[:n]


def row_value(A: Vector) -> float:
    """max v subject to v <= (x A)_j for a distribution x over the rows, by SciPy's HiGHS."""
    from scipy.optimize import linprog

    m, n = A.shape
    found = linprog(
        np.r_[np.zeros(m), -1],
        A_ub=np.c_[-A.T, np.ones(n)],
        b_ub=np.zeros(n),
        A_eq=np.r_[np.ones(m), 0][None],
        b_eq=[1],
        bounds=[(0, None)] * m + [(None, None)],
        method="highs",
    )
    return float(found.x[m])


def quantecon(A: Vector) -> Vector:
    """QuantEcon's compiled simplex method for zero-sum games."""
    from quantecon.optimize import minmax  # pyright: ignore[reportMissingImports]

    return minmax(A)[1]


def piqp(A: Vector) -> Vector:
    """min v subject to A x <= v, by the dense interior-point method of PIQP at tolerance 1e-10."""
    import piqp  # pyright: ignore[reportMissingImports]

    n = len(A)
    solver = piqp.DenseSolver()
    solver.settings.eps_abs = solver.settings.eps_rel = 1e-10
    solver.settings.eps_duality_gap_abs = solver.settings.eps_duality_gap_rel = 1e-10
    solver.setup(
        np.zeros((n + 1, n + 1), order="F"),
        np.r_[np.zeros(n), 1],
        np.asfortranarray(np.r_[np.ones(n), 0][None]),
        np.ones(1),
        np.asfortranarray(np.c_[A, -np.ones(n)]),
        None,
        np.zeros(n),
        np.r_[np.zeros(n), -2],
        np.full(n + 1, 2.0),
    )
    solver.solve()
    return np.array(solver.result.x[:n])


TIGHT = {"tol_gap_abs": 1e-13, "tol_gap_rel": 1e-13, "tol_feas": 1e-13}


def by_cvxpy(game: pg.PreferenceGame, tau: float, solver: str, options: dict[str, float]) -> Vector:
    """argmin tau KL(x || ref) + tau logsumexp(log ref + P x / tau), by a conic solver."""
    import warnings

    import cvxpy as cp

    if solver not in cp.installed_solvers():
        raise ImportError(solver)
    A, reference = game.skew[0], game.reference[0]
    x = cp.Variable(len(A), nonneg=True)
    objective = cp.sum(cp.rel_entr(x, reference)) + cp.log_sum_exp(np.log(reference) + A @ x / tau)
    constraints: list = [cp.sum(x) == 1]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        cp.Problem(cp.Minimize(objective), constraints).solve(solver=solver, **options)
    return np.asarray(x.value)


if __name__ == "__main__":
    huge() if "--huge" in sys.argv[1:] else main(toy_asked())
