"""What importing pgames costs and brings in, and that its rooms import only downwards."""

import ast
import json
import subprocess
import sys
from pathlib import Path

import pytest

import pgames

ROOT = Path(pgames.__file__).parent
HEAVY = ("torch", "cvxpy", "matplotlib", "transformers", "pyarrow", "pandas", "typer", "joblib")


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


def imported(path: Path) -> set[str]:
    tree = ast.parse(path.read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    return names | {node.module or "" for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}


@pytest.mark.parametrize("path", sorted(ROOT.rglob("*.py")), ids=lambda p: str(p.relative_to(ROOT)))
def test_pgames_never_imports_the_backend_or_torch(path):
    assert not {name.split(".")[0] for name in imported(path)} & {"torch", "transformers", "llm_backend"}


@pytest.mark.parametrize(
    ("room", "above"),
    [
        ("kernels", ("solvers", "learning", "exact", "table", "cli", "plot", "testing", "tracing")),
        ("exact", ("solvers", "learning", "table", "cli", "plot", "testing", "tracing")),
        ("solvers", ("cli", "plot", "testing", "table", "exact", "run")),
        ("learning", ("cli", "testing", "solvers")),
        ("ratings", ("cli", "testing", "solvers", "learning")),
        ("bounds", ("cli", "testing", "solvers", "learning", "plot")),
    ],
)
def test_rooms_import_only_downwards(room, above):
    for path in (ROOT / room).rglob("*.py"):
        for name in imported(path):
            for other in above:
                assert not f"{name}.".startswith(f"pgames.{other}."), f"{path.name} imports {name}"


def test_every_public_name_exists_and_is_documented():
    for name in pgames.__all__:
        thing = getattr(pgames, name)
        assert thing.__doc__, f"pgames.{name} has no docstring"
