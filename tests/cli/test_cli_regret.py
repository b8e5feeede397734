"""`pgames regret`: what it writes, and what it says about bad input."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import pgames as pg
from pgames.cli.app import app
from pgames.cli.arguments import parse_learner


def run(*words: str):
    return CliRunner().invoke(app, ["regret", *words])


SMALL = ("--rounds", "1e3", "--seeds", "12", "--tau", "0.1")


def test_figure_table_and_data(tmp_path: Path) -> None:
    out = tmp_path / "new" / "folder"
    result = run("--learner", "enpo:labels=4", "--learner", "Greedy", *SMALL, "--out", str(out))
    assert result.exit_code == 0, result.output
    files = {path.name for path in out.iterdir()}
    assert files == {"regret.png", "regret.csv", "regret.json", "enpo-labels-4.npz", "Greedy.npz"}
    for column in ("Reg mean", "median", "late slope", "bits", "CPU s"):
        assert column in result.stdout
    numbers = json.loads((out / "regret.json").read_text())
    assert numbers["tau"] == 0.1 and numbers["seeds"] == 12
    enpo, greedy = numbers["learners"]
    assert enpo["bits"] == 8000 and greedy["bits"] == 1000 and enpo["rounds"] == 1000
    curve = pg.Curve.load(out / "Greedy.npz")
    assert greedy["mean"] == pytest.approx(curve.regret[:, -1].mean())
    assert greedy["slope"] == pytest.approx(curve.late_slope().slope)
    same = pg.simulate(pg.Greedy(0.1), pg.games.hidden_rps(0.1), 1000, 12)
    assert np.array_equal(curve.regret, same.regret)
    with open(out / "regret.csv", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["learner"] for row in rows} == {"enpo:labels=4", "Greedy"}
    assert float(rows[-1]["median"]) == pytest.approx(np.median(curve.regret[:, -1]))
    assert (out / "regret.png").read_bytes().startswith(b"\x89PNG")


def test_lazy_updates_go_to_learners_that_can_wait(tmp_path: Path) -> None:
    words = (
        "--learner",
        "enpo",
        "--learner",
        "optimistic",
        *SMALL,
        "--refresh",
        "1.1",
        "--out",
        str(tmp_path),
    )
    result = run(*words)
    assert result.exit_code == 0
    assert "no lazy updates: enpo; --refresh is ignored there" in result.stderr
    enpo, optimistic = json.loads((tmp_path / "regret.json").read_text())["learners"]
    assert enpo["refresh"] is None and optimistic["refresh"] == 1.1


def test_games_from_names_and_files(tmp_path: Path) -> None:
    matrix = tmp_path / "game.csv"
    matrix.write_text("0.5,0.9\n0.1,0.5\n")
    for game in ("duel:0.8", "cyclic:5,p=0.9", str(matrix), "hidden_rps:kappa=0.1", "hidden_rps:0.2"):
        result = run("--learner", "greedy", "--game", game, *SMALL, "--out", str(tmp_path / "out"))
        assert result.exit_code == 0, result.output


def test_one_seed_and_no_regret_are_written_without_nan(tmp_path: Path) -> None:
    words = ("--rounds", "2", "--seeds", "1", "--game", "cyclic:3", "--out", str(tmp_path))
    assert run("--learner", "explorethencommit", *words).exit_code == 0
    (facts,) = json.loads((tmp_path / "regret.json").read_text())["learners"]
    assert facts["mean"] == 0 and facts["low"] is None and facts["slope"] is None


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("--learner", "nope"), "no learner is named 'nope': it must be one of DENPO"),
        (("--learner", "schedule"), "no learner is named 'schedule'"),
        (("--learner", "egpo"), "no learner is named 'egpo'"),
        (("--learner", "enpo", "--rounds", "0"), "'0' is not a whole number of at least 1"),
        (("--learner", "enpo", "--rounds", "1.5"), "'1.5' is not a whole number"),
        (("--learner", "enpo", "--rounds", "1e999"), "'1e999' is not a whole number"),
        (("--learner", "enpo", "--rounds", "nan"), "'nan' is not a whole number"),
        (("--learner", "enpo", "--seeds", "0"), "'0' is not a whole number"),
        (("--learner", "enpo", "--tau", "0", "--game", "duel"), "tau must be"),
        (("--learner", "enpo", "--tau", "-1"), "got -1"),
        (("--learner", "greedy", "--refresh", "1"), "refresh must be above 1"),
        (("--learner", "enpo", "--refresh", "0.5"), "refresh must be above 1"),
        (("--learner", "greedy", "--learner", "greedy"), "given twice"),
        (("--learner", "enpo:speed=3"), "it takes tau"),
        (("--learner", "optimistic:optimism=0"), "optimism must be finite and above 0, got 0"),
        (("--learner", "greedy", "--game", "nosuch"), "no game or file is named 'nosuch'"),
        ((), "--learner"),
    ],
)
def test_bad_input_leaves_with_2_and_says_why(tmp_path: Path, words: tuple[str, ...], says: str) -> None:
    out = tmp_path / "out"
    result = run(*words, *([] if "--rounds" in words else ["--rounds", "10"]), "--out", str(out))
    assert result.exit_code == 2
    assert says in " ".join(result.stderr.split()) and "Traceback" not in result.stderr
    assert not out.exists() or not list(out.iterdir())


def test_ctrl_c_writes_what_was_reached(tmp_path: Path, monkeypatch) -> None:
    real = pg.simulate

    def stopped(*arguments, **named):
        curve = real(*arguments, **named)
        return type(curve)(**{**vars(curve), "stopped": True})

    monkeypatch.setattr("pgames.simulate", stopped)
    result = run("--learner", "greedy", "--learner", "optimistic", *SMALL, "--out", str(tmp_path))
    assert result.exit_code == 130
    (facts,) = json.loads((tmp_path / "regret.json").read_text())["learners"]
    assert facts["name"] == "greedy" and facts["stopped"]


def test_a_learner_takes_the_tau_of_the_command_or_its_own() -> None:
    assert parse_learner("greedy", 0.2) == pg.Greedy(0.2)
    assert parse_learner("greedy:tau=0.3", 0.2) == pg.Greedy(0.3)
    assert parse_learner("greedy:0.3", 0.2) == pg.Greedy(0.3)
    assert parse_learner("ENPO:labels=4", 0.2) == pg.ENPO(0.2, labels=4)
