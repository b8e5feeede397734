"""Simulations for tests of sweeps, in a module so that other processes find them; runs one as a script."""

from __future__ import annotations

import functools
import os
import sys
import time
from pathlib import Path

import numpy as np

from pgames.curves import Curve
from pgames.games import hidden_rps
from pgames.regret.simulate import simulate
from pgames.solvers.oracle import Greedy, Optimistic
from pgames.sweeps.sweep import Sweep, sweep

GRID = {"tau": [0.1, 0.05, 0.04], "learner": [Greedy, Optimistic]}
LATE = 60.0


def cell(tau, learner, rounds=40, seeds=3, seed=0):
    return simulate(learner(tau), hidden_rps(tau), rounds, seeds, seed=seed)


def noted(tau: float, learner: str, notes: str) -> Curve:
    """A curve made of nothing but its arguments, which notes that it was computed, and where."""
    with open(notes, "a") as file:
        file.write(f"{tau} {learner} {os.getpid()}\n")
    rounds = np.array([1, 10, 100])
    rows = np.arange(6.0).reshape(2, 3) * tau
    return Curve(learner, rounds, {"regret": rows}, rounds, tau)


def slow_at_the_end(tau: float, learner: str, notes: str) -> Curve:
    """As `noted`, but the last cells do not finish."""
    curve = noted(tau, learner, notes)
    if tau == 0.3 and os.environ.get("SWEEP_TEST_HANG"):
        time.sleep(LATE)
    return curve


def run_slow(folder: Path, n_jobs: int) -> Sweep:
    """The sweep that is interrupted and resumed; notes lie beside its folder."""
    simulate = functools.partial(slow_at_the_end, notes=str(folder.parent / "notes"))
    return sweep({"tau": [0.1, 0.2, 0.3], "learner": ["a", "b"]}, simulate, folder, n_jobs)


if __name__ == "__main__":
    from tests.support import sweep_cells  # so that functions have the same name here and under pytest

    sweep_cells.run_slow(Path(sys.argv[1]), int(sys.argv[2]))
