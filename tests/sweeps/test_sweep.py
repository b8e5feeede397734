"""Sweeps: the same cells however they are run, nothing lost, nothing mixed up, nothing computed twice."""

from __future__ import annotations

import functools
import importlib.util
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from pgames.games import duel, hidden_rps
from pgames.solvers.oracle import Greedy
from pgames.sweeps.fingerprint import described, named
from pgames.sweeps.sweep import sweep
from tests.support import ROOT
from tests.support.sweep_cells import GRID, cell, noted, run_slow

TWO = {"tau": [0.1, 0.2], "learner": ["a", "b"]}


def noting(tmp_path: Path):
    """`noted` with its notes in a folder of the test."""
    return functools.partial(noted, notes=str(tmp_path / "notes"))


def notes(tmp_path: Path) -> list[str]:
    path = tmp_path / "notes"
    return [line.rsplit(" ", 1)[0] for line in path.read_text().splitlines()] if path.exists() else []


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in sorted((folder / "cells").glob("*.npz"))}


def path_of(folder: Path, **cell) -> Path:
    """The files of a cell, without their suffix."""
    manifests = [path for path in (folder / "cells").glob("*.json")]
    return next(p.with_suffix("") for p in manifests if json.loads(p.read_text())["cell"] == cell)


def wait_until(condition, seconds: float = 60.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "the sweep did not get so far"
        time.sleep(0.02)


def test_two_processes_give_the_bits_of_one(tmp_path: Path) -> None:
    one = sweep(GRID, cell, tmp_path / "one")
    two = sweep(GRID, cell, tmp_path / "two", n_jobs=2)
    assert contents(tmp_path / "one") == contents(tmp_path / "two")
    assert len(one.cells) == one.computed == two.computed == 6
    alone = cell(0.05, Greedy)
    assert np.array_equal(one.curves("tau", {"learner": Greedy})[0.05].regret, alone.regret)
    assert [c.values["tau"] for c in one.cells] == [0.1, 0.1, 0.05, 0.05, 0.04, 0.04]


def test_finished_cells_are_not_computed_again(tmp_path: Path) -> None:
    first = sweep(TWO, noting(tmp_path), tmp_path / "runs")
    again = sweep(TWO, noting(tmp_path), tmp_path / "runs")
    assert first.computed == 4 and again.computed == 0 and len(notes(tmp_path)) == 4
    assert repr(again).startswith("Sweep(4 cells in ")
    for old, new in zip(first.cells, again.cells, strict=True):
        assert old.values == new.values and np.array_equal(old.curve.regret, new.curve.regret)


def test_a_manifest_says_what_was_computed(tmp_path: Path) -> None:
    sweep({"tau": [0.1]}, functools.partial(cell, learner=Greedy), tmp_path / "runs")
    noted_down = json.loads(path_of(tmp_path / "runs", tau=0.1).with_suffix(".json").read_text())
    configuration = noted_down["configuration"]
    assert noted_down["cell"] == {"tau": 0.1}
    assert configuration["defaults"] == {
        "learner": "pgames.solvers.oracle.Greedy",
        "rounds": 40,
        "seeds": 3,
        "seed": 0,
    }
    assert configuration["simulate"]["name"] == "tests.support.sweep_cells.cell"
    assert configuration["versions"]["numpy"] == np.__version__


@pytest.mark.parametrize("end", [".npz", ".json"])
def test_a_damaged_cell_is_computed_again_and_said_so(tmp_path: Path, capsys, end: str) -> None:
    sweep(TWO, noting(tmp_path), tmp_path / "runs")
    before = contents(tmp_path / "runs")
    damaged = path_of(tmp_path / "runs", tau=0.2, learner="a").with_suffix(end)
    damaged.write_bytes(damaged.read_bytes()[:-40])
    assert sweep(TWO, noting(tmp_path), tmp_path / "runs").computed == 1
    said = capsys.readouterr().err
    assert "cell tau=0.2, learner='a' is damaged" in said and "computing it again" in said
    assert notes(tmp_path)[4:] == ["0.2 a"]
    assert contents(tmp_path / "runs") == before
    assert sweep(TWO, noting(tmp_path), tmp_path / "runs").computed == 0 and not capsys.readouterr().err


def test_a_cell_whose_curve_is_gone_is_computed_again(tmp_path: Path, capsys) -> None:
    sweep(TWO, noting(tmp_path), tmp_path / "runs")
    gone = path_of(tmp_path / "runs", tau=0.1, learner="b").with_suffix(".npz")
    gone.unlink()
    assert sweep(TWO, noting(tmp_path), tmp_path / "runs").computed == 1
    assert f"{gone.name} is missing" in capsys.readouterr().err


@pytest.mark.parametrize("left", ["{", "[]"])
def test_a_damaged_configuration_is_written_again_and_cells_still_guard_theirs(
    tmp_path: Path, capsys, left: str
) -> None:
    sweep(TWO, noting(tmp_path), tmp_path / "runs")
    (tmp_path / "runs" / "sweep.json").write_text(left)
    assert sweep(TWO, noting(tmp_path), tmp_path / "runs").computed == 0
    assert "sweep.json is damaged" in capsys.readouterr().err
    (tmp_path / "runs" / "sweep.json").unlink()
    other = functools.partial(noted, notes=str(tmp_path / "other"))
    with pytest.raises(ValueError, match=r"defaults\.notes is .* there and .*other"):
        sweep(TWO, other, tmp_path / "runs")


SOURCE = """
from pgames.games import hidden_rps
from pgames.regret.simulate import simulate
from pgames.solvers.oracle import Greedy

KAPPA = {kappa}

def game(tau):
    return {game}(tau, KAPPA)

class Mine(Greedy):
    def step(self, arena, state):
        return {step}

def cell(tau, learner={learner}, seeds={seeds}):
    return simulate(Mine(tau) if learner else Greedy(tau), [game(t) for t in (tau,)][0], {rounds}, seeds)
"""
SAME = {"kappa": 0.2, "game": "hidden_rps", "step": "super().step(arena, state)", "learner": True}
SAME |= {"seeds": 2, "rounds": 20}


def made(**changed):
    """`cell` of a module with something changed in its source."""
    values: dict = {"__name__": "users_module"}
    exec(SOURCE.format(**{**SAME, **changed}), values)
    return values["cell"]


@pytest.mark.parametrize(
    ("changed", "field"),
    [
        ({"seeds": 3}, "defaults.seeds is 2 there and 3 now"),
        ({"learner": False}, "defaults.learner is true there and false now"),
        ({"kappa": 0.3}, "simulate.constants.KAPPA is 0.2 there and 0.3 now"),
        ({"rounds": 21}, "simulate.code is"),
        ({"game": "1 * hidden_rps"}, "simulate.code is"),
        ({"step": "Greedy.step(self, arena, state)"}, "simulate.code is"),
    ],
)
def test_another_configuration_is_refused_by_name(tmp_path: Path, changed: dict, field: str) -> None:
    folder = tmp_path / "runs"
    sweep({"tau": [0.1]}, made(), folder)
    before = contents(folder)
    with pytest.raises(ValueError, match="another configuration") as refusal:
        sweep({"tau": [0.1]}, made(**changed), folder)
    assert field in str(refusal.value) and contents(folder) == before
    assert sweep({"tau": [0.1]}, made(), folder).computed == 0


def test_another_version_is_refused(tmp_path: Path, monkeypatch) -> None:
    sweep({"tau": [0.1]}, made(), tmp_path / "runs")
    monkeypatch.setattr("pgames.sweeps.grid.__version__", "9.9")
    with pytest.raises(ValueError, match=r"versions\.pgames is .* there and \"9\.9\" now"):
        sweep({"tau": [0.1]}, made(), tmp_path / "runs")


def test_cells_older_than_an_edit_of_the_package_are_mentioned(tmp_path: Path, monkeypatch, capsys) -> None:
    sweep(TWO, noting(tmp_path), tmp_path / "runs")
    assert sweep(TWO, noting(tmp_path), tmp_path / "runs").computed == 0 and not capsys.readouterr().err
    monkeypatch.setattr("pgames.sweeps.store.source_digest", lambda package: "another")
    assert sweep(TWO, noting(tmp_path), tmp_path / "runs").computed == 0
    assert "4 cells" in capsys.readouterr().err


def test_an_error_names_its_cell_and_leaves_the_others(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="tau") as error:
        sweep({"tau": [0.1, -1.0]}, functools.partial(cell, learner=Greedy), tmp_path / "runs")
    assert error.value.__notes__ == ["in the cell tau=-1.0"]
    assert len(contents(tmp_path / "runs")) == 1 and path_of(tmp_path / "runs", tau=0.1)


def test_ctrl_c_inside_a_simulation_keeps_whole_cells_only(tmp_path: Path, monkeypatch) -> None:
    calls: list[float] = []

    def stopped(tau: float):
        calls.append(tau)
        curve = cell(0.1, Greedy)
        return curve if tau == 0.1 else type(curve)(**{**vars(curve), "stopped": True})

    with pytest.raises(KeyboardInterrupt):
        sweep({"tau": [0.1, 0.2, 0.3]}, stopped, tmp_path / "runs")
    assert calls == [0.1, 0.2] and len(contents(tmp_path / "runs")) == 1


def hanging(tmp_path: Path, n_jobs: int) -> subprocess.Popen:
    """A sweep in another process, up to where its last two cells are in flight."""
    environment = {**os.environ, "SWEEP_TEST_HANG": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "tests.support.sweep_cells", str(tmp_path / "runs"), str(n_jobs)]
    process = subprocess.Popen(command, env=environment, start_new_session=True, stderr=subprocess.PIPE)
    wait_until(lambda: len(notes(tmp_path)) >= 4 + n_jobs)
    wait_until(lambda: len(list((tmp_path / "runs" / "cells").glob("*.json"))) == 4)
    return process


@pytest.mark.parametrize("n_jobs", [1, 2])
@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGINT])
def test_a_killed_sweep_loses_only_cells_in_flight(tmp_path: Path, n_jobs: int, how: signal.Signals) -> None:
    process = hanging(tmp_path, n_jobs)
    os.killpg(process.pid, how)
    process.communicate(timeout=30)
    assert process.returncode != 0
    finished = contents(tmp_path / "runs")
    assert len(finished) == 4
    resumed = run_slow(tmp_path / "runs", n_jobs=1)
    assert resumed.computed == 2 and sorted(notes(tmp_path)[4 + n_jobs :]) == ["0.3 a", "0.3 b"]
    (tmp_path / "fresh").mkdir()
    run_slow(tmp_path / "fresh" / "runs", n_jobs=1)
    whole, fresh = contents(tmp_path / "runs"), contents(tmp_path / "fresh" / "runs")
    assert sorted(whole.values()) == sorted(fresh.values())  # other notes, so other names of the cells
    assert finished.items() <= contents(tmp_path / "runs").items()


def test_killed_between_the_two_files_of_a_cell(tmp_path: Path, capsys) -> None:
    sweep(TWO, noting(tmp_path), tmp_path / "runs")
    last = path_of(tmp_path / "runs", tau=0.2, learner="b")
    last.with_suffix(".json").unlink()
    last.with_name(f".{last.name}.npz.half").write_bytes(b"half")
    assert sweep(TWO, noting(tmp_path), tmp_path / "runs").computed == 1 and not capsys.readouterr().err


@pytest.mark.parametrize(
    ("grid", "simulate", "says"),
    [
        ({}, cell, "no field"),
        ({"tau": []}, cell, "tau must be a list of at least one value"),
        ({"tau": 0.1}, cell, "tau must be a list"),
        ({"tau": [0.1, 0.1]}, cell, "a value twice"),
        ({"tau": [1, 1.0]}, cell, "a value twice"),  # the curves of a sweep could not be told apart
        ({"tau": [0.0, -0.0]}, cell, "a value twice"),
        ([("tau", [0.1])], cell, "grid must be a dict"),
        (None, cell, "grid must be a dict"),
        ({"tau": [0.1], "speed": [1]}, cell, "has no parameter speed, it has tau, learner"),
        ({"tau": [0.1]}, cell, "needs learner"),
        ({"tau": [0.1]}, lambda tau: cell(tau, Greedy), "has no name"),
        ({"tau": [0.1], "learner": [lambda tau: Greedy(tau)]}, cell, "has no name"),
        ({"tau": [object()], "learner": [Greedy]}, cell, "cannot be written down exactly"),
    ],
)
def test_bad_grids(tmp_path: Path, grid: dict, simulate, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        sweep(grid, simulate, tmp_path / "runs")
    assert not (tmp_path / "runs").exists()


def test_a_folder_that_is_a_file_and_no_jobs_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ValueError, match="is a file, and a folder is needed"):
        sweep(TWO, noting(tmp_path), tmp_path / "file")
    with pytest.raises(ValueError, match="n_jobs must be at least 1"):
        sweep(TWO, noting(tmp_path), tmp_path / "runs", n_jobs=0)
    assert not (tmp_path / "runs").exists()


def test_a_simulation_must_return_a_curve(tmp_path: Path) -> None:
    def nothing(tau: float) -> float:
        return tau

    with pytest.raises(TypeError, match="must return a Curve, got float"):
        sweep({"tau": [0.1]}, nothing, tmp_path / "runs")


def test_curves_by_a_field(tmp_path: Path) -> None:
    result = sweep(TWO, noting(tmp_path), tmp_path / "runs")
    assert list(result.curves("tau", {"learner": "a"})) == [0.1, 0.2]
    with pytest.raises(ValueError, match="several cells have the same tau: fix learner in `where`"):
        result.curves("tau")
    with pytest.raises(ValueError, match="no field speed, only tau, learner"):
        result.curves("speed")


def test_descriptions_tell_values_apart() -> None:
    apart = [duel(0.7), duel(0.8), hidden_rps(0.1), Greedy, Greedy(0.1), Greedy(0.2), np.eye(2), np.ones(2)]
    apart += [0.1, "a", None, True, [1, 2], {"a": 1}, functools.partial(cell, 0.1), cell]
    texts = [json.dumps(described(value)) for value in apart]
    assert len(set(texts)) == len(apart)
    assert described(duel(0.7)) == described(duel(0.7)) and named(functools.partial(cell, 0.1)) == named(cell)


def test_descriptions_are_the_same_in_every_process() -> None:
    code = (
        "from tests.support import sweep_cells; from pgames.sweeps.fingerprint import described; "
        "print(described(sweep_cells.cell))"
    )
    said = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(ROOT)},
            capture_output=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert said == {f"{described(cell)}\n".encode()}


@pytest.mark.slow
@pytest.mark.skipif(importlib.util.find_spec("ray") is None, reason="ray is not installed: pip install ray")
@pytest.mark.filterwarnings("ignore")
def test_two_processes_of_ray_give_the_same_bits(tmp_path: Path) -> None:
    import joblib
    import ray
    from ray.util.joblib import register_ray

    ray.init(
        num_cpus=2,
        include_dashboard=False,
        runtime_env={"env_vars": {"PYTHONPATH": os.pathsep.join(filter(None, sys.path))}},
    )
    try:
        register_ray()
        with joblib.parallel_config(backend="ray", n_jobs=2):
            sweep(GRID, cell, tmp_path / "ray")
            workers = sweep(TWO, noting(tmp_path), tmp_path / "noted")
    finally:
        ray.shutdown()
    processes = {line.rsplit(" ", 1)[1] for line in (tmp_path / "notes").read_text().splitlines()}
    assert str(os.getpid()) not in processes and workers.computed == 4
    sweep(GRID, cell, tmp_path / "here")
    assert contents(tmp_path / "ray") == contents(tmp_path / "here")
