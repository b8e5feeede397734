"""The paper index names tests and classes that exist, and leaves no solver of its four modules out."""

from __future__ import annotations

import ast
import re

import pytest

import pgames
from pgames.solvers import league, mirror, outer, pairs
from tests.support import ROOT

INDEX = (ROOT / "docs" / "papers.md").read_text(encoding="utf-8")


@pytest.mark.parametrize("reference", sorted(set(re.findall(r"`(tests/[\w/]+\.py::\w+)`", INDEX))))
def test_every_test_named_exists(reference):
    path, name = reference.split("::")
    tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
    assert name in {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


def test_every_solver_has_its_row():
    named = set(re.findall(r"`(\w+)`", INDEX))
    for module in (league, mirror, outer, pairs):
        solvers = {name for name in pgames.__all__ if getattr(module, name, None) is getattr(pgames, name)}
        listed = {
            name for name in solvers if getattr(getattr(pgames, name), "__module__", "") == module.__name__
        }
        assert listed - {"Best"} <= named, module.__name__
