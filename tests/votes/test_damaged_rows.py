"""Rows of JSON lines that cannot be read: refused with their number, or left out, counted and named."""

import json

import numpy as np
import pytest
from typer.testing import CliRunner

import pgames as pg
from pgames.cli.app import app
from pgames.votes.beside import read_beside

GOOD = [
    {"left": "a", "right": "b", "winner": side, "judge": f"j{n}"}
    for n, side in enumerate(["left", "right"] * 2)
]
BAD = {
    "cut": b'{"left": "a", "right": "b", "win',
    "not json": b"left a right b",
    "null": b"null",
    "a list": b'["a", "b", "left"]',
    "a number": b"3",
    "a key twice": b'{"left": "a", "left": "b", "right": "c", "winner": "left"}',
    "not utf-8": b'{"left": "\xff\xfe", "right": "b", "winner": "left"}',
    "deep": b"[" * 100_000,
}


def lines(*rows):
    return b"".join((row if isinstance(row, bytes) else json.dumps(row).encode()) + b"\n" for row in rows)


@pytest.mark.parametrize("kind", BAD)
@pytest.mark.parametrize("ending", ["jsonl", "ndjson", "json"])
def test_a_damaged_row_is_refused_or_left_out(tmp_path, kind, ending):
    path = tmp_path / f"v.{ending}"
    path.write_bytes(lines(GOOD[0], GOOD[1]) + b"\n" + lines(BAD[kind], GOOD[2], GOOD[3]))
    with pytest.raises(ValueError, match=r"row 3 .*pass drop=True \(--drop\) to leave it out") as caught:
        pg.Comparisons.read(path)
    assert "\n" not in str(caught.value) and str(caught.value).startswith(f"{path}: ")
    with pytest.warns(
        UserWarning, match=r"1 of 5 rows is not a vote: 1 not readable as a JSON object \(row 3\)"
    ):
        votes = pg.Comparisons.read(path, drop=True)
    np.testing.assert_array_equal(votes.winner, [1, -1, 1, -1])
    beside = read_beside(path, votes, "judge", None, None)
    assert beside.annotator is not None and beside.annotator.tolist() == ["j0", "j1", "j2", "j3"]


def test_reasons_are_counted_apart_and_rows_keep_their_numbers(tmp_path):
    path = tmp_path / "v.jsonl"
    tie = {"left": "c", "right": "c", "winner": "tie"}
    path.write_bytes(lines(BAD["cut"], GOOD[0], tie, BAD["null"], GOOD[1], {"left": "a", "right": "b"}))
    with pytest.warns(UserWarning) as said:
        votes = pg.Comparisons.read(path, drop=True)
    assert str(said[0].message) == (
        "4 of 6 rows are not votes: 1 with an item against itself (row 3), 1 without winner (row 6), "
        "2 not readable as a JSON object (rows 1, 4); they are left out."
    )
    assert len(votes) == 2 and votes.left_out is not None
    np.testing.assert_array_equal(votes.left_out.kept, [1, 4])


def test_rows_of_an_array_that_are_no_objects_are_left_out_and_a_cut_array_is_not(tmp_path):
    path = tmp_path / "v.json"
    path.write_text(json.dumps([GOOD[0], 3, GOOD[1]]))
    with pytest.warns(UserWarning, match=r"1 not readable as a JSON object \(row 2\)"):
        assert len(pg.Comparisons.read(path, drop=True)) == 2
    path.write_text(json.dumps(GOOD)[:-5])
    with pytest.raises(ValueError, match="the array is not JSON"):
        pg.Comparisons.read(path, drop=True)


def test_a_file_without_a_readable_row(tmp_path):
    path = tmp_path / "v.jsonl"
    path.write_bytes(lines(BAD["cut"], BAD["null"]))
    with pytest.raises(ValueError, match="none of its rows is an object in JSON"):
        pg.Comparisons.read(path, drop=True)


def test_a_column_beside_the_votes_that_a_row_has_twice_is_named(tmp_path):
    path = tmp_path / "v.jsonl"
    twice = b'{"left": "a", "right": "b", "winner": "left", "judge": "x", "judge": "y"}'
    path.write_bytes(lines(GOOD[0], BAD["cut"], twice))
    with pytest.warns(UserWarning, match="row 2"):
        votes = pg.Comparisons.read(path, drop=True)
    with pytest.raises(ValueError, match="row 3 has 'judge' twice"):
        read_beside(path, votes, "judge", None, None)


@pytest.mark.parametrize("command", ["solve", "report", "league"])
def test_every_command_leaves_damaged_rows_out(tmp_path, command):
    path = tmp_path / "v.jsonl"
    path.write_bytes(lines(GOOD[0], BAD["cut"], *GOOD[1:]))
    words = {
        "solve": ["solve", str(path), "--rounds", "2"],
        "report": ["report", str(path), "--out", str(tmp_path / "out"), "--bootstrap", "2"],
        "league": ["league", str(path)],
    }[command]
    refused = CliRunner().invoke(app, words)
    assert refused.exit_code == 2 and "--drop" in refused.stderr and refused.stderr.count("\n") == 1
    done = CliRunner().invoke(app, [*words, "--drop"])
    assert done.exit_code == 0, done.output
    assert "1 of 5 rows is not a vote: 1 not readable as a JSON object (row 2)" in done.stdout
