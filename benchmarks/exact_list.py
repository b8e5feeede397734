"""200 games of eight kinds, ours beside an older checkout: two processes that take turns on the same tables.

`PGAMES_BEFORE=<folder> python -m benchmarks.exact_list` measures the whole list. A game is called slower when
the smallest of its CPU times is, first in a few turns and then again in many.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.timing import Row, folder_of, report, toy_asked

Table = NDArray[np.float64]

SEEDS = 25
TURNS, AGAIN = 3, 15  # of each process, for every game and for one that seems slower
SLOWER = 1.02  # a ratio below which two times are called equal


def main(toy: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """Print the table and write exact_list.json."""
    title = "200 games of eight kinds, CPU time over that of the older checkout"
    return report("exact_list", [(title, kinds(9, 1) if toy else kinds())], folder_of(toy, folder))


def kinds(n: int = 450, seeds: int = SEEDS) -> Iterator[Row]:
    """A row of each kind, then one of all games."""
    before = os.environ.get("PGAMES_BEFORE")
    if before is None:
        yield {
            "what": "Nash",
            "n": n,
            "note": "left out: set PGAMES_BEFORE to the folder of an older checkout",
        }
        return
    everything: list[tuple[float, float]] = []
    slower = 0
    with Worker(None) as ours, Worker(before) as theirs:
        for name, make in KINDS.items():
            times = []
            for seed in range(seeds):
                table = make(np.random.default_rng([seed, n]), n)
                pair = turns(table, ours, theirs, TURNS)
                if pair[0] > SLOWER * pair[1]:
                    pair = turns(table, ours, theirs, AGAIN)
                times.append(pair)
            yield summary(name, n, times)
            everything += times
            slower += sum(new > SLOWER * old for new, old in times)
        yield summary("all", n, everything) | {"slower": slower}


def summary(what: str, n: int, times: Sequence[tuple[float, float]]) -> Row:
    """Seconds of ours and before, and the median, the worst and the number of ratios above 1.02."""
    new, old = np.array(times).T
    ratios = new / old
    return {
        "what": what,
        "n": n,
        "games": len(times),
        "cpu_s": float(new.sum()),
        "before_s": float(old.sum()),
        "median": float(np.median(ratios)),
        "worst": float(ratios.max()),
        "slower": int((ratios > SLOWER).sum()),
    }


def turns(table: Table, ours: Worker, theirs: Worker, count: int) -> tuple[float, float]:
    """The smallest CPU times of `count` turns each, of ours and of theirs, for a table float64[n, n]."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "P.npy"
        np.save(path, 0.5 + table)
        pairs = []
        for turn in range(count):
            first, second = (ours, theirs) if turn % 2 else (theirs, ours)
            measured = {first: first.ask(path), second: second.ask(path)}
            pairs.append((measured[ours], measured[theirs]))
    new, old = np.array(pairs).min(axis=0)
    return float(new), float(old)


class Worker:
    """A process that solves tables with the package of one folder, None for this one, and times itself."""

    def __init__(self, folder: str | None):
        environment = os.environ | ({} if folder is None else {"PYTHONPATH": folder})
        self.process = subprocess.Popen(
            [sys.executable, "-c", SOLVE],
            cwd=folder,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *error: object) -> None:
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait()
        self.process.stdout.close()

    def ask(self, path: Path) -> float:
        """CPU seconds of `pgames.nash`. Raises RuntimeError when the answer is no equilibrium."""
        assert self.process.stdin is not None and self.process.stdout is not None
        self.process.stdin.write(f"{path}\n")
        self.process.stdin.flush()
        seconds, gap = map(float, self.process.stdout.readline().split())
        if not gap < 1e-9:
            raise RuntimeError(f"the policy of {path} is exploitable by {gap:.2g}.")
        return seconds


SOLVE = """
import sys, time
import numpy as np
import pgames as pg
pg.nash(pg.games.random_skew(60, 99)), pg.nash(pg.games.random_skew(450, 99))
for line in sys.stdin:
    game = pg.PreferenceGame(np.load(line.strip()), symmetrise=True)
    start = time.process_time()
    found = pg.nash(game)
    print(time.process_time() - start, found.exploitability, flush=True)
"""


# -- kinds of games: A = -A' float64[n, n], in [-1/2, 1/2] -------------------------------------------------


def _scaled(A: Table) -> Table:
    A = A - A.T
    return A / (2 * np.abs(A).max())


def _ranked(n: int) -> Table:
    """Every response beats those after it, the more surely the farther they are."""
    place = np.arange(n)
    return np.tanh((place[None] - place[:, None]) / (n / 4))


def random(rng: np.random.Generator, n: int) -> Table:
    return _scaled(rng.random((n, n)))


def low_rank(rng: np.random.Generator, n: int) -> Table:
    return _scaled(rng.normal(size=(n, 3)) @ rng.normal(size=(3, n)))


def tied(rng: np.random.Generator, n: int) -> Table:
    """Two in three pairs are tied, the others sure."""
    return _scaled(np.triu(rng.choice([-1.0, 0, 0, 0, 0, 1], (n, n)), 1))


def clones(rng: np.random.Generator, n: int) -> Table:
    """Responses come in groups of five that play alike."""
    distinct = _scaled(rng.random((-(-n // 5), -(-n // 5))))
    group = np.arange(n) // 5
    return distinct[np.ix_(group, group)]


def nearly_transitive(rng: np.random.Generator, n: int) -> Table:
    return _scaled(_ranked(n) + 0.2 * rng.normal(size=(n, n)))


def transitive(rng: np.random.Generator, n: int) -> Table:
    """Bradley-Terry: one response beats all others."""
    scores = rng.normal(size=n)
    return np.tanh((scores[:, None] - scores) / 2) / 2


def top_cycle(rng: np.random.Generator, n: int) -> Table:
    """The first twenty responses form a random game, and beat all others, which are ranked."""
    A = _scaled(_ranked(n))
    top = slice(0, min(20, n - 1))
    A[top, top] = _scaled(rng.random((top.stop, top.stop)))
    return A


def voters(rng: np.random.Generator, n: int) -> Table:
    """Margins of 25 rankings: whole numbers, and often many equilibria."""
    places = np.array([rng.permutation(n) for _ in range(25)])
    return np.sign(places[:, None, :] - places[:, :, None]).sum(axis=0) / 50


KINDS: dict[str, Callable[[np.random.Generator, int], Table]] = {
    "random": random,
    "low rank": low_rank,
    "tied": tied,
    "clones": clones,
    "nearly transitive": nearly_transitive,
    "transitive": transitive,
    "top cycle": top_cycle,
    "voters": voters,
}


if __name__ == "__main__":
    main(toy_asked())
