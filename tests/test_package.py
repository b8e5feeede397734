"""What importing pgames costs and brings in, and what works without the optional packages."""

import ast
import json
import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import pgames

ROOT = Path(pgames.__file__).parent
OPTIONAL = ("cvxpy", "joblib", "matplotlib", "pyarrow", "rich", "typer")
HEAVY = (*OPTIONAL, "torch", "transformers", "pandas")
BLOCKED = f"import sys; sys.modules.update(dict.fromkeys({(*HEAVY, 'pydantic', 'tqdm')!r}))\n"


def test_importing_is_light():
    code = (
        "import json, sys, time; start = time.process_time(); import pgames; "
        f"print(json.dumps([time.process_time() - start, [m for m in {HEAVY!r} if m in sys.modules]]))"
    )
    runs = [
        json.loads(
            subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        )
        for _ in range(3)
    ]
    assert runs[0][1] == []
    assert min(seconds for seconds, _ in runs) < 1.0, "import pgames must cost under one CPU second"


def blocked(code: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run code in a new process in which every optional package is missing."""
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", BLOCKED + code],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(ROOT.parent)},
        capture_output=True,
        text=True,
    )


def test_games_solvers_and_learning_need_no_optional_package(tmp_path):
    code = """
import numpy as np
import pgames as pg
game = pg.games.rock_paper_scissors().with_reference([0.6, 0.3, 0.1])
assert pg.nash(game).exploitability < 1e-12 and pg.nash(game, 0.1).residual < 1e-12
run = pg.run(pg.INPO(0.1, 0.5), pg.TableArena(game, runs=2), 30)
run.save("run.npz")
curve = pg.simulate(pg.Greedy(0.1), game, 50, 3)
curve.save("curve.npz")
wins = pg.Comparisons(np.array([0, 1, 2]), np.array([1, 2, 0]), np.array([1, 1, 1], dtype=np.int8))
assert pg.nash(wins.to_game()).policy.shape == (1, 3)
print("done")
"""
    done = blocked(code, tmp_path)
    assert done.stdout == "done\n", done.stderr


CALLS = {  # what is called, the package it needs, and the extra that brings it
    "pg.run(pg.SPPO(0.5), pg.TableArena(game), 4).plot()": ("matplotlib", "plot"),
    "pg.simulate(pg.Greedy(0.1), game, 20, 2).plot()": ("matplotlib", "plot"),
    "pg.plot.heatmap(game)": ("matplotlib", "plot"),
    "pg.Comparisons.read('votes.parquet')": ("pyarrow", "votes"),
    "pg.Comparisons.read('votes.csv')": ("pyarrow", "votes"),
    "pg.nash(game, method='cvxpy')": ("cvxpy", "cvxpy"),
    "pg.sweep({'tau': [0.1, 0.2]}, simulate=cell, out='runs', n_jobs=2)": ("joblib", "sweep"),
    "family_table()": ("rich", "votes"),
}


def test_a_missing_optional_package_is_one_line_that_names_the_extra(tmp_path):
    for name in ("votes.parquet", "votes.csv"):
        (tmp_path / name).write_text("left,right,winner\n0,1,left\n")
    code = f"""
import pgames as pg
from pgames.tracing.tableau import family_table

def cell(tau):
    return pg.simulate(pg.Greedy(tau), game, 20, 2)

game = pg.games.rock_paper_scissors()
for call in {list(CALLS)!r}:
    try:
        exec(call)
        print("no error")
    except ModuleNotFoundError as error:
        print(error)
"""
    done = blocked(code, tmp_path)
    assert done.returncode == 0, done.stderr
    for said, (call, (package, extra)) in zip(done.stdout.splitlines(), CALLS.items(), strict=True):
        assert said == f"this call needs {package}: pip install 'pgames[{extra}]' brings it.", call


@pytest.mark.parametrize("arguments", [["--help"], ["solve", "x.csv"]])
def test_the_command_line_names_its_extra(arguments, tmp_path):
    code = f"sys.argv = ['pgames', *{arguments!r}]\nfrom pgames.cli import main\nmain()"
    done = blocked(code, tmp_path)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr.count("\n") == 1 and "pip install 'pgames[votes]' brings it" in done.stderr


def test_a_wheel_alone_needs_three_packages():
    project = tomllib.loads((ROOT.parent / "pyproject.toml").read_text())["project"]
    assert sorted(re.findall(r"^\w+", "\n".join(project["dependencies"]), re.M)) == [
        "numba",
        "numpy",
        "scipy",
    ]
    extras = project["optional-dependencies"]
    named = re.findall(r"\w+", extras["all"][0])[1:]  # all but the model, kernels of a GPU, and tools
    assert {*named} == {*extras} - {"all", "smollm2", "gpu", "bench", "ray", "dev"}
    assert {"votes", "plot", "cvxpy", "sweep", "llm", "dev"} <= set(extras)


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_pgames_never_imports_the_backend_or_torch(path):
    assert not {name.split(".")[0] for name in imported(path)} & {"torch", "transformers", "llm_backend"}


def test_every_public_name_exists_and_is_documented():
    for name in pgames.__all__:
        thing = getattr(pgames, name)
        assert thing.__doc__, f"pgames.{name} has no docstring"
