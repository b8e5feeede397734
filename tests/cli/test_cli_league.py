"""`pgames league`: a league that is played, results that are rated, and bad input in one line."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet
from typer.testing import CliRunner

import pgames as pg
from pgames.cli.app import app
from pgames.cli.arguments import parse_matchmaker, parse_solver
from pgames.population import Everybody, Hard, Nash, Near
from pgames.ratings import leaderboard


def run(*words: str):
    return CliRunner().invoke(app, ["league", *words])


PLAY = ("--solver", "INPO(0.1,0.5)", "--solver", "SPPO:1", "--game", "cyclic:5,p=0.9", "--rounds", "5")


def test_a_league_is_played_and_its_results_can_be_rated(tmp_path: Path) -> None:
    result = run(*PLAY, "--games", "40", "--out", str(tmp_path))
    assert result.exit_code == 0, result.output
    for told in (
        "Elo stream",
        "even schedule",
        "Nash average",
        "against all",
        "gap of the Nash of the members",
    ):
        assert told in result.stdout
    found = json.loads((tmp_path / "league.json").read_text())
    assert {one["name"] for one in found["members"]} == {"INPO(0.1,0.5)", "SPPO:1"}
    assert sum(one["games"] for one in found["members"]) == 2 * 400
    assert sum(one["exact"]["best"] for one in found["members"]) == pytest.approx(1)
    assert found["gap_against_all"] <= min(one["exact"]["gap"] for one in found["members"]) + 1e-9
    votes = pg.Comparisons.read(tmp_path / "results.csv")
    assert len(votes) == 200
    board = leaderboard(votes)
    again = run(str(tmp_path / "results.csv"), "--out", str(tmp_path / "rated"))
    assert again.exit_code == 0, again.output
    rated = json.loads((tmp_path / "rated" / "league.json").read_text())["members"]
    assert [one["name"] for one in rated] == [board.items[i] for i in board.order]
    assert rated[0]["elo"] == pytest.approx(pg.ratings.elo(votes, initial=0, k=16.0)[rated[0]["name"]])


def test_the_same_seed_plays_the_same_matches(tmp_path: Path) -> None:
    for name in ("a", "b"):
        assert run(*PLAY, "--games", "10", "--out", str(tmp_path / name)).exit_code == 0
    first, second = ((tmp_path / name / "results.csv").read_bytes() for name in ("a", "b"))
    assert first == second and first.startswith(b"match,round,left,right,winner\n0,1,")


def results(tmp_path: Path, text: str) -> str:
    path = tmp_path / "results.csv"
    path.write_text(text)
    return str(path)


def test_items_that_never_lost_and_pairs_that_never_met_are_told(tmp_path: Path) -> None:
    result = run(results(tmp_path, "left,right,winner\na,b,left\nb,c,left\nb,c,right\n"))
    assert result.exit_code == 0
    assert "'a' never lost nor tied" in result.stdout and "each item is given 0.5 games" in result.stdout
    assert "1 of 3 pairs never met" in result.stdout


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
@pytest.mark.parametrize(
    ("rows", "told"),
    [
        (
            "1,a,b,left 1,a,b,right",
            "match '1' of row 1 stands with another result in row 2: keep one of them",
        ),
        ("1,a,b,left 2,a,b,left 1,a,b,left", "match '1' of row 1 stands again in row 3: keep one of them"),
        ("1,a,b,left 1,b,a,right", "match '1' of row 1 stands again in row 2"),
        ("1,a,b,left 1,a,c,left", "match '1' of row 1 stands with another result in row 2"),
        ("1,a,b,left ,a,b,left", "column 'match' is empty in row 2"),
    ],
)
def test_results_that_contradict_themselves_are_refused(
    tmp_path: Path, rows: str, told: str, ending: str
) -> None:
    names, path = ["match", "left", "right", "winner"], tmp_path / f"results.{ending}"
    table = [dict(zip(names, row.split(","), strict=True)) for row in rows.split()]
    if ending == "csv":
        path.write_text("\n".join([",".join(names), *rows.split(), ""]))
    elif ending == "jsonl":
        path.write_text("".join(json.dumps(row) + "\n" for row in table))
    else:
        parquet.write_table(pa.Table.from_pylist(table), path)
    refused(str(path), told)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("left,right,winner\na,a,left\n", "row 1 compares 'a' with itself"),
        ("left,right,winner\na,b,c\n", "row"),
        ("left,right,winner\n", "no votes"),
        ("left,right\na,b\n", "winner"),
        ("match,match,left,right,winner\n1,2,a,b,left\n", "column 'match' is there twice"),
        ("", "the file is empty"),
        ("match,left,right,winner", "the file holds no votes"),
        ("match,left,right,winner\n1,a,b\n", "not readable as csv"),
    ],
)
def test_files_that_hold_no_results_are_refused(tmp_path: Path, text: str, told: str) -> None:
    refused(results(tmp_path, text), told)


def refused(path: str, told: str) -> None:
    """One line that begins with the file says what is wrong."""
    result = run(path)
    (line,) = result.output.strip().splitlines()
    assert result.exit_code == 2 and line.startswith(f"pgames: {path}: ") and told in line, line


def test_matches_with_numbers_of_any_type_are_rated(tmp_path: Path) -> None:
    path = tmp_path / "results.jsonl"
    rows = [{"match": n, "left": "a", "right": "b", "winner": "left"} for n in range(3)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(str(path)).exit_code == 0


def test_a_file_in_the_place_of_the_folder_is_refused_before_the_first_round(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("kept")
    result = run(*PLAY, "--out", str(tmp_path / "out"))
    assert result.exit_code == 2 and "is a file, and a folder is needed" in result.output
    assert not result.stdout.strip() and (tmp_path / "out").read_text() == "kept"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "pass a file of results to rate, or --solver for each member"),
        (("x.csv", "--solver", "SPPO"), "not both"),
        (("--solver", "SPPO"), "a league needs at least two members, got SPPO: add --solver"),
        (("--solver", "SPPO", "--solver", "SPPO"), "a member is given twice, in SPPO, SPPO: name each once"),
        (("--solver", "SPPO", "--solver", "INPOO"), "no solver is named 'INPOO'.* Did you mean INPO"),
        (("--solver", "SPPO", "--solver", "OnlineDPO"), "OnlineGPO needs the verb"),
        (("--solver", "SPPO", "--solver", "RUCB"), "RUCB needs the verb"),
        (("--solver", "SPPO", "--solver", "INPO", "--match", "Herd"), "match = 'Herd': .* Did you mean Hard"),
        (("--solver", "SPPO", "--solver", "INPO", "--match", "Hard:0"), "p must be finite and above 0"),
        (("--solver", "SPPO", "--solver", "INPO", "--k", "0"), "k > 0"),
        (("nowhere.csv",), "nowhere.csv"),
    ],
)
def test_bad_input_is_one_line(words: tuple[str, ...], told: str) -> None:
    result = run(*words, *(() if "--rounds" in words else ("--rounds", "2")))
    assert result.exit_code == 2
    (line,) = result.output.strip().splitlines()
    assert re.search(told, line), line


def test_texts_of_meta_solvers_and_matchmakers() -> None:
    assert parse_matchmaker("hard(2)") == Hard(2) and parse_matchmaker("Near:width=50") == Near(50)
    league = parse_solver("League(SPPO(1), 3, match=Everybody(self_play=0.5), meta=Nash(select=max_entropy))")
    assert league == pg.League(pg.SPPO(1), 3, Everybody(0.5), Nash(select="max_entropy"))
    assert parse_solver("PSRO(oracle=INPO(0.1,0.5), rounds=3)") == pg.PSRO(oracle=pg.INPO(0.1, 0.5), rounds=3)
    for text, told in (
        ("PSRO(meta=Nsah)", "meta = 'Nsah': it must be one of .*Did you mean Nash"),
        ("PSRO(meta=3)", "meta must be a name"),
    ):
        with pytest.raises(ValueError, match=told):
            parse_solver(text)


def test_the_leaderboard_of_a_schedule_that_favours_one_pair() -> None:
    """Rock-paper-scissors, one pair met in 8 of 10 games: the rating follows the schedule alone."""
    rng = np.random.default_rng(0)
    pair = rng.choice(3, size=20_000, p=[0.8, 0.1, 0.1])
    left, right = np.array([0, 0, 1])[pair], np.array([1, 2, 2])[pair]
    P = np.array([[0.5, 0.9, 0.1], [0.1, 0.5, 0.9], [0.9, 0.1, 0.5]])
    won = np.where(rng.random(len(pair)) < P[left, right], 1, -1)
    board = leaderboard(pg.Comparisons(left, right, won, items=["rock", "scissors", "paper"]))
    np.testing.assert_allclose(board.limit, [135.7, -135.7, 0], atol=15)
    assert (board.intervals[:, 0] < board.limit).all() and (board.limit < board.intervals[:, 1]).all()
    assert np.abs(board.even).max() < 15 and np.abs(board.nash).max() < 0.02
    np.testing.assert_allclose(board.share, 1 / 3, atol=0.03)
    assert board.notes == () and board.games.sum() == 40_000
    with pytest.raises(ValueError, match="k > 0"):
        leaderboard(pg.Comparisons([0], [1], [1]), k=0)


MIXED = [
    ("1", "a", "b", "left"),
    ("2", "b", "c", "left"),
    ("", "a", "c", "right"),  # row 3
    ("1", "b", "a", "right"),  # row 4, the same result of match 1
    ("4", "c", "c", "tie"),  # row 5
    ("5", "a", "b", "left"),
    ("5", "a", "b", "right"),  # rows 6 and 7
    ("6", "c", "d", "left"),
]


def write_rows(path: Path, rows) -> Path:
    names = ["match", "left", "right", "winner"]
    if path.suffix == ".csv":
        path.write_text("\n".join([",".join(names), *(",".join(row) for row in rows), ""]))
    elif path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(names, row, strict=True))) + "\n" for row in rows))
    else:
        table = [dict(zip(names, row, strict=True)) for row in rows]
        parquet.write_table(pa.Table.from_pylist(table), path)
    return path


@pytest.mark.parametrize("ending", ["csv", "jsonl", "parquet"])
def test_drop_leaves_out_rows_that_are_no_results_and_names_them(tmp_path: Path, ending: str) -> None:
    path = write_rows(tmp_path / f"results.{ending}", MIXED)
    refused(str(path), "row 5 compares 'c' with itself")
    done = run(str(path), "--drop", "--out", str(tmp_path / "out"))
    assert done.exit_code == 0, done.output
    first, itself, others = done.stdout.splitlines()[:3]
    assert first.startswith(f"results.{ending}: ") and "7 votes on 4 items" in first
    assert itself == "1 of 8 rows is not a vote: 1 with an item against itself (row 5); they are left out."
    assert others == (
        "4 of 7 matches do not count: 1 without a match (row 3), 1 repeating a match (row 4), "
        "2 of a match with two results (rows 6, 7); they are left out."
    )
    found = json.loads((tmp_path / "out" / "league.json").read_text())
    assert found["source"] == [first, itself, others]
    assert {one["name"]: one["games"] for one in found["members"]} == {"a": 1, "b": 2, "c": 2, "d": 1}


def test_drop_changes_nothing_where_every_row_is_a_result(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "results.csv", [MIXED[0], MIXED[1], MIXED[7]])
    plain, dropped = run(str(path)), run(str(path), "--drop")
    assert plain.exit_code == dropped.exit_code == 0 and plain.stdout == dropped.stdout


def test_nothing_is_left(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "results.csv", [MIXED[2], MIXED[5], MIXED[6]])
    done = run(str(path), "--drop")
    assert done.exit_code == 2 and done.stderr.count("\n") == 1
    assert "no match is left: 3 of 3 matches do not count: 1 without a match (row 1)" in done.stderr


def test_a_league_on_a_file_of_votes_says_what_it_read_and_left_out(tmp_path: Path) -> None:
    path = write_rows(tmp_path / "game.csv", [*MIXED[:2], MIXED[4]])
    words = [*PLAY[:4], "--game", str(path), "--rounds", "2", "--games", "4"]
    assert run(*words).exit_code == 2
    done = run(*words, "--drop")
    assert done.exit_code == 0, done.output
    assert done.stdout.splitlines()[0].startswith("game.csv: CSV")
    assert done.stdout.splitlines()[1].startswith("1 of 3 rows is not a vote")
