"""A sweep that grows: shared cells are read, changed ones refused; cells of runs; two processes at once."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pgames as pg
from pgames.curves import Curve
from pgames.sweeps.sweep import sweep
from tests.support import ROOT
from tests.support.sweep_cells import noted


def counted(tmp_path: Path):
    return functools.partial(noted, notes=str(tmp_path / "notes"))


def computed(tmp_path: Path) -> list[str]:
    return [line.rsplit(" ", 1)[0] for line in (tmp_path / "notes").read_text().splitlines()]


def test_one_more_tau_computes_its_cells_alone(tmp_path: Path) -> None:
    out, simulate = tmp_path / "runs", counted(tmp_path)
    first = sweep({"tau": [0.1, 0.2], "learner": ["a", "b"]}, simulate, out)
    grown = sweep({"tau": [0.3, 0.1, 0.2], "learner": ["b", "a"]}, simulate, out)
    assert (first.computed, grown.computed) == (4, 2)
    assert computed(tmp_path)[4:] == ["0.3 b", "0.3 a"]
    assert [list(cell.values.values()) for cell in grown.cells[:3]] == [[0.3, "b"], [0.3, "a"], [0.1, "b"]]
    for cell in grown.cells:
        np.testing.assert_array_equal(cell.curve.regret, np.arange(6.0).reshape(2, 3) * cell.values["tau"])
    assert sweep({"tau": [0.2], "learner": ["a"]}, simulate, out).computed == 0


def defaulted(tau: float, learner: str = "a", scale: float = 1.0) -> Curve:
    rounds = np.array([1, 10])
    return Curve(learner, rounds, {"regret": np.full((1, 2), tau * scale)}, rounds, tau)


def test_a_default_that_becomes_a_field_of_the_grid_reuses_its_cells(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    assert sweep({"tau": [0.1, 0.2]}, defaulted, out).computed == 2
    assert sweep({"tau": [0.1, 0.2], "learner": ["a", "b"]}, defaulted, out).computed == 2
    assert sweep({"learner": ["a", "b"], "tau": [0.1]}, defaulted, out).computed == 0
    other = functools.partial(defaulted, scale=2.0)
    with pytest.raises(ValueError, match=r"simulate|defaults\.scale is 1\.0 there and 2\.0"):
        sweep({"tau": [0.3]}, other, out)


def changed(tau: float, learner: str = "a", scale: float = 1.0) -> Curve:
    rounds = np.array([1, 10])
    return Curve(learner, rounds, {"regret": np.full((1, 2), tau * scale + 1)}, rounds, tau)


def test_a_cell_whose_meaning_changed_is_refused_before_anything_is_computed(tmp_path: Path) -> None:
    out = tmp_path / "runs"
    sweep({"tau": [0.1]}, defaulted, out)
    changed.__qualname__ = "defaulted"
    changed.__name__ = "defaulted"
    before = sorted((out / "cells").iterdir())
    for without in (False, True):
        if without:
            (out / "sweep.json").unlink()
        with pytest.raises(ValueError, match=r"another configuration: simulate\.code is"):
            sweep({"tau": [0.1, 0.2]}, changed, out)
    assert sorted((out / "cells").iterdir()) == before


def of_a_run(tau: float, rounds: int = 30) -> Curve:
    arena = pg.TableArena(pg.games.comal3(), runs=2)
    return pg.run(pg.EGPO(tau, 0.5), arena, rounds, [pg.metrics.Exploitability(), pg.metrics.Policies()])


def test_cells_may_be_runs(tmp_path: Path) -> None:
    found = sweep({"tau": [0.1, 0.2]}, of_a_run, tmp_path / "runs")
    again = sweep({"tau": [0.1, 0.2]}, of_a_run, tmp_path / "again")
    for cell, other in zip(found.cells, again.cells, strict=True):
        alone = of_a_run(**cell.values)
        for name in alone.values:
            np.testing.assert_array_equal(cell.curve.values[name], alone.values[name])
        assert cell.curve.cpu_seconds is not None and other.curve.solver == alone.solver
    files = [sorted((tmp_path / name / "cells").glob("*.npz")) for name in ("runs", "again")]
    assert [p.read_bytes() for p in files[0]] == [p.read_bytes() for p in files[1]]
    assert list(found.curves("tau")) == [0.1, 0.2]


def test_folders_of_earlier_versions_are_read(tmp_path: Path) -> None:
    out, simulate = tmp_path / "runs", counted(tmp_path)
    grid = {"tau": [0.1, 0.2], "learner": ["a"]}
    sweep(grid, simulate, out)
    for i, path in enumerate(sorted((out / "cells").glob("*.json"))):  # as they were written before
        about = json.loads(path.read_text())
        about["configuration"] = {"grid": {"tau": [0.1, 0.2], "learner": ["a"]}, **about["configuration"]}
        del about["rounds_cpu_seconds"]
        path.unlink()
        (out / "cells" / f"{i:04d}.json").write_text(json.dumps(about))
        path.with_suffix(".npz").rename(out / "cells" / f"{i:04d}.npz")
    assert sweep({"tau": [0.1, 0.2, 0.3], "learner": ["a"]}, simulate, out).computed == 1


def test_two_processes_may_sweep_one_folder(tmp_path: Path) -> None:
    code = (
        "import functools, sys; from pathlib import Path; from pgames.sweeps.sweep import sweep; "
        "from tests.support.sweep_cells import noted; out = Path(sys.argv[1]); "
        "f = functools.partial(noted, notes=str(out.parent / 'notes')); "
        "found = sweep({'tau': [float(t) / 100 for t in range(1, 31)], 'learner': ['a']}, f, out); "
        "print(len(found.cells))"
    )
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", code, str(tmp_path / "runs")]
    both = [
        subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        for _ in "ab"
    ]
    for process in both:
        out, err = process.communicate(timeout=300)
        assert process.returncode == 0 and out.decode().strip() == "30", err.decode()
    assert len(list((tmp_path / "runs" / "cells").glob("*.npz"))) == 30
