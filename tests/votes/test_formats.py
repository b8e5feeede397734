"""Votes are read as the file writes them, whatever stands beside them; public formats need no options."""

import datetime
import decimal
import gzip
import json
import subprocess
import sys

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pgames.games.preference import PreferenceGame
from pgames.rows import delimited, objects
from pgames.rows import parquet as parquet_rows
from pgames.votes.comparisons import Comparisons

read, from_names = Comparisons.read, Comparisons.from_names


def lines(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return path


def text(path, content):
    path.write_text(content, encoding="utf-8")
    return path


def vote(left="a", right="b", winner="left", **others):
    return {"left": left, "right": right, "winner": winner, **others}


def winners(votes):
    """(left, right, +1, 0 or -1) of every vote, by name."""
    items = votes.items
    return [
        (items[i], items[j], int(w)) for i, j, w in zip(votes.left, votes.right, votes.winner, strict=True)
    ]


# -- J: JSON lines ---------------------------------------------------------------------------------------


def test_names_that_look_like_dates_are_names(tmp_path):
    rows = [vote("2024-05-13", "b", "2024-05-13"), vote("b", "2024-05-13 00:00:00", "tie")] * 30
    votes = read(lines(tmp_path / "v.jsonl", rows))
    assert votes.items == ("2024-05-13", "2024-05-13 00:00:00", "b") and votes.winner[0] == 1


def test_one_row_in_another_piece_changes_no_name(tmp_path, monkeypatch):
    monkeypatch.setattr(objects, "PIECE", 1000)
    rows = [vote(prompt="2024-05-13")] * 200
    assert read(lines(tmp_path / "v.jsonl", [*rows, vote(prompt="none")])).prompts == ("2024-05-13", "none")


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        ((18446744073709551615, 18446744073709551614), ("18446744073709551614", "18446744073709551615")),
        ((9007199254740993, 9007199254740992, 1.5), ("1.5", "9007199254740992", "9007199254740993")),
        ((1, 1.0, "1", True), ("1", "1.0", "True")),
        ((10**30, 1e30, -1, 0.1), ("-1", "0.1", "1" + 30 * "0", "1e+30")),
    ],
)
def test_numbers_are_names_as_they_are_written(tmp_path, ids, names):
    path = lines(tmp_path / "v.jsonl", [vote(prompt=one) for one in ids])
    assert read(path).prompts == names
    assert (
        from_names(*[list("a") * len(ids), list("b") * len(ids), ["left"] * len(ids)], list(ids)).prompts
        == names
    )


def test_what_stands_beside_the_wanted_keys_does_not_matter(tmp_path):
    rows = [
        vote(1, "b", judge=1),
        vote("a", 2.5, judge="a", content="text"),
        vote("a", "b", content=[{"left": "x"}], winner_note=None),
    ]
    path = lines(tmp_path / "v.jsonl", rows)
    assert winners(read(path)) == [("1", "b", 1), ("a", "2.5", 1), ("a", "b", 1)]
    path.write_text(path.read_text() + '{"left": "a", "right": "b", "winner": "tie", "score": NaN}\n')
    assert winners(read(path))[-1] == ("a", "b", 0)  # which msgspec refuses and Python reads


@pytest.mark.parametrize("order", [1, -1])
def test_a_row_without_a_prompt_is_refused_wherever_it_stands(tmp_path, order, monkeypatch):
    monkeypatch.setattr(objects, "PIECE", 100)
    path = lines(tmp_path / "v.jsonl", ([vote()] * 20 + [vote(prompt="p")] * 20)[::order])
    with pytest.raises(
        ValueError, match=r"column 'prompt' is empty in row \d+.*prompt=False \(--no-prompt\)"
    ):
        read(path)
    assert len(read(path, prompt=False)) == 40
    with pytest.warns(UserWarning, match="20 of 40 rows are not votes: 20 without prompt"):
        assert len(read(path, drop=True)) == 20


CONTENTS = [
    "null",
    "[",
    "[[",
    "{",
    "1",
    '"x"',
    "[null]",
    "[1]",
    "\x00",
    "nul",
    "true\n",
    "\ufeff",
    "{}",
    "[]",
]
READS_ALL = """
import sys
from pgames.cli.arguments import parse_game
for path in sys.argv[1:]:
    try:
        parse_game(path)
    except ValueError as error:
        print(error)
"""


def test_no_content_ends_the_process(tmp_path):
    """In a process of its own, because the fault was a segmentation fault."""
    paths = [
        str(text(tmp_path / f"{n}.{suffix}", content))
        for suffix in ("jsonl", "json", "csv")
        for n, content in enumerate(CONTENTS)
    ]
    command = [sys.executable, "-c", READS_ALL, *paths]
    done = subprocess.run(command, capture_output=True, text=True)
    said = done.stdout.splitlines()
    assert done.returncode == 0, done.stderr
    refused = [path for path in paths if any(line.startswith(f"{path}: ") for line in said)]
    assert len(said) == len(refused) and set(paths) - set(refused) <= {str(tmp_path / "4.csv")}  # P = 1


@pytest.mark.parametrize("nest", ["[", '{"left":'])
def test_deep_nesting_is_refused(tmp_path, nest):
    with pytest.raises(ValueError, match=r"v\.jsonl: "):
        read(text(tmp_path / "v.jsonl", nest * 100_000))
    deep = '{"left": "a", "right": "b", "winner": "tie", "x": ' + "[" * 100_000
    with pytest.raises(ValueError, match=r"v\.jsonl: .*(deep|JSON)"):
        read(text(tmp_path / "v.jsonl", deep))


def test_a_key_that_stands_twice_is_refused(tmp_path):
    path = text(tmp_path / "v.jsonl", '{"left": "a", "left": "c", "right": "b", "winner": "a"}\n')
    with pytest.raises(ValueError, match="row 1 has 'left' twice"):
        read(path)
    path.write_text(
        '{"left": "a", "right": "b", "winner": "a", "x": {"left": 1, "left": 2}, "y": 1, "y": 2}\n'
    )
    assert winners(read(path)) == [("a", "b", 1)]


# -- P: prompts ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("suffix", ["jsonl", "parquet"])
@pytest.mark.parametrize("prompts", [[["x"], ["y"]], ["x", None]])
def test_prompts_can_be_left_unread(tmp_path, suffix, prompts):
    path = tmp_path / f"v.{suffix}"
    rows = [vote(prompt=prompt) for prompt in prompts]
    if suffix == "parquet":
        parquet.write_table(pa.Table.from_pylist(rows), path)
    else:
        lines(path, rows)
    with pytest.raises(
        ValueError, match=r"'prompt' (must hold names|is empty).*prompt=False \(--no-prompt\)"
    ):
        read(path)
    assert read(path, prompt=False).prompts == ("0",)


# -- W: public formats -----------------------------------------------------------------------------------

TIES = ("tie", "tie (bothbad)", "both_bad", "bothbad", "both bad", "Both-Bad", "draw", "both_good", "TIE")
LEFT = ("left", "a", "A", "model_a", "Model_A", "true", "True", "1", "1.0", "gpt")
RIGHT = ("right", "b", "model_b", "Model B", "false", "0", "0.0", "llama")


@pytest.mark.parametrize(
    ("word", "won"), [*((w, 0) for w in TIES), *((w, 1) for w in LEFT), *((w, -1) for w in RIGHT)]
)
def test_words_for_who_won(tmp_path, word, won):
    path = text(tmp_path / "v.csv", f"model_a,model_b,winner\ngpt,llama,{word}\n")
    assert winners(read(path)) == [("gpt", "llama", won)]
    assert winners(from_names(["gpt"], ["llama"], [word])) == [("gpt", "llama", won)]


@pytest.mark.parametrize(
    ("said", "won"),
    [("1 0 -1", [1, 0, -1]), ("1 0.5 0", [1, 0, -1]), ("1 0 tie", [1, -1, 0]), ("1 -1", [1, -1])],
)
def test_numbers_for_who_won_are_read_from_the_whole_column(said, won):
    said = said.split()
    for order in (1, -1):
        votes = from_names(["x"] * len(said), ["y"] * len(said), said[::order])
        assert votes.winner.tolist() == won[::order]


def test_numbers_that_fit_no_scheme_are_refused():
    with pytest.raises(ValueError, match="unknown"):
        from_names(["x"] * 3, ["y"] * 3, ["1", "-1", "0.5"])
    with pytest.raises(ValueError, match="unknown: got '2'"):
        from_names(["x"] * 2, ["y"] * 2, ["1", "2"])


ARENA = [
    ("gpt", "llama", "model_a"),
    ("llama", "qwen", "tie"),
    ("qwen", "gpt", "model_b"),
    ("gpt", "qwen", "both_bad"),
]
SEEN = [("gpt", "llama", 1), ("llama", "qwen", 0), ("qwen", "gpt", -1), ("gpt", "qwen", 0)]
HEADER = ("model_a", "model_b", "winner")


def hot(word):
    return [int(word == "model_a"), int(word == "model_b"), int(word not in ("model_a", "model_b"))]


HOT = ("winner_model_a", "winner_model_b", "winner_tie")
SHAPES = {
    "lmarena.csv": ",".join(HEADER) + "\n" + "\n".join(map(",".join, ARENA)) + "\n",
    "capitals.csv": "Model_A, Model_B ,WINNER\n" + "\n".join(map(",".join, ARENA)) + "\n",
    "semicolons.csv": ";".join(HEADER) + "\n" + "\n".join(map(";".join, ARENA)) + "\n",
    "tabs.tsv": "\t".join(HEADER) + "\n" + "\n".join(map("\t".join, ARENA)) + "\n",
    "trailing.csv": ",".join(HEADER) + ",\n" + "".join(",".join(row) + ",\n" for row in ARENA),
    "rows_trail.csv": ",".join(HEADER) + "\n" + "".join(",".join(row) + ",\n" for row in ARENA),
    "header_trails.csv": ",".join(HEADER) + ",\n" + "".join(",".join(row) + "\n" for row in ARENA),
    "quoted.csv": "".join(",".join(f'"{c}"' for c in row) + "\n" for row in [HEADER, *ARENA]),
    "windows.csv": "".join(",".join(row) + "\r\n" for row in [HEADER, *ARENA]),
    "array.json": json.dumps([dict(zip(HEADER, row, strict=True)) for row in ARENA], indent=1),
    "lines.json": "".join(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n" for row in ARENA),
    "lines.ndjson": "\n" + "".join(json.dumps(dict(zip(HEADER, row, strict=True))) + "\n\n" for row in ARENA),
    "kaggle.csv": ",".join(["id", *HEADER[:2], *HOT])
    + "\n"
    + "".join(",".join([f"{n}", a, b, *map(str, hot(w))]) + "\n" for n, (a, b, w) in enumerate(ARENA)),
    "kaggle.jsonl": "".join(
        json.dumps({"model_a": a, "model_b": b, **dict(zip(HOT, hot(w), strict=True))}) + "\n"
        for a, b, w in ARENA
    ),
}


@pytest.mark.parametrize("name", SHAPES)
def test_public_formats_need_no_options(tmp_path, name):
    path = text(tmp_path / name, SHAPES[name])
    votes = read(path)
    assert winners(votes) == SEEN
    assert votes.recognised.startswith(f"{name}: ") and "4 votes on 3 items" in votes.recognised
    assert ("Kaggle one-hot" if name.startswith("kaggle") else "LMArena") in votes.recognised
    packed = tmp_path / f"{name}.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    assert winners(read(packed)) == SEEN


def test_winners_and_losers(tmp_path):
    votes = read(text(tmp_path / "v.csv", "loser,winner\nb,a\na,c\n"))
    assert winners(votes) == [("a", "b", 1), ("c", "a", 1)]


def test_one_hot_rows_need_exactly_one(tmp_path):
    path = text(
        tmp_path / "v.csv", "model_a,model_b,winner_model_a,winner_model_b,winner_tie\nx,y,1,1,0\nx,y,1,0,0\n"
    )
    with pytest.raises(ValueError, match="winner in row 1 is unknown: got 'not one column of 1'"):
        read(path)


@pytest.mark.parametrize("name", ["left", "right", "tie"])
def test_one_hot_columns_name_no_item(tmp_path, name):
    header = ",".join(["model_a", "model_b", *HOT])
    path = text(tmp_path / "v.csv", f"{header}\nx,{name},1,0,0\nx,{name},0,1,0\n{name},x,0,0,1\n")
    assert [won for *_, won in winners(read(path))] == [1, -1, 0]
    votes = read(text(tmp_path / "w.csv", f"winner,loser\nx,{name}\n{name},x\n"))
    assert votes.winner.tolist() == [1, 1]


def test_choices_of_choix(shared_data):
    votes = read(shared_data / "choix" / "testcase-top1-2.json")
    assert winners(votes) == [("0", "1", 1), ("1", "2", 1), ("2", "0", 1), ("2", "1", 1)]


def test_a_damaged_or_growing_gzip_file_is_refused(tmp_path):
    packed = gzip.compress(SHAPES["lmarena.csv"].encode())
    for cut in (packed[:40], packed[:-6], b"no gzip", packed[:20] + b"\xff\xff" + packed[22:]):
        (tmp_path / "v.csv.gz").write_bytes(cut)
        with pytest.raises(ValueError, match=r"v\.csv\.gz: not readable as csv"):
            read(tmp_path / "v.csv.gz")
    (tmp_path / "v.csv.gz").write_bytes(gzip.compress(b"left,right,winner\n" + b"a,b,left\n" * 2**23, 9))
    with pytest.raises(ValueError, match="times as much"):
        read(tmp_path / "v.csv.gz")


# -- rows that are not votes ------------------------------------------------------------------------------


def test_dropped_rows_are_counted_and_named(tmp_path):
    content = (
        "left,right,winner\na,b,left\nx,x,left\na,b\na,,tie\na,b,\nb,c,right\nc,a,skip\na,b,tie,\n,b,tie\n"
    )
    path = text(tmp_path / "v.csv", content)
    with pytest.raises(ValueError, match="Expected 3 columns, got 2"):
        read(path)
    with pytest.warns(UserWarning) as caught:
        votes = read(path, drop=True)
    assert winners(votes) == [("a", "b", 1), ("b", "c", -1)] and "x" not in votes.items
    said = str(caught[0].message)
    assert said == votes.notes[0] and said == (
        "7 of 9 rows are not votes: 1 with an item against itself (row 2), 1 with an unknown winner (row 7), "
        "1 without left (row 9), 1 without right (row 4), 1 without winner (row 5), "
        "2 with too many or too few cells (rows 3, 8); they are left out."
    )


def test_the_first_fault_is_named_and_all_are_counted():
    with pytest.raises(
        ValueError, match=r"row 2 compares 'b' with itself: drop that row. 2 of 3 rows are not votes"
    ):
        from_names(["a", "b", "c"], ["b", "b", "d"], ["left", "tie", "zed"])
    with pytest.raises(ValueError, match="no vote is left: 1 of 1 rows is not a vote"):
        from_names(["a"], ["a"], ["left"], drop=True)


# -- A, N: names -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["Left", "left", "Right", "Tie", "tie", "winner", "model_a", "b", "1", "0", "True"]
)
@pytest.mark.parametrize("place", [0, 1])
def test_the_item_that_is_named_wins(name, place):
    pair = ["Center", "Center"]
    pair[place] = name
    assert from_names([pair[0]], [pair[1]], [name]).winner.tolist() == [1 - 2 * place]
    assert from_names([pair[0]], [pair[1]], ["Center"]).winner.tolist() == [2 * place - 1]


def test_winners_that_can_be_read_in_two_ways_are_refused():
    with pytest.raises(ValueError, match="in two ways: 'Left' are names of items"):
        from_names(["Center", "Center"], ["Left", "Up"], ["Left", "left"])
    with pytest.raises(ValueError, match=r"in two ways: .*'Tie'"):
        from_names(["Tie", "Center"], ["Left", "Up"], ["Tie", "tie"])
    agree = from_names(["Left", "Center"], ["Center", "Up"], ["Left", "left"])  # both readings are the same
    assert agree.winner.tolist() == [1, 1]


@pytest.mark.parametrize("gap", [None, float("nan"), np.nan, "", np.datetime64("NaT")])
def test_a_gap_is_no_name(gap):
    for columns in ([["a", gap], ["b", "c"], ["a", "c"]], [["a", "b"], ["b", "c"], ["a", gap]]):
        with pytest.raises(ValueError, match="is empty in row 2"):
            from_names(*columns)


@pytest.mark.parametrize("gap", [None, float("nan")])
def test_a_gap_is_no_label(gap):
    with pytest.raises(ValueError, match="items must be names, and one of them is missing"):
        Comparisons([0], [1], [1], ["a", gap])
    with pytest.raises(ValueError, match="labels must be names, and one of them is missing"):
        PreferenceGame([[0.5, 0.5], [0.5, 0.5]], labels=["a", gap])
    assert PreferenceGame([[0.5, 0.5], [0.5, 0.5]], labels=["None", "nan"]).labels == ("None", "nan")


def test_columns_of_other_libraries(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame({"model_a": ["x", "y"], "model_b": ["y", "z"], "winner": ["model_b", "tie"]})
    assert winners(from_names(frame.model_a, frame.model_b, frame.winner)) == [("x", "y", -1), ("y", "z", 0)]
    frame.loc[1, "winner"] = pd.NA
    with pytest.raises(ValueError, match="column 'winner' is empty in row 2"):
        from_names(frame.model_a, frame.model_b, frame.winner)
    table = pa.table({"a": ["x"], "b": ["y"], "w": ["x"]})
    assert winners(from_names(table["a"], table["b"], table["w"])) == [("x", "y", 1)]


def test_names_that_look_alike_are_told(tmp_path):
    votes = from_names(["claude ", "é"], ["claude", "e\u0301"], ["left", "tie"])
    assert len(votes.items) == 4
    (line,) = votes.notes
    assert "'claude' and 'claude '" in line and "'e\\u0301' and '\\xe9'" in line
    assert from_names(["a"], ["A"], ["left"]).notes == ()


@pytest.mark.parametrize("name", ["prompt", "winner", "Prompt"])
def test_a_column_twice_is_refused_also_where_it_is_optional(tmp_path, name):
    path = text(tmp_path / "v.csv", f"left,right,winner,{name},{name}\na,b,left,p,q\n")
    with pytest.raises(ValueError, match="is there twice"):
        read(path)
    assert len(read(text(tmp_path / "w.csv", "left,right,winner,x,x\na,b,left,p,q\n"))) == 1


def test_a_name_that_is_no_unicode_is_refused(tmp_path):
    path = text(tmp_path / "v.jsonl", '{"left": "\\ud800", "right": "b", "winner": "tie"}\n')
    with pytest.raises(ValueError, match="not Unicode text"):
        read(path)


# -- Parquet ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "names"),
    [
        ([datetime.date(2024, 5, 13)], ("2024-05-13",)),
        ([datetime.datetime(2024, 5, 13), datetime.datetime(2024, 5, 13, 1, 2, 3)],) * 2,
        ([decimal.Decimal("1.10")], ("1.10",)),
        ([b"x", b"y"], ("x", "y")),
        ([2**63 - 1, -5], ("-5", str(2**63 - 1))),
        (pa.array([2**64 - 1, 2**64 - 2], pa.uint64()), ("18446744073709551614", "18446744073709551615")),
        (pa.array([0.1, 2.5], pa.float32()), ("0.1", "2.5")),
        (pa.array(["x", "y"]).dictionary_encode(), ("x", "y")),
        (pa.array(["x", "y"], pa.large_string()), ("x", "y")),
    ],
)
def test_values_of_parquet_are_named_as_python_writes_them(tmp_path, values, names):
    n = len(values)
    columns = {"left": ["a"] * n, "right": ["b"] * n, "winner": ["a"] * n, "prompt": values}
    parquet.write_table(pa.table(columns), tmp_path / "v.parquet")
    assert read(tmp_path / "v.parquet").prompts == tuple(map(str, names))


def test_joined_parquet_files_are_refused(tmp_path):
    for n, table in enumerate([pa.table({"left": ["a"], "right": ["b"], "winner": ["tie"]})] * 2):
        parquet.write_table(table, tmp_path / f"{n}.parquet")
    joined = (tmp_path / "0.parquet").read_bytes() + (tmp_path / "1.parquet").read_bytes()
    (tmp_path / "v.parquet").write_bytes(joined)
    with pytest.raises(ValueError, match="several Parquet files joined into one"):
        read(tmp_path / "v.parquet")


def test_row_groups_with_their_own_dictionaries(tmp_path, monkeypatch):
    monkeypatch.setattr(parquet_rows, "PIECE_ROWS", 7)
    rng = np.random.default_rng(0)
    rows = [(f"m{i}", f"n{j}", ("left", "tie", None)[k]) for i, j, k in rng.integers(3, size=(60, 3))]
    columns = dict(zip(("left", "right", "winner"), map(list, zip(*rows, strict=True)), strict=True))
    parquet.write_table(pa.table(columns), tmp_path / "v.parquet", row_group_size=11)
    with pytest.warns(UserWarning, match="without winner"):
        votes = read(tmp_path / "v.parquet", drop=True)
    outcome = {"left": 1, "tie": 0}
    assert winners(votes) == [(i, j, outcome[w]) for i, j, w in rows if w is not None]


def test_a_header_that_is_no_table_is_refused(tmp_path, monkeypatch):
    monkeypatch.setattr(delimited, "LONGEST", 100)
    with pytest.raises(ValueError, match="its first 100 characters are one line"):
        read(text(tmp_path / "v.csv", "left,right,winner," + "x" * 200))


FRAMES = {
    "columns": {
        "left": {"0": "a", "1": "b"},
        "right": {"0": "b", "1": "c"},
        "winner": {"0": "a", "1": "tie"},
    },
    "lists": {"left": ["a", "b"], "right": ["b", "c"], "winner": ["a", "tie"]},
    "split": {
        "columns": ["left", "right", "winner"],
        "index": [0, 1],
        "data": [["a", "b", "a"], ["b", "c", "tie"]],
    },
}


@pytest.mark.parametrize("name", FRAMES)
def test_frames_in_one_json_object_are_votes(tmp_path, name):
    path = text(tmp_path / "v.json", json.dumps(FRAMES[name]))
    assert winners(read(path)) == [("a", "b", 1), ("b", "c", 0)]


def test_numbers_of_a_frame_in_json_are_no_choices(tmp_path):
    data = {"columns": ["left", "right", "winner"], "index": [0], "data": [[1, 2.50, 1]]}
    path = text(tmp_path / "v.json", json.dumps(data).replace("2.5", "2.50"))
    assert winners(read(path)) == [("1", "2.50", 1)]


def test_frames_whose_columns_differ_are_refused(tmp_path):
    data = {"left": ["a"], "right": ["b", "c"], "winner": ["a"]}
    with pytest.raises(ValueError, match="column 'right' has other rows than 'left'"):
        read(text(tmp_path / "v.json", json.dumps(data)))
    data = {"columns": ["left", "right", "winner"], "data": [["a", "b", "a"], ["a", "b"]]}
    path = text(tmp_path / "w.json", json.dumps(data))
    with pytest.raises(ValueError, match="row 2 of data must have 3 cells"):
        read(path)
    with pytest.warns(UserWarning, match="1 with too many or too few cells"):
        assert len(read(path, drop=True)) == 1


def test_a_key_that_stands_twice_with_escapes_is_refused(tmp_path):
    row = '{"left":"a","le\\u0066t":"c","right":"b","winner":"b"}\n'
    with pytest.raises(ValueError, match="row 1 has 'left' twice"):
        read(text(tmp_path / "v.jsonl", row))
    once = '{"le\\u0066t":"a","right":"b","winner":"b","c\\u0066":"\\u0066"}\n'
    assert winners(read(text(tmp_path / "w.jsonl", once))) == [("a", "b", -1)]
