"""Columns beside votes: annotators, times and weights, found or named, and aligned when rows are left out."""

import json

import numpy as np
import pytest

import pgames as pg
from pgames.votes.beside import read_beside

ROWS = [
    ("a", "b", "left", "ann", "2024-05-13T12:00:00", "1.5"),
    ("b", "c", "right", "bob", "2024-05-13T12:00:01Z", "2"),
    ("c", "a", "tie", "ann", "1715601602", "0"),
]
HEAD = ("left", "right", "winner", "judge", "time", "w")


def table(path, rows, head=HEAD):
    if path.suffix == ".jsonl":
        path.write_text("".join(json.dumps(dict(zip(head, row, strict=True))) + "\n" for row in rows))
    else:
        path.write_text("\n".join(",".join(row) for row in [head, *rows]) + "\n")
    return path


@pytest.mark.parametrize("suffix", [".csv", ".jsonl"])
def test_columns_are_found_and_named(tmp_path, suffix):
    path = table(tmp_path / f"votes{suffix}", ROWS)
    votes = pg.Comparisons.read(path)
    found = read_beside(path, votes, None, None, "w")
    assert found.annotator.tolist() == ["ann", "bob", "ann"]
    assert found.time.tolist() == [1715601600.0, 1715601601.0, 1715601602.0]
    assert found.weight.tolist() == [1.5, 2.0, 0.0]
    assert found.notes == ("annotator: column 'judge'.", "time: column 'time'.", "weight: column 'w'.")
    other = read_beside(path, votes, "w", "w", None)
    assert other.annotator.tolist() == ["1.5", "2", "0"] and other.time.tolist() == [1.5, 2.0, 0.0]
    assert other.weight is None


def test_rows_that_are_left_out_do_not_shift_the_columns(tmp_path):
    bad = [
        ("a", "a", "left", "self", "0", "9"),
        ("a", "b", "nobody", "none", "0", "9"),
        ("a", "b"),
        ("", "b", "left", "gap", "0", "9"),
    ]
    rows = [bad[0], ROWS[0], bad[1], bad[2], ROWS[1], bad[3], bad[0], ROWS[2]]
    path = table(tmp_path / "votes.csv", rows)
    with pytest.warns(UserWarning, match="left out"):
        votes = pg.Comparisons.read(path, drop=True)
    found = read_beside(path, votes, None, None, "w")
    assert found.annotator.tolist() == ["ann", "bob", "ann"] and found.weight.tolist() == [1.5, 2.0, 0.0]
    assert votes.left_out.themselves == 2 and votes.left_out.kept.tolist() == [1, 4, 7]
    assert pg.Comparisons.read(table(tmp_path / "whole.csv", ROWS)).left_out is None


def test_a_found_column_that_cannot_be_used_is_a_note_and_a_named_one_an_error(tmp_path):
    rows = [
        (*row[:3], who, when, w)
        for row, who, when, w in zip(ROWS, ("x", "", "y"), ("1", "noon", "2"), ("1", "nan", "2"), strict=True)
    ]
    path = table(tmp_path / "votes.csv", rows)
    votes = pg.Comparisons.read(path)
    found = read_beside(path, votes, None, None, None)
    assert found.annotator is None and found.time is None and len(found.notes) == 2
    assert "column 'judge' is not used as annotator" in found.notes[0] and "row 2" in found.notes[0]
    for options, message in {
        ("judge", None, None): "column 'judge' is empty, or holds a list, in row 2",
        (None, "time", None): "column 'time' in row 2: got 'noon', need a number or a time as 2024",
        (None, None, "w"): "column 'w' in row 2: got 'nan', need a number",
        (
            "who",
            None,
            None,
        ): "--annotator names the column 'who', of which there must be one; the file has 'left'",
    }.items():
        with pytest.raises(ValueError, match=message):
            read_beside(path, votes, *options)


def test_the_report_takes_the_columns_and_prints_what_fires(tmp_path):
    from typer.testing import CliRunner

    from paper_figures.planted_boards import left_side
    from pgames.cli.app import app

    board = left_side(0)
    v = board.votes
    side = {1: "left", 0: "tie", -1: "right"}
    rows = [
        (v.items[i], v.items[j], side[w], who, f"{t:.6f}", "1")
        for i, j, w, who, t in zip(
            v.left, v.right, v.winner.tolist(), board.annotator, board.time, strict=True
        )
    ]
    path = table(tmp_path / "votes.csv", [("A", "A", "left", "x", "0", "1"), *rows])
    arguments = [
        "report",
        str(path),
        "--out",
        str(tmp_path / "out"),
        "--bootstrap",
        "2",
        "--drop",
        "--weight",
        "w",
    ]
    result = CliRunner().invoke(app, [*arguments, "--anchor", "C"])
    assert result.exit_code == 0, result.output
    assert (
        "annotator: column 'judge'." in result.stdout
        and "audit, position: the left item gets" in result.stdout
    )
    data = json.loads((tmp_path / "out" / "report.json").read_text())
    fired = {one["probe"] for one in data["audit"] if one["fires"]}
    assert fired == {"position", "self-votes"}  # the row of A against itself was dropped and counted
    assert data["settings"]["anchor"] == "C" and data["settings"]["weighted"]
    page = (tmp_path / "out" / "report.html").read_text()
    assert "Audit of the votes" in page and "the left item gets" in page and "with C at 0" in page
    assert np.isclose(next(i for i in data["items"] if i["name"] == "C")["bradley_terry"]["score"], 0)
    for wrong, message in {"--anchor": "no item is named 'Z'", "--annotator": "names the column 'Z'"}.items():
        failed = CliRunner().invoke(app, [*arguments, wrong, "Z"])
        assert failed.exit_code == 2 and message in failed.output
