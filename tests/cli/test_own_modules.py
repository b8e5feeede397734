"""Solvers and learners of one's own, by `module:name`, from the folder in which a command runs."""

import sys

import pytest

typer_testing = pytest.importorskip("typer.testing")

MODULE = """
from dataclasses import dataclass
import pgames as pg

@dataclass(frozen=True)
class Mine(pg.INPO):
    pass

@dataclass(frozen=True)
class Learner(pg.Greedy):
    pass
"""


@pytest.fixture
def folder(tmp_path, monkeypatch):
    (tmp_path / "module_of_a_user.py").write_text(MODULE)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry != ""])
    monkeypatch.delitem(sys.modules, "module_of_a_user", raising=False)
    return tmp_path


def invoke(*arguments):
    from pgames.cli.app import app

    return typer_testing.CliRunner().invoke(app, list(arguments))


def test_a_solver_in_the_folder_of_the_command(folder):
    said = invoke("solve", "comal3", "--solver", "module_of_a_user:Mine", "--rounds", "20")
    assert said.exit_code == 0, said.output
    assert "Mine(tau=0.1, eta=0.5) on comal3: 20 rounds" in said.output
    wrong = invoke("solve", "comal3", "--solver", "module_of_a_user:Mein", "--rounds", "20")
    assert wrong.exit_code == 2 and "Did you mean Mine?" in wrong.output


def test_a_learner_in_the_folder_of_the_command(folder):
    asked = ["regret", "--learner", "module_of_a_user:Learner", "--rounds", "20", "--seeds", "2"]
    said = invoke(*asked, "--out", str(folder / "out"))
    assert said.exit_code == 0, said.output
    assert (folder / "out" / "regret.json").is_file()
