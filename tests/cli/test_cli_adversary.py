"""`pgames adversary`: both strategies beside the exact pair, schedules, files, refusals."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import pgames as pg
from pgames.cli.app import app
from tests.support.roles import closed_form, table


def invoke(*arguments):
    return CliRunner().invoke(app, ["adversary", *map(str, arguments)])


def numbers(*arguments):
    result = invoke(*arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def test_it_prints_both_strategies_the_value_and_a_gain_per_role():
    result = invoke("penalty_kicks", "--tau", 0.01, "--rounds", 3000)
    assert result.exit_code == 0, result.output
    for expected in ("left", "right", "exact, tau = 0.01", "value: the attack succeeds 0.79", "certificate"):
        assert expected in result.stdout
    assert result.stdout.count("gain of a best response of the") == 2


def test_json_is_the_exact_pair():
    found = numbers("random_roles:6,5,seed=3", "--tau", 0.2, "--rounds", 400)
    exact = pg.nash_zero_sum(table(3), 0.2)
    np.testing.assert_allclose(found["policy"]["attacker"], exact.row, atol=1e-12)
    np.testing.assert_allclose(found["policy"]["defender"], exact.column, atol=1e-12)
    np.testing.assert_allclose(found["exact"]["attacker"], exact.row, atol=1e-14)
    assert found["value"] == pytest.approx(exact.value, abs=1e-12)
    assert max(found["gain"]["tau"].values()) < 1e-12 < 1e-3 < max(found["gain"]["tau=0"].values())
    assert found["solver"] == "EGPO(tau=0.2, eta=0.5)" and found["tau"] == {"attacker": 0.2, "defender": 0.2}


def test_a_solver_for_each_role_at_once_and_in_turns():
    ours = ("random_roles:6,5,seed=4", "--attacker", "INPO(0.1, 0.3)", "--defender", "MMD(0.1, 0.3)")
    at_once = numbers(*ours, "--rounds", 2000)
    turns = numbers(*ours, "--attack", 2, "--defend", 3, "--rounds", 4000)
    named = numbers(ours[0], "--solver", "Turns(INPO(0.1, 0.3), MMD(0.1, 0.3), 2, 3)", "--rounds", 4000)
    exact = pg.nash_zero_sum(table(4), 0.1)
    for found in (at_once, turns):
        np.testing.assert_allclose(found["policy"]["attacker"], exact.row, atol=1e-9)
    assert at_once["solver"].startswith("Rivals(") and turns["solver"].startswith("Turns(")
    assert named["policy"] == turns["policy"]


def test_a_tau_for_each_role():
    ours = ("random_roles:6,5,seed=0", "--rounds", 6000)
    found = numbers(*ours, "--attacker", "INPO(0.1, 0.1)", "--defender", "INPO(0.02, 0.1)")
    exact = pg.nash_zero_sum(table(0), (0.1, 0.02))
    np.testing.assert_allclose(found["exact"]["defender"], exact.column, atol=1e-14)
    assert found["exact_tau"] == {"attacker": 0.1, "defender": 0.02}
    mixed = ("--attacker", "INPO(0.5, 0.3)", "--defender", "SPPO(0.3)")
    assert numbers(*ours, *mixed)["exact_tau"] == {"attacker": 0.0, "defender": 0.0}
    assert "no exact pair is known for tau = 0.5 of the attacker and 0" in invoke(*ours, *mixed).stdout


def test_files_of_attacks_and_of_prompts(tmp_path):
    R = table(0, (6, 4))
    np.savetxt(tmp_path / "A.csv", R, delimiter=",")
    np.savez(tmp_path / "A.npz", A=R)
    matrix = numbers(tmp_path / "A.csv", "--rounds", 300)
    assert matrix["exact"] == numbers(tmp_path / "A.npz", "--rounds", 5)["exact"]
    prompts = numbers(tmp_path / "A.csv", "--prompts", "--rounds", 600)
    p, q = closed_form(R, 0.1)
    np.testing.assert_allclose(prompts["policy"]["attacker"], p, atol=1e-9)
    np.testing.assert_allclose(prompts["policy"]["defender"], q, atol=1e-9)
    assert f"prompt {p.argmax()}: answer 3" in invoke(tmp_path / "A.csv", "--prompts", "--rounds", 5).stdout


BAD = [
    (["nosuch"], ["'nosuch'", "penalty_kicks"]),
    (["guard:3"], ["Did you mean guards?"]),
    (["guards:0"], ["doors must be at least 1"]),
    (["guards:3", "--prompts"], ["guards is not a game of prompts", "random_prompts"]),
    (["guards", "--attacker", "INPO"], ["--attacker and --defender"]),
    (
        ["guards", "--attacker", "INPO", "--defender", "MMD", "--solver", "EGPO"],
        ["--solver plays both roles"],
    ),
    (["guards", "--attack", "3"], ["--attack and --defend are for two solvers"]),
    (["guards", "--attacker", "INPO", "--defender", "MMD", "--attack", "3"], ["--attack and --defend"]),
    (["guards", "--solver", "Nope"], ["'Nope'"]),
    (["guards", "--solver", "Greedy"], ["Greedy", "believe"]),
    (["guards", "--tau", "-1"], ["tau", "-1"]),
    (["guards", "--rounds", "0"], ["rounds"]),
    (["missing.csv"], ["missing.csv"]),
    (["{range}"], ["range.csv", "success rates in [0, 1]", "A[0, 1] = 1.5"]),
    (["{ragged}"], ["ragged.csv", "line 2", "cut"]),
    (["{words}"], ["words.csv", "no numbers"]),
    (["{other}"], ["other.npz", "np.savez(path, A=A)"]),
]


@pytest.mark.parametrize(("arguments", "said"), BAD, ids=[" ".join(arguments) for arguments, _ in BAD])
def test_bad_input_is_refused_in_one_line_with_code_2(arguments, said, tmp_path):
    (tmp_path / "range.csv").write_text("0.5,1.5\n")
    (tmp_path / "ragged.csv").write_text("0.5,0.5\n0.1\n")
    (tmp_path / "words.csv").write_text("a,b\n")
    np.savez(tmp_path / "other.npz", P=np.eye(2))
    paths = {f"{{{path.stem}}}": str(path) for path in tmp_path.iterdir()}
    result = invoke(*(paths.get(argument, argument) for argument in arguments))
    assert result.exit_code == 2 and result.stdout == "" and "Traceback" not in result.stderr
    last = result.stderr.strip().splitlines()[-1]
    assert result.stderr.startswith("Usage:") or result.stderr.strip() == last
    for part in said:
        assert part in last, last
