"""The command line: what it prints, what it leaves behind, and how it refuses bad input."""

import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

import pgames as pg
from pgames import names
from pgames.cli.app import app
from pgames.cli.arguments import parse_game, parse_learner, parse_solver, parse_source

VOTES = "left,right,winner\na,b,left\nb,c,right\nc,a,left\na,b,tie\nb,c,left\n"


def invoke(*arguments):
    return CliRunner().invoke(app, [str(argument) for argument in arguments])


@pytest.fixture
def votes(tmp_path):
    path = tmp_path / "votes.csv"
    path.write_text(VOTES)
    return path


# -- doing ---------------------------------------------------------------------------------------------------


def test_version():
    result = invoke("--version")
    assert result.exit_code == 0 and result.output.strip() == f"pgames {pg.__version__}"


def test_solve_prints_json_that_is_the_equilibrium():
    result = invoke("solve", "cyclic:5,p=0.9", "--solver", "egpo", "--tau", 0.2, "--rounds", 300, "--json")
    found = json.loads(result.stdout)
    np.testing.assert_allclose(found["policy"], np.full((1, 5), 0.2), atol=1e-12)
    assert found["exploitability"]["tau"] <= 1e-12 and found["exact"]["exploitability"] <= 1e-12
    assert found["solver"] == "EGPO(tau=0.2, eta=0.5)" and found["rounds"] == 300 and found["tau"] == 0.2


def test_solve_prints_the_policy_beside_the_exact_one():
    result = invoke("solve", "comal3", "--solver", "COMAL:every=50", "--rounds", 3000)
    assert result.exit_code == 0
    for expected in ("0.363636", "0.272727", "exploitability at tau = 0", "certificate"):
        assert expected in result.stdout


def test_solve_draws_the_gap(tmp_path):
    figure = tmp_path / "gap.svg"
    result = invoke("solve", "dice", "--rounds", 20, "--plot", figure)
    assert result.exit_code == 0 and "exploitability (tau = 0.1)" in figure.read_text()


def test_solve_reads_matrices_and_votes(tmp_path, votes):
    P = pg.games.comal3().P[0]
    np.savetxt(tmp_path / "P.csv", P, delimiter=",")
    np.savetxt(tmp_path / "P.txt", P)
    np.savez(tmp_path / "P.npz", P=P, labels=np.array(["a", "b", "c"]))
    for name in ("P.csv", "P.txt", "P.npz"):
        np.testing.assert_array_equal(parse_game(str(tmp_path / name)).P[0], P)
    assert parse_game(str(tmp_path / "P.npz")).labels == ("a", "b", "c")
    assert parse_game(str(votes)).labels == ("a", "b", "c")


def test_symmetrise_takes_a_table_that_is_not_antisymmetric(tmp_path):
    path = tmp_path / "P.csv"
    path.write_text("0.5,0.7\n0.2,0.5\n")
    refused = invoke("solve", path)
    assert refused.exit_code == 2 and "symmetrise" in refused.stderr
    assert invoke("solve", path, "--symmetrise", "--rounds", 5).exit_code == 0
    np.testing.assert_allclose(parse_source(str(path), symmetrise=True).game.P[0, 0, 1], 0.75)


SPELLED = {
    "Average": "Average(MMD)",
    "Best": "Best:inner=MMD",
    "GPO": "GPO:loss=logistic",
    "League": "League(MMD, 3)",
    "MainAndExploiters": "MainAndExploiters(MMD)",
    "OnlineGPO": "OnlineGPO(squared)",
    "ProximalPoint": "ProximalPoint(MMD(0.1, 0.5), every=7)",
}
ELSEWHERE = (*names.OPPOSED, "SPIN", "ExpertIteration")
ON_TABLES = [name for name in names.solvers() if name not in (*names.LEARNERS, *ELSEWHERE)]


@pytest.mark.parametrize("name", ON_TABLES)
def test_every_solver_runs_by_name_with_its_defaults(name):
    assert invoke("solve", "comal3", "--solver", SPELLED.get(name, name), "--rounds", 3).exit_code == 0


def test_a_solver_may_hold_another_and_be_the_users_own():
    assert parse_solver("Average:MMD") == pg.Average(pg.MMD(0.1, 0.5))
    assert parse_solver("average(best(mmd(0.2)), )") == pg.Average(pg.Best(pg.MMD(0.2, 0.5)))
    assert parse_solver("Best:MMD", tau=0.3) == pg.Best(pg.MMD(0.3, 0.5), 0.3)
    assert parse_solver("Average(MMD(0.1, 0.5))", 0.2, 0.4) == pg.Average(pg.MMD(0.2, 0.4))
    assert parse_solver("Average(MMD(tau=0.2))", tau=0.2) == pg.Average(pg.MMD(0.2, 0.5))
    own = "pgames.solvers.mirror:MMD"
    for text in (f"Average({own})", f"Average:inner={own}", f"Average:{own}(0.1)"):
        assert parse_solver(text) == pg.Average(pg.MMD(0.1, 0.5))
    assert parse_solver(f"{own}:0.2,0.4") == parse_solver(f"{own}(0.2, 0.4)") == pg.MMD(0.2, 0.4)
    for solver in (
        pg.Average(pg.MMD(0.1, 0.5)),
        pg.OnlineGPO(pg.losses.squared, 0.1),
        pg.NashEMA(0.1, 0.5, arithmetic=True),
        pg.ENPO(0.1, pg.Schedule("constant", 0.5), labels=2),
    ):
        assert parse_solver(repr(solver)) == solver


def test_tau_and_eta_reach_the_solver():
    assert parse_solver("mmd", 0.3, 7.0) == pg.MMD(0.3, 7.0)
    assert parse_solver("NashMD", tau=0.2) == pg.NashMD(0.2)  # keeps the theorem's step
    assert parse_solver("MNPO:past=2") == pg.MNPO(0.1, 0.5, 2)
    assert parse_solver("COMAL:0.2,0.4,7") == pg.COMAL(0.2, 0.4, 7)


def test_report_writes_a_page_and_its_numbers(tmp_path, votes):
    out = tmp_path / "out"
    result = invoke("report", votes, "--out", out, "--bootstrap", 3)
    assert result.exit_code == 0 and str(out / "report.html") in result.stdout
    assert json.loads((out / "report.json").read_text())["votes"]["count"] == 5
    assert (out / "report.html").read_text().startswith("<!DOCTYPE html>")


def test_solve_and_report_give_one_answer_to_one_file_and_name_the_estimator(tmp_path):
    """9 votes to 1 on each pair of a chain, and pairs that never met."""
    rows = [f"{a},{b},{'left' if i else 'right'}" for a, b in ("AB", "BC", "CD") for i in range(10)]
    path = tmp_path / "few.csv"
    path.write_text("\n".join(["left,right,winner", *rows]) + "\n")
    solved = invoke("solve", path, "--solver", "SPPO", "--rounds", 10, "--json")
    assert invoke("report", path, "--out", tmp_path, "--bootstrap", 2).exit_code == 0
    found, numbers = json.loads(solved.stdout), json.loads((tmp_path / "report.json").read_text())
    mixture = {item["name"]: item["nash"]["probability"] for item in numbers["items"]}
    np.testing.assert_allclose(found["exact"]["policy"][0], [mixture[name] for name in "ABCD"], atol=1e-12)
    np.testing.assert_allclose(found["exact"]["policy"][0], [1, 0, 0, 0], atol=1e-12)
    settings = numbers["settings"]
    assert found["estimate"] == {"method": settings["estimate"], "ranking_worth": settings["ranking_worth"]}
    assert settings["estimate"].startswith("pgames.estimate: ") and settings["elo_k"] == 4
    page = (tmp_path / "report.html").read_text()
    assert "pgames.estimate" in page and "k = 4." in page and "k = 30" not in page
    assert settings["estimate"] in invoke("solve", path, "--rounds", 3).stdout
    named = invoke("solve", "comal3", "--rounds", 3, "--json")
    assert json.loads(named.stdout)["estimate"] is None


def test_report_takes_the_names_of_columns(tmp_path):
    path = tmp_path / "battles.csv"
    path.write_text("model_a,model_b,better,task\nx,y,x,t1\ny,z,y,t2\nz,x,tie,t1\n")
    columns = ["--left", "model_a", "--right", "model_b", "--winner", "better", "--prompt", "task"]
    assert invoke("report", path, "--out", tmp_path, "--bootstrap", 2, *columns).exit_code == 0
    assert json.loads((tmp_path / "report.json").read_text())["votes"]["prompts"] == 2


def test_families_prints_the_coefficients_of_each_solver():
    result = invoke("families")
    assert result.exit_code == 0
    for expected in ("SPPO", "INPO", "EGPO", "0.95", "0.05"):
        assert expected in result.stdout


def test_demo_solves_draws_and_says_where(tmp_path):
    result = invoke("demo", "--out", tmp_path)
    assert result.exit_code == 0, result.output
    written = {file.name for file in tmp_path.iterdir()}
    assert written == {
        "simplex.png",
        "convergence.png",
        "sampled.png",
        "bound.png",
        "votes.json",
        "index.html",
    }
    assert all(str(tmp_path / name) in result.stdout for name in written)
    page = (tmp_path / "index.html").read_text()
    assert page.count("<img ") == 7 and "http://" not in page.replace("http://www.w3.org", "")
    for solver in ("SPPO", "FictitiousPlay", "NashMD", "EGPO", "COMAL"):
        assert solver in result.stdout and solver in page


def test_demo_solvers_do_what_its_page_says():
    from pgames.report.demo_runs import solve_all

    lines, runs = solve_all()
    assert len(lines) == 25 and len({line.game for line in lines}) == 5
    assert all(line.certificate <= 1e-12 for line in lines)
    by = {(line.game, line.solver): line for line in lines}
    for game in ("comal3", "perturbed_rps", "cyclic(5, p=0.9)", "blotto(5, 3)"):
        assert by[game, "SPPO"].gap > 0.05  # circles outwards
        assert by[game, "EGPO"].gap < 1e-12 and by[game, "EGPO"].distance < 1e-9
        assert by[game, "NashMD"].gap < 1e-6
        assert by[game, "COMAL"].gap < 1e-7
        assert 1e-4 < by[game, "FictitiousPlay"].gap < 0.05
    assert set(runs) == {"SPPO", "FictitiousPlay", "NashMD", "EGPO", "COMAL"}


# -- refusing ------------------------------------------------------------------------------------------------


def bad_files(folder: Path) -> dict[str, Path]:
    """Files with one thing wrong each."""
    text = {
        "empty.csv": "",
        "header.csv": "left,right,winner\n",
        "nobody.csv": "left,right,winner\na,b,left\na,b,zed\n",
        "cut.csv": "left,right,winner\na,b,left\na,b",
        "columns.csv": "one,other,winner\na,b,one\n",
        "nan.csv": "0.5,nan\n0.5,0.5\n",
        "sum.csv": "0.5,0.7\n0.2,0.5\n",
        "outside.csv": "0.5,1.7\n-0.7,0.5\n",
        "ragged.csv": "0.5,0.7\n0.3\n",
        "rows.csv": "0.5,0.7\n",
        "letters.csv": "0.5,x\n0.3,0.5\n",
        "prose.txt": "To be or not to be\n",
    }
    for name, content in text.items():
        (folder / name).write_text(content)
    np.savez(folder / "other.npz", Q=np.eye(2))
    np.savez(folder / "whole.npz", P=np.full((50, 50), 0.5))
    (folder / "half.npz").write_bytes((folder / "whole.npz").read_bytes()[:300])
    np.savez(folder / "objects.npz", P=np.array([None, {}], dtype=object))
    (folder / "binary.csv").write_bytes(bytes(range(256)))
    return {path.name: path for path in folder.iterdir()}


BAD = [
    (["solve", "nosuch:3"], ["'nosuch'", "comal3"]),
    (["solve", "cyclic"], ["'n'", "cyclic"]),
    (["solve", "cyclic:2.5"], ["n must be a whole number", "2.5"]),
    (["solve", "cyclic:x"], ["'x' is not a number"]),
    (["solve", "cyclic:p=1,3"], ["'3'", "name=number"]),
    (["solve", "cyclic:3,p=2"], ["p must be a probability", "2"]),
    (["solve", "cyclic:3,p=nan"], ["p must be a probability", "nan"]),
    (["solve", "cyclic:0"], ["n must be at least 1"]),
    (["solve", "__import__:1"], ["'__import__'"]),
    (["solve", "np:1"], ["'np'"]),
    (["solve", "dice", "--solver", "Nope"], ["'Nope'", "EGPO"]),
    (["solve", "dice", "--solver", "SPIN"], ["'SPIN'"]),
    (["solve", "dice", "--solver", "Averag"], ["'Averag'", "Did you mean Average?", "package.module:Class"]),
    (["solve", "dice", "--solver", "Average"], ["'Average'", "inner"]),
    (["solve", "dice", "--solver", "Average:3"], ["inner", "MMD", "3"]),
    (["solve", "dice", "--solver", "Average(MMDD)"], ["'MMDD'", "Did you mean"]),
    (["solve", "dice", "--solver", "Average(MMD"], ["'Average(MMD'", "name(5, p=0.9)"]),
    (["solve", "dice", "--solver", "Average((MMD)"], ["parentheses"]),
    (["solve", "dice", "--solver", "SPPO", "--solver", "GPO:loss=hing"], ["'hing'", "Did you mean hinge?"]),
    (["solve", "dice", "--solver", "nowhere.to_be:Found"], ["nowhere", "No module"]),
    (["solve", "dice", "--solver", "pgames.solvers.mirror:MMDD"], ["'MMDD'", "Did you mean MMD?"]),
    (["solve", "dice", "--solver", "os:getcwd"], ["os:getcwd", "init and step"]),
    (["solve", "dice", "--solver", "SPIN:2"], ["SPIN", "expert"]),
    (["solve", "dice", "--solver", "Greedy"], ["Greedy", "believe"]),
    (["solve", "dice", "--tau", "-1"], ["tau", "-1"]),
    (["solve", "dice", "--tau", "nan"], ["tau", "nan"]),
    (["solve", "dice", "--eta", "0"], ["eta", "0"]),
    (["solve", "dice", "--tau", "1", "--eta", "3"], ["eta * tau", "3", "MMD"]),
    (["solve", "dice", "--solver", "SPPO", "--tau", "1"], ["SPPO has no tau", "--tau"]),
    (["solve", "dice", "--solver", "MNPO:past=0"], ["past", "0"]),
    (["solve", "dice", "--plot", "x.gif"], [".png, .svg or .pdf", "x.gif"]),
    (["solve", "dice", "--rounds", "0"], ["rounds"]),
    (["solve", "missing.csv"], ["missing.csv"]),
    (["solve", "{nan.csv}"], ["NaN", "P[0, 0, 1]"]),
    (["solve", "{sum.csv}"], ["P + P' must be 1", "0.1", "symmetrise"]),
    (["solve", "{outside.csv}"], ["[0, 1]", "-0.7"]),
    (["solve", "{ragged.csv}"], ["line 2", "cut"]),
    (["solve", "{rows.csv}"], ["square"]),
    (["solve", "{letters.csv}"], ["line 1", "'x'"]),
    (["solve", "{prose.txt}"], ["prose.txt"]),
    (["solve", "{empty.csv}"], ["empty"]),
    (["solve", "{other.npz}"], ["Q", "np.savez"]),
    (["solve", "{half.npz}"], ["half.npz", "cut or damaged"]),
    (["solve", "{objects.npz}"], ["objects.npz"]),
    (["solve", "{binary.csv}"], ["binary.csv"]),
    (["solve"], ["argument"]),
    (["nosuch"], ["nosuch"]),
    (["report", "missing.csv", "--out", "{out}"], ["missing.csv"]),
    (["report", "{empty.csv}", "--out", "{out}"], ["empty"]),
    (["report", "{header.csv}", "--out", "{out}"], ["header.csv", "no votes"]),
    (["report", "{nobody.csv}", "--out", "{out}"], ["'zed'", "2"]),
    (["report", "{cut.csv}", "--out", "{out}"], ["cut.csv"]),
    (["report", "{columns.csv}", "--out", "{out}"], ["'left'", "'other'"]),
    (["report", "{binary.csv}", "--out", "{out}"], ["binary.csv"]),
    (["report", "{nobody.csv}", "--out", "{out}", "--prompt", "task"], ["'task'"]),
    (["report", "{nobody.csv}"], ["out"]),
    (["report", "{nobody.csv}", "--out", "{out}", "--bootstrap", "1"], ["bootstrap"]),
    (["demo", "--out", "{prose.txt}"], ["is a file", "--out"]),
]


@pytest.mark.parametrize("arguments, said", BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_input_is_refused_in_one_line_with_code_2(arguments, said, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "in").mkdir()
    files = bad_files(tmp_path / "in")
    before = set(tmp_path.rglob("*"))
    filled = [
        str(tmp_path / "out") if a == "{out}" else str(files[a[1:-1]]) if a.startswith("{") else a
        for a in arguments
    ]
    result = invoke(*filled)
    assert result.exit_code == 2, result.output
    assert result.stdout == "" and "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert result.stderr.startswith("Usage:") or result.stderr.strip() == last  # one line of our own
    for part in said:
        assert part in last, last
    assert set(tmp_path.rglob("*")) == before  # nothing written, not even a folder


def test_nothing_is_evaluated(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for text in ("cyclic:__import__('os').mkdir('x')", "cyclic:open('x','w')", "os.mkdir:3"):
        assert invoke("solve", text).exit_code == 2
    assert not list(tmp_path.iterdir())


def test_a_failed_write_leaves_no_file(tmp_path, votes, monkeypatch):
    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    out = tmp_path / "out"
    result = invoke("report", votes, "--out", out, "--bootstrap", 2)
    assert result.exit_code == 2 and "No space left" in result.stderr
    assert list(out.glob("*")) == []


def test_a_solve_that_fails_leaves_no_folder_for_its_figure(tmp_path):
    plot = tmp_path / "new" / "deep" / "gap.png"
    assert invoke("solve", "nosuch", "--plot", plot).exit_code == 2
    assert invoke("solve", "duel", "--solver", "Greedy", "--plot", plot).exit_code == 2
    assert list(tmp_path.iterdir()) == []
    assert invoke("solve", "duel", "--rounds", 2, "--plot", plot).exit_code == 0 and plot.is_file()


def test_votes_are_read_without_prompts_by_every_command_that_reads_them(tmp_path):
    """One row without a prompt: each command that refuses it names the option, and has it."""
    path = tmp_path / "votes.csv"
    path.write_text("left,right,winner,prompt\na,b,left,x\nb,c,left,\nc,a,left,y\n")
    pace = ("--rounds", "3", "--seeds", "2", "--out", tmp_path / "r")
    for command in (
        ("solve", path, "--rounds", 2),
        ("report", path, "--out", tmp_path / "p", "--bootstrap", 2),
        ("league", path),
        ("league", "--game", path, "--solver", "INPO", "--solver", "MMD", "--rounds", 1, "--games", 2),
        ("regret", "--learner", "greedy", "--game", path, *pace),
    ):
        refused = invoke(*command)
        assert refused.exit_code == 2 and "--no-prompt" in refused.stderr, command
        assert invoke(*command, "--no-prompt").exit_code == 0, command


# -- as a process --------------------------------------------------------------------------------------------


def test_the_module_runs_as_a_process_and_keeps_the_streams_apart():
    command = [sys.executable, "-m", "pgames", "solve", "duel", "--rounds", "50", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout)["labels"] == ["0", "1"] and done.stderr == ""
    failed = subprocess.run([*command[:4], "nosuch"], capture_output=True, text=True)
    assert failed.returncode == 2 and failed.stdout == "" and failed.stderr.count("\n") == 1


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="the system has no full device")
@pytest.mark.parametrize("arguments", [["--help"], ["solve", "duel", "--rounds", "2", "--json"]])
def test_output_that_cannot_be_written_is_told_in_one_line(arguments):
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "pgames", *arguments], stdout=full, stderr=subprocess.PIPE
        )
    said = b"pgames: the output could not be written: No space left on device.\n"
    assert (done.returncode, done.stderr) == (2, said)


PRESSES_CTRL_C = """
import os, signal, sys
import pgames.ratings.resampling as report
solve, calls = report.nash, []
def nash(*arguments, **options):
    calls.append(1)
    if len(calls) == 4:
        os.kill(os.getpid(), signal.SIGINT)
    return solve(*arguments, **options)
report.nash = nash
from pgames.cli import main
main()
"""


def test_ctrl_c_exits_with_130_and_writes_nothing(tmp_path, votes):
    out = tmp_path / "out"
    command = [sys.executable, "-c", PRESSES_CTRL_C, "report", str(votes), "--out", str(out)]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 130 and done.stdout == ""
    lines = [line for line in done.stderr.splitlines() if "compiling, once" not in line]  # an empty cache
    assert lines == ["pgames: stopped; every file that was written is complete."]
    assert not out.exists()


def test_a_class_in_the_folder_of_work_can_be_named(tmp_path):
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "solvers.py").write_text(
        "from dataclasses import dataclass\nimport pgames as pg\n\n"
        "@dataclass(frozen=True)\nclass Mine(pg.MMD):\n    pass\n"
    )
    command = [sys.executable, "-P", "-m", "pgames", "solve", "duel", "--rounds", "3", "--solver"]
    for text in ("own.solvers:Mine", "Average(own.solvers:Mine(0.2))", "own.solvers:Mine:0.2"):
        done = subprocess.run([*command, text], capture_output=True, text=True, cwd=tmp_path)
        assert done.returncode == 0 and "Mine(tau=0." in done.stdout, done.stderr


@pytest.mark.parametrize("missing", ["typer", "rich"])
def test_a_missing_package_of_the_command_line_is_named_with_its_extra(missing):
    code = f"import sys; sys.modules[{missing!r}] = None; from pgames.cli import main; main()"
    done = subprocess.run([sys.executable, "-c", code, "families"], capture_output=True, text=True)
    assert done.returncode == 2 and done.stdout == ""
    assert done.stderr == f"pgames: this call needs {missing}: pip install 'pgames[votes]' brings it.\n"


def test_a_missing_reader_of_votes_is_named_with_its_extra(votes, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    result = invoke("report", votes, "--out", tmp_path / "out")
    assert result.exit_code == 2
    assert result.stderr == "pgames: this call needs pyarrow: pip install 'pgames[votes]' brings it.\n"


def one_line(result):
    assert result.exit_code == 2 and result.stderr.startswith("pgames: ")
    assert result.stderr.count("\n") == 1 and len(result.stderr) < 400
    return result.stderr


@pytest.mark.parametrize("learner", ["ENPO:2,2", "DENPO:0.1,2", "Passive:0.1,3"])
def test_a_schedule_is_no_number(learner, tmp_path):
    result = invoke("regret", "--learner", learner, "--game", "cyclic:3", "--rounds", 5, "--out", tmp_path)
    assert "schedule must be a Schedule, got" in one_line(result)
    right = f"{learner.split(':')[0]}:tau=0.1,schedule=Schedule(constant,2)"  # as the message writes it
    assert parse_learner(right, 0.1).schedule == pg.Schedule("constant", 2)


def test_a_solver_of_games_that_fails_is_told_in_one_line(monkeypatch):
    def fail(*_, **__):
        raise RuntimeError("prompt 0 was solved\nto exploitability 1")

    monkeypatch.setattr("pgames.exact.equilibrium._certified", fail)
    assert "prompt 0 was solved to exploitability 1" in one_line(invoke("solve", "cyclic:3"))


REGULARISERS = {
    "KL": pg.regularisers.KL(),
    "l2": pg.regularisers.L2(),
    "ReverseKL": pg.regularisers.ReverseKL(),
    "ChiSquare:kl=1": pg.regularisers.ChiSquare(kl=1),
    "Tsallis(0.5)": pg.regularisers.Tsallis(0.5),
}


@pytest.mark.parametrize("text", REGULARISERS)
def test_solve_takes_a_regulariser(text):
    regulariser, game = REGULARISERS[text], pg.games.biased_rps()
    words = ("solve", "biased_rps", "--solver", "EGPO(0.1,0.2)", "--regulariser", text, "--rounds")
    found = json.loads(invoke(*words, 500, "--json").stdout)
    exact = pg.nash(game, 0.1, regulariser=regulariser)
    assert found["regulariser"] == regulariser.name
    np.testing.assert_allclose(found["exact"]["policy"], exact.policy, atol=1e-12)
    np.testing.assert_allclose(found["policy"], exact.policy, atol=0.01)
    assert found["exploitability"]["tau"] < 1e-4
    heading = "exact Nash, tau = 0.1" + ("" if text == "KL" else f", {regulariser.name}")
    assert heading in " ".join(invoke(*words, 2).stdout.split())


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("entropy", "regulariser = 'entropy': it must be one of KL, L2, ChiSquare, ReverseKL, Tsallis"),
        ("Tsalis", "Did you mean Tsallis?"),
        ("Tsallis", "missing a required argument: 'q'"),
        ("Tsallis:3", "q must be in (0, 2], got 3"),
        ("ChiSquare:kl=-1", "kl must be finite and at least 0"),
        ("ChiSquare:q=1", "unexpected keyword argument 'q'"),
        ("", "regulariser = ''"),
    ],
)
def test_a_regulariser_that_does_not_exist_is_refused_in_one_line(text, said):
    refused = invoke("solve", "biased_rps", "--regulariser", text)
    assert refused.exit_code == 2 and said in refused.stderr and refused.stderr.count("\n") == 1
