"""A missing optional package is reported in one line that names the extra."""

import math
import sys

import pytest

import pgames as pg
from pgames.extras import need


def test_an_installed_module_is_returned():
    assert need("math", "any") is math


def test_a_missing_package_is_named_with_its_extra():
    with pytest.raises(ModuleNotFoundError) as error:
        need("package_that_is_not_there.part", "plot")
    assert str(error.value) == (
        "this call needs package_that_is_not_there: pip install 'pgames[plot]' brings it."
    )
    assert error.value.name == "package_that_is_not_there"


def test_an_installed_package_that_lacks_its_own_dependency_keeps_its_error(tmp_path, monkeypatch):
    (tmp_path / "half_installed.py").write_text("import package_that_is_not_there\n")
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(ModuleNotFoundError, match="No module named 'package_that_is_not_there'"):
        need("half_installed", "plot")


def test_nash_by_cvxpy_names_the_extra_where_cvxpy_is_missing(monkeypatch):
    monkeypatch.setitem(sys.modules, "cvxpy", None)
    with pytest.raises(ModuleNotFoundError, match=r"pip install 'pgames\[cvxpy\]' brings it"):
        pg.nash(pg.games.rock_paper_scissors(), method="cvxpy")
