"""Votes from CSV, JSON lines and Parquet: the same whatever the format and the piece, and clear errors."""

import json

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pgames.ratings.estimate import estimate
from pgames.rows import delimited, objects
from pgames.rows import parquet as parquet_rows
from pgames.votes import reading as votes
from pgames.votes import smoothing
from pgames.votes.comparisons import Comparisons

ROWS = [
    ("a", "b", "left", 3),
    ("b, the second", "a", "right", 3),
    ("a", "größe\nzwei", "tie", 11),
    ("b", "b, the second", "b", 3),
]


def write(folder, suffix, rows=ROWS, names=("left", "right", "winner", "prompt")):
    path = folder / f"votes{suffix}"
    if suffix == ".parquet":
        parquet.write_table(pa.table(dict(zip(names, map(list, zip(*rows, strict=True)), strict=True))), path)
    elif suffix == ".csv":
        lines = [",".join(names)] + [",".join(f'"{value}"' for value in row) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    else:
        lines = [json.dumps(dict(zip(names, row, strict=True)), ensure_ascii=False) for row in rows]
        path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def same(a, b):
    assert a.items == b.items and a.prompts == b.prompts
    for name in ("left", "right", "winner", "prompt"):
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name))


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".ndjson", ".parquet"])
def test_every_format_gives_the_same_votes(tmp_path, suffix):
    c = Comparisons.read(write(tmp_path, suffix))
    assert c.items == ("a", "b", "b, the second", "größe\nzwei") and c.prompts == ("3", "11")
    assert c.left.tolist() == [0, 2, 0, 1] and c.right.tolist() == [1, 0, 3, 2]
    assert c.winner.tolist() == [1, -1, 0, 1] and c.prompt.tolist() == [0, 0, 1, 0]


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_votes_do_not_depend_on_the_size_of_the_pieces(tmp_path, suffix, monkeypatch):
    rng = np.random.default_rng(0)
    rows = []
    for _ in range(3000):
        i, j = rng.choice(40, size=2, replace=False)
        rows.append(
            (f"m{i}", f"m{j}", ["left", "tie", "right", f"m{i}", f"m{j}"][rng.integers(5)], f"p{i % 7}")
        )
    path = write(tmp_path, suffix, rows)
    whole = Comparisons.read(path)
    pieces = []
    monkeypatch.setattr(delimited, "PIECE", 1000)
    monkeypatch.setattr(objects, "PIECE", 1000)
    monkeypatch.setattr(parquet_rows, "PIECE_ROWS", 100)
    add = votes.Encoder.add
    monkeypatch.setattr(votes.Encoder, "add", lambda self, columns: (pieces.append(1), add(self, columns))[1])
    same(whole, Comparisons.read(path))
    assert len(pieces) > 10
    same(whole, Comparisons.from_names(*zip(*rows, strict=True)))


def test_columns_are_chosen_by_name(tmp_path):
    names = ("model_a", "model_b", "winner", "topic")
    path = write(tmp_path, ".csv", [("x", "y", "model_a", "t"), ("x", "y", "MODEL_B", "u")], names)
    c = Comparisons.read(path, left="model_a", right="model_b", prompt="topic")
    assert c.winner.tolist() == [1, -1] and c.prompts == ("t", "u")
    assert Comparisons.read(path, left="model_a", right="model_b").prompts == ("0",)


def test_real_votes(shared_data):
    c = Comparisons.read(shared_data / "evalica" / "llmfao.csv")
    assert (len(c), len(c.items), len(c.prompts)) == (8931, 59, 13)
    assert np.count_nonzero(c.winner == 0) == 3471
    assert c.items[c.left[0]] == "Airoboros L2 70B" and c.items[c.right[0]] == "Weaver 12k"
    assert c.prompts[0] == "2" and c.prompts[-1] == "20"  # numbers in the order of their values
    assert c.prompts[c.prompt[0]] == "8"


@pytest.mark.parametrize("ending", ["", "\n", "\r\n"])
def test_a_whole_file_needs_no_newline_at_the_end(tmp_path, ending):
    path = tmp_path / "v.csv"
    path.write_bytes(b"left,right,winner\na,b,left\nb,c,tie" + ending.encode())
    assert len(Comparisons.read(path)) == 2


def test_byte_order_mark(tmp_path):
    path = tmp_path / "v.csv"
    path.write_bytes("﻿left,right,winner\r\na,b,left\r\n".encode())
    assert len(Comparisons.read(path)) == 1


HEADER = "left,right,winner\n"
BAD = {
    "winner is unknown": ("v.csv", HEADER + "a,b,left\na,b,c\n", r"winner in row 2 is unknown: got 'c'"),
    "winner plays elsewhere": ("v.csv", HEADER + "a,c,left\na,b,c\n", r"row 2 is unknown: got 'c'"),
    "winner missing": ("v.csv", HEADER + "a,b,\n", r"column 'winner' is empty in row 1"),
    "item missing": ("v.csv", HEADER + "a,b,left\n,b,left\n", r"column 'left' is empty in row 2"),
    "item null": ("v.jsonl", '{"left": null, "right": "b", "winner": "tie"}', r"'left' is empty in row 1"),
    "against itself": ("v.csv", HEADER + "a,b,left\na,a,tie\n", r"row 2 compares 'a' with itself"),
    "unknown column": ("v.csv", "id,a,b\n1,2,3\n", r"no column 'left'; the file has 'id', 'a', 'b'"),
    "unknown column of JSON": (
        "v.jsonl",
        '{"left": "a", "winner": "tie"}\n',
        r"no column 'right'; the file has",
    ),
    "empty": ("v.csv", "", r"the file is empty"),
    "header only": ("v.csv", HEADER, r"holds no votes"),
    "blank JSON": ("v.jsonl", "\n\n", r"holds no votes"),
    "cut in a row": (
        "v.csv",
        HEADER + "a,b,left\na,b",
        r"cut or damaged\? CSV parse error.*Expected 3 columns",
    ),
    "cut in the winner": ("v.csv", HEADER + "a,b,left\na,b,lef", r"row 2 is unknown: got 'lef'"),
    "cut in a name": (
        "v.csv",
        "winner,left,right\ntie,a,beta\ntie,a,be",
        r"names 'be', .* the file looks cut",
    ),
    "cut in quotes": ("v.csv", HEADER + 'a,b,left\n"a,b,left\n', r"cut or damaged\?"),
    "cut in JSON": (
        "v.jsonl",
        '{"left": "a", "right": "b", "winner": "tie"}\n{"left": "a", "ri',
        r"cut or damaged",
    ),
    "no JSON": ("v.jsonl", "left,right,winner\n", r"not readable as jsonl"),
    "nested JSON": ("v.jsonl", '{"left": [1], "right": "b", "winner": "tie"}\n', r"'left' must hold names"),
    "no Parquet": ("v.parquet", "PAR1 nonsense", r"not readable as parquet"),
    "not UTF-8": ("v.csv", b"left,right,winner\n\xff,b,left\n", r"not text in UTF-8: save it as UTF-8"),
    "unknown format": ("v.xlsx", "?", r"cannot tell the format from '.xlsx': need .csv, .jsonl"),
}


@pytest.mark.parametrize("case", BAD)
def test_bad_files_are_refused_in_one_line_that_begins_with_the_path(tmp_path, case):
    name, content, message = BAD[case]
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match=message) as caught:
        Comparisons.read(path)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)
    assert type(caught.value) is ValueError


def test_missing_file_and_folder(tmp_path):
    for path in (tmp_path / "nowhere.csv", tmp_path):
        with pytest.raises(ValueError, match=r"no such file|it is a folder"):
            Comparisons.read(path)


def test_unknown_prompt_column(tmp_path):
    with pytest.raises(
        ValueError, match="no column 'topic'; the file has 'left', 'right', 'winner', 'prompt'"
    ):
        Comparisons.read(write(tmp_path, ".csv"), prompt="topic")


@pytest.mark.parametrize("suffix", [".csv", ".jsonl", ".parquet"])
def test_a_file_cut_anywhere_gives_an_error_or_whole_rows(tmp_path, suffix):
    whole = Comparisons.read(path := write(tmp_path, suffix))
    content = path.read_bytes()
    refused = 0
    for size in range(len(content) - 1):
        path.write_bytes(content[:size])
        try:
            part = Comparisons.read(path)
        except ValueError as error:
            assert "\n" not in str(error)
            refused += 1
        else:
            assert len(part) < len(whole)
    assert refused > len(content) * 0.8


def test_row_numbers_count_over_pieces(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "PIECE", 1000)
    path = tmp_path / "v.csv"
    path.write_text(HEADER + "alpha,beta,left\n" * 500 + "alpha,beta,gamma\n")
    with pytest.raises(ValueError, match="winner in row 501 is unknown"):
        Comparisons.read(path)


def test_a_small_file_of_very_many_rows_is_refused(tmp_path):
    def column(name):
        return pa.DictionaryArray.from_arrays(pa.array(np.zeros(2**25, np.int32)), pa.array([name]))

    table = pa.table({"left": column("a"), "right": column("b"), "winner": column("left")})
    parquet.write_table(table, tmp_path / "rows.parquet")
    with pytest.raises(ValueError, match=r"rows\.parquet: its .* MiB would take 128 MiB of memory"):
        Comparisons.read(tmp_path / "rows.parquet")


@pytest.mark.parametrize("suffix", ["csv", "parquet"])
def test_a_column_twice_is_refused(tmp_path, suffix):
    path = tmp_path / f"twice.{suffix}"
    path.write_text("left,left,right,winner\na,b,c,left\n")
    if suffix == "parquet":
        columns = [pa.array([one]) for one in ("a", "b", "c", "left")]
        parquet.write_table(pa.Table.from_arrays(columns, ["left", "left", "right", "winner"]), path)
    with pytest.raises(ValueError, match=r"column 'left' is there twice"):
        Comparisons.read(path)


def test_a_game_of_very_many_items_says_what_it_needs(monkeypatch):
    table = Comparisons.from_names(["a", "b"], ["b", "c"], ["left", "left"])
    monkeypatch.setattr(smoothing, "LARGE", 100)
    with pytest.warns(UserWarning, match=r"1 prompts x 3 items take up to 0\.0 GiB"):
        table.to_game()
    monkeypatch.setattr(smoothing, "free_memory", lambda: 10)
    for make in (table.to_game, lambda: estimate(table)):
        with pytest.raises(ValueError, match=r"GiB are free: leave out items with few votes"):
            make()
