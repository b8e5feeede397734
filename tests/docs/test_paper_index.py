"""Pages name tests that exist, and the paper index has a row for every solver of `pgames`."""

from __future__ import annotations

import ast
import inspect
import pkgutil
import re
from importlib import import_module

import pytest

import pgames
import pgames.bandits
import pgames.solvers
from tests.support import ROOT

INDEX = (ROOT / "docs" / "reference" / "papers.md").read_text(encoding="utf-8")
PAGES = "".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs").rglob("*.md"))
MODULES = sorted(
    name
    for package in (pgames.solvers, pgames.bandits)
    for _, name, _ in pkgutil.iter_modules(package.__path__, f"{package.__name__}.")
)


def solvers_of(module: str) -> set[str]:
    """Classes of a module with `init` and `step`, and its public functions that make one."""
    found = set()
    for name, thing in vars(import_module(module)).items():
        if name.startswith("_") or getattr(thing, "__module__", None) != module:
            continue
        if inspect.isclass(thing):
            is_solver = hasattr(thing, "init") and hasattr(thing, "step")
        else:
            is_solver = inspect.isfunction(thing) and getattr(pgames, name, None) is thing
        if is_solver:
            found.add(name)
    return found


def in_rows(index: str) -> set[str]:
    """The classes named in the second column of the tables that have a column `class`."""
    named: set[str] = set()
    for table in re.findall(r"(?m)^\| paper \| class \|.*\n(?:\|.*\n)+", index):
        for row in table.splitlines()[2:]:
            named |= set(re.findall(r"`(\w+)`", row.split("|")[2]))
    return named


@pytest.mark.parametrize("reference", sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", PAGES))))
def test_every_test_named_exists(reference):
    path, name = reference.split("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_solver_has_its_row():
    missing = {module: solvers_of(module) - in_rows(INDEX) for module in MODULES}
    assert not {module: names for module, names in missing.items() if names}


def test_the_solvers_that_need_a_row_are_those_that_are_exported():
    exported = {
        name
        for name in pgames.__all__
        if getattr(getattr(pgames, name), "__module__", "") in MODULES and name != "Schedule"
    }
    assert exported == set().union(*map(solvers_of, MODULES))
    assert len(exported) > 30


@pytest.mark.parametrize("name", sorted(set().union(*map(solvers_of, MODULES))))
def test_a_row_that_is_missing_is_found(name):
    """Negative control: without the rows of a solver, the index no longer has it."""
    lines = INDEX.splitlines(keepends=True)
    kept = "".join(line for line in lines if not (line.startswith("|") and f"`{name}`" in line.split("|")[2]))
    assert name in in_rows(INDEX) and name not in in_rows(kept)
