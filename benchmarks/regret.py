"""Speed of learning from duels: against NumPy and duelpy, the overhead of Python, and growth with size.

Regret is computed every round in all of our rows and in the NumPy loop; duelpy computes none.
"""

from __future__ import annotations

import multiprocessing
import resource
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

import pgames as pg
from benchmarks.timing import Row, cpu_seconds, folder_of, report, timed, toy_asked
from pgames.bandits.learners import RUCB, DoubleThompson, SparringEXP3
from pgames.kernels import blocks
from pgames.regret import ledger
from pgames.regret.simulate import simulate
from pgames.solvers.explore import ENPO
from pgames.solvers.oracle import Optimistic
from pgames.table import duel_kernels, fit_kernels

ENPO_KERNELS = (  # the compiled functions of a round, in the modules whose verbs call them
    (duel_kernels, "drawn_pairs"),
    (duel_kernels, "third_labels"),
    (fit_kernels, "remember"),
    (fit_kernels, "regress_table"),
    (fit_kernels, "least_known"),
    (blocks, "blend"),
    (ledger, "charge"),
)
RANGES = {
    "seeds": [50, 100, 200, 400, 800, 1600],
    "rounds": [125, 250, 500, 1000, 2000, 4000],
    "K": [4, 8, 16, 32, 64, 128, 256],
}
TOY_RANGES = {"seeds": [2, 4, 8, 16], "rounds": [4, 8, 16, 32], "K": [3, 4, 6, 8]}


def main(toy: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """Print the tables, draw regret_growth.png and write regret.json."""
    folder = folder_of(toy, folder)
    seeds, rounds = (4, 100) if toy else (200, 10_000)
    many, long = (4, 1000) if toy else (1000, 10**6)
    tables = [
        ("Duels per CPU second, regret included", duels(2, 100, 50) if toy else duels()),
        (f"ENPO, {seeds} seeds, K = 5", (python_tax(seeds, rounds) for _ in range(1))),
        ("Growth of ENPO's cost: exponents", growth(TOY_RANGES if toy else RANGES, folder)),
        (
            f"{many} seeds x {long:.0e} rounds, refresh = 1.02, hidden_rps",
            (million(many, long) for _ in range(1)),
        ),
    ]
    return report("regret", tables, folder)


# -- duels ------------------------------------------------------------------------------------------------


def duels(seeds: int = 100, rounds: int = 10_000, peers_rounds: int = 2000) -> Iterator[Row]:
    """Sparring EXP3, RUCB and double Thompson sampling beside a NumPy loop and duelpy, one seed each."""
    for K in (6, 16):
        game = pg.games.random_skew(K, seed=0)
        ours = seeds * rounds / cpu_seconds(lambda game=game: simulate(SparringEXP3(), game, rounds, seeds))
        loop = peers_rounds / timed(lambda game=game: numpy_exp3(game.P[0], peers_rounds), 3)[0]
        row = {"learner": "SparringEXP3", "K": K, "duels per second": ours, "NumPy loop": loop}
        yield {**row, "times NumPy": ours / loop}
    game = pg.games.bradley_terry(np.linspace(1, 0, 6))
    peers = _duelpy(game.P[0])
    for learner, name in ((RUCB(), "RelativeUCB"), (DoubleThompson(), "DoubleThompsonSampling")):
        ours = seeds * rounds / cpu_seconds(lambda learner=learner: simulate(learner, game, rounds, seeds))
        row = {"learner": type(learner).__name__, "K": 6, "duels per second": ours}
        if isinstance(peers, str):
            yield {**row, "duelpy": peers}
        else:
            seconds = timed(lambda name=name, peers=peers: peers[name](peers_rounds), 3)[0]
            theirs = peers_rounds / seconds
            yield {**row, "duelpy": theirs, "times duelpy": ours / theirs}


def numpy_exp3(P: np.ndarray, rounds: int, seed: int = 0) -> float:
    """The regret of `SparringEXP3` in a plain loop, one seed."""
    rng, K = np.random.default_rng(seed), len(P)
    losses, regret = np.zeros((2, K)), 0.0
    for t in range(1, rounds + 1):
        weights = np.exp(-np.sqrt(np.log(K) / (K * t)) * (losses - losses.min(axis=1, keepdims=True)))
        p = weights / weights.sum(axis=1, keepdims=True)
        regret += (P @ p.mean(axis=0)).max() - 0.5
        y, z = rng.choice(K, p=p[0]), rng.choice(K, p=p[1])
        won = rng.random() < P[y, z]
        losses[0, y] += (1 - won) / p[0, y]
        losses[1, z] += won / p[1, z]
    return regret


def _duelpy(P: np.ndarray) -> dict[str, Callable[[int], Any]] | str:
    """duelpy's learners on one seed, or why it does not import; it needs names that NumPy removed in 1.24."""
    for name, kind in (("float", float), ("int", int)):
        if name not in np.__dict__:
            setattr(np, name, kind)
    try:
        from duelpy import algorithms
        from duelpy.feedback import MatrixFeedback
    except (ImportError, AttributeError) as error:
        return f"does not import: {error}"

    def learner(kind: Any) -> Callable[[int], Any]:
        def run(rounds: int) -> None:
            chance = np.random.RandomState(0)
            kind(MatrixFeedback(P, random_state=chance), time_horizon=rounds, random_state=chance).run()

        return run

    return {name: learner(getattr(algorithms, name)) for name in ("RelativeUCB", "DoubleThompsonSampling")}


# -- ENPO -------------------------------------------------------------------------------------------------


def python_tax(seeds: int = 200, rounds: int = 10_000) -> dict[str, Any]:
    """The ratio of the CPU time of a run to the time inside its compiled kernels.

    Raises RuntimeError when a kernel of the list is not called, because the learner now calls another.
    """
    game, learner = pg.games.hidden_rps(0.05), ENPO(0.05)
    inside = dict.fromkeys((name for _, name in ENPO_KERNELS), 0.0)
    calls = dict.fromkeys(inside, 0)
    simulate(learner, game, 20, seeds)

    def clocked(name: str, kernel: Callable[..., Any]) -> Callable[..., Any]:
        def call(*arguments: Any) -> Any:
            start = time.process_time()
            answer = kernel(*arguments)
            inside[name] += time.process_time() - start
            calls[name] += 1
            return answer

        return call

    originals = [getattr(module, name) for module, name in ENPO_KERNELS]
    total, _ = timed(lambda: simulate(learner, game, rounds, seeds), 1)
    try:
        for (module, name), kernel in zip(ENPO_KERNELS, originals, strict=True):
            setattr(module, name, clocked(name, kernel))
        simulate(learner, game, rounds, seeds)
    finally:
        for (module, name), kernel in zip(ENPO_KERNELS, originals, strict=True):
            setattr(module, name, kernel)
    unused = [name for name, count in calls.items() if count == 0]
    if unused:
        raise RuntimeError(f"ENPO never calls {', '.join(unused)}: name the kernels it calls in ENPO_KERNELS")
    spent = sum(inside.values())
    return {
        "seeds": seeds,
        "rounds": rounds,
        "microseconds per round": 1e6 * total / rounds,
        "in kernels": 1e6 * spent / rounds,
        "ratio": total / spent,
        "nanoseconds per label": 1e9 * total / (rounds * seeds * learner.labels),
    }


def growth(ranges: dict[str, list[int]], folder: Path) -> Iterator[Row]:
    """Cost against seeds, rounds and K; the exponent is fitted to the upper half of each range."""
    measure = {
        "seeds": lambda n: _enpo(5, 200, n),
        "rounds": lambda n: _enpo(5, n, 200),
        "K": lambda n: _enpo(n, 100, 20),
    }
    costs = {}
    for name, sizes in ranges.items():
        costs[name] = [measure[name](n) for n in sizes]
        half = len(sizes) // 2
        slope = np.polyfit(np.log(sizes[half:]), np.log(costs[name][half:]), 1)[0]
        cost = {"seconds at the largest": costs[name][-1], "all": [round(c, 4) for c in costs[name]]}
        yield {"cost against": name, "from": sizes[0], "to": sizes[-1], "exponent": slope, **cost}
    _draw(ranges, costs, folder)


def _enpo(K: int, rounds: int, seeds: int) -> float:
    game = pg.games.random_skew(K, seed=0)
    return cpu_seconds(lambda: simulate(ENPO(0.1), game, rounds, seeds, record=1), 3, 3.0)


def _draw(ranges: dict[str, list[int]], costs: dict[str, list[float]], folder: Path) -> None:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(9, 3), layout="constrained")
    for axes, (name, sizes), power in zip(figure.subplots(1, 3), ranges.items(), (1, 1, 2), strict=True):
        axes.loglog(sizes, costs[name], "o-", label="ENPO")
        guide = costs[name][-1] * (np.array(sizes) / sizes[-1]) ** power
        axes.loglog(sizes, guide, "k:", label=f"{name}$^{power}$")
        axes.set(xlabel=name, ylabel="CPU seconds")
        axes.legend()
    folder.mkdir(parents=True, exist_ok=True)
    figure.savefig(folder / "regret_growth.png", dpi=150)


# -- a million rounds -------------------------------------------------------------------------------------


def million(seeds: int = 1000, rounds: int = 10**6, tau: float = 0.05) -> dict[str, Any]:
    """CPU seconds and peak memory of a fresh process that runs the optimistic oracle learner."""
    with multiprocessing.get_context("spawn").Pool(1) as pool:
        return pool.apply(_million, (seeds, rounds, tau))


def _million(seeds: int, rounds: int, tau: float) -> dict[str, Any]:
    seconds, curve = timed(
        lambda: simulate(Optimistic(tau), pg.games.hidden_rps(tau), rounds, seeds, refresh=1.02), 1
    )
    return {
        "learner": "Optimistic",
        "tau": tau,
        "CPU seconds": seconds,
        "peak memory, MB": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
        "rounds": rounds,
        "regret": float(curve.regret[:, -1].mean()),
        "standard error": float(curve.regret[:, -1].std() / np.sqrt(seeds)),
    }


if __name__ == "__main__":
    main(toy_asked())
