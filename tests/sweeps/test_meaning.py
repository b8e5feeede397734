"""A cell whose meaning has changed is refused, wherever in the user's own code the change is."""

import subprocess
import sys

import pytest

import pgames as pg

HELPER = "def offset():\n    return 0.0\n"
SOURCE = """
import pgames as pg
import {helper}
SCALE = 1.0
TABLE = {{"k": 1}}
SOLVER = pg.Greedy(0.5)


class Box:
    SIZE = 1


def doubled(x):
    return x * 1


def cell(tau, rounds=4):
    "doc"
    # a comment
    def inner(x):
        return x + 0
    tau = doubled(tau) * SCALE + {helper}.offset() * Box.SIZE + 0 * SOLVER.tau
    return pg.simulate(pg.Greedy(tau), pg.games.comal3(), rounds, 2, seed=inner(TABLE["k"]))
"""
CHANGES = {
    "a constant": ("SCALE = 1.0", "SCALE = 2.0"),
    "a table": ('"k": 1', '"k": 2'),
    "a solver": ("Greedy(0.5)", "Greedy(0.7)"),
    "an attribute of a class": ("SIZE = 1", "SIZE = 2"),
    "a function beside it": ("return x * 1", "return x * 2 / 2"),
    "a function inside it": ("x + 0", "x + 1"),
    "the code": ("rounds, 2,", "rounds, 3,"),
}
RUN = """
import sys
sys.path.insert(0, sys.argv[1])
import {module} as module
import pgames as pg
print(pg.sweep({{"tau": [0.5]}}, module.cell, sys.argv[2]).computed)
"""


def played(folder, module, out):
    done = subprocess.run(
        [sys.executable, "-B", "-c", RUN.format(module=module), str(folder), str(out)],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


@pytest.fixture
def written(tmp_path):
    def write(source=SOURCE, helper=HELPER):
        (tmp_path / "my_helper.py").write_text(helper)
        (tmp_path / "my_cells.py").write_text(source.format(helper="my_helper"))
        return played(tmp_path, "my_cells", tmp_path / "out")

    assert write() == "1"
    return write


@pytest.mark.slow
@pytest.mark.parametrize("case", CHANGES)
def test_a_change_of_the_code_or_of_what_it_reads_is_refused(written, case):
    before, after = CHANGES[case]
    assert SOURCE.count(before) == 1
    assert "holds a sweep of another configuration" in written(SOURCE.replace(before, after))


def test_a_change_in_another_module_of_ones_own_is_refused(written):
    assert "holds a sweep of another configuration: simulate.code" in written(
        helper=HELPER.replace("0.0", "0.5")
    )


def test_words_may_change(written):
    assert written(SOURCE.replace("# a comment", "# another")) == "0"


def cell_run(run, regret=0):
    return pg.simulate(pg.Greedy(0.1), pg.games.comal3(), 3, 2, seed=run)


def test_a_field_called_as_a_column_keeps_its_values(tmp_path):
    pytest.importorskip("pandas")
    found = pg.sweep({"run": [7, 8], "regret": [5]}, cell_run, tmp_path / "out")
    frame = found.to_frame("pandas")
    assert set(frame["run (cell)"]) == {7, 8} and set(frame["run"]) == {0, 1}
    assert set(frame["regret (cell)"]) == {5} and frame["regret"].min() > 0


def test_where_names_values_that_are_there(tmp_path):
    found = pg.sweep({"run": [7, 8]}, cell_run, tmp_path / "out")
    with pytest.raises(ValueError, match="no cell has run=9: the grid has 7, 8"):
        found.curves("run", {"run": 9})
    with pytest.raises(ValueError, match="where must be a dict"):
        found.curves("run", "run")
    for by in ("nope", None, ["run"]):
        with pytest.raises(ValueError, match="the grid has no field"):
            found.curves(by)
    assert list(found.curves("run", {"run": 7})) == [7]
