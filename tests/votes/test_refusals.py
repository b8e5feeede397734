"""What is not a column, a name or a file of votes is refused in one line that says what it is."""

import gzip
import os

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from pgames.votes.comparisons import Comparisons

read, from_names = Comparisons.read, Comparisons.from_names
CSV = "left,right,winner,p\na,b,a,x\n"
JSON = '{"left":"é","right":"b","winner":"b"}\n'

FILES = {
    "latin.csv": (CSV.replace("b", "é").encode("latin-1"), "not text in UTF-8: save it as UTF-8"),
    "header.csv": (("é," + CSV).encode("latin-1"), "not text in UTF-8: save it as UTF-8"),
    "latin.jsonl": (JSON.encode("latin-1"), "not text in UTF-8: save it as UTF-8"),
    "latin.json": (f"[{JSON}]".encode("latin-1"), "not text in UTF-8: save it as UTF-8"),
    "utf16.csv": (CSV.encode("utf-16"), "it is UTF-16: save it as UTF-8"),
    "no_mark.csv": (CSV.encode("utf-16-le"), "it is UTF-16, or no text"),
    "utf16.jsonl": (JSON.encode("utf-16"), "it is UTF-16: save it as UTF-8"),
    "packed.csv": (gzip.compress(CSV.encode()), "it is a gzip file"),
    "book.csv": (b"PK\x03\x04", "it is a zip file or a workbook"),
    "parquet.csv": (b"PAR1\x15\x04", "it is a Parquet file"),
    "array.csv": (b'[{"left":1}]', "it is JSON"),
    "object.csv": (JSON.encode(), "it is JSON"),
    "blank.csv.gz": (gzip.compress(b"\n" * 2**22), "are one line, or blank"),
    "blank.jsonl.gz": (gzip.compress(b"\n" * 2**22), "bytes are blank"),
}


@pytest.mark.parametrize("name", FILES)
def test_files_of_another_format_are_named(tmp_path, name):
    content, said = FILES[name]
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ValueError, match=said) as caught:
        read(tmp_path / name)
    assert str(caught.value).startswith(f"{tmp_path / name}: ") and "\n" not in str(caught.value)


def test_a_folder_and_a_pipe_are_no_files(tmp_path):
    (tmp_path / "votes.csv").mkdir()
    with pytest.raises(ValueError, match="it is a folder"):
        read(tmp_path / "votes.csv")
    os.mkfifo(tmp_path / "pipe.csv")
    with pytest.raises(ValueError, match="it is not a regular file"):
        read(tmp_path / "pipe.csv")


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        ({"prompt": 3}, "prompt must be the name of a column, False for none, or None: got 3"),
        ({"prompt": 0}, "got 0"),
        ({"prompt": ["p"]}, r"got \['p'\]"),
        ({"left": 3, "right": "right"}, "left must be the name of a column or None: got 3"),
        ({"winner": ["w"]}, "winner must be the name of a column"),
        ({"drop": "no"}, "drop must be True or False, got 'no'"),
    ],
)
def test_a_column_is_asked_for_by_its_name(tmp_path, asked, said):
    (tmp_path / "v.csv").write_text(CSV)
    with pytest.raises(ValueError, match=said):
        read(tmp_path / "v.csv", **asked)


@pytest.mark.parametrize("header", ["modelA,modelB,winner", "ModelA,ModelB,Winner", "MODEL A,model-b,WINNER"])
def test_columns_are_found_with_or_without_underscores(tmp_path, header):
    (tmp_path / "v.csv").write_text(f"{header}\nx,y,model_a\nx,y,model_b\nx,y,a\n")
    votes = read(tmp_path / "v.csv")
    assert votes.winner.tolist() == [1, -1, 1] and "LMArena votes" in votes.recognised


@pytest.mark.parametrize(
    "row", [("b", "a", "A"), ("center", "left", "Left"), ("Tie", "x", "tie"), ("0", "TRUE", "true")]
)
def test_a_word_that_is_an_item_in_another_case_is_refused(row):
    with pytest.raises(ValueError, match="winners can be read in two ways"):
        from_names(*[[cell] for cell in row])


def test_words_and_items_in_another_case_that_agree_are_read():
    assert from_names(["a", "x"], ["b", "y"], ["A", "B"]).winner.tolist() == [1, -1]


@pytest.mark.parametrize(
    "column", [3, None, False, "a", b"a", {"a"}, {"a": 1}, np.array("a"), [b"\xff"], [1j], [["a"]]]
)
def test_a_column_is_a_list_of_names(column):
    with pytest.raises(ValueError, match=r"must be a list of names|must hold names") as caught:
        from_names(column, ["b"], ["left"])
    assert "\n" not in str(caught.value)


def test_a_frame_is_no_column():
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ValueError, match="a column must be a list of names, got DataFrame"):
        from_names(pandas.DataFrame({"model_a": ["x"]}), ["b"], ["left"])
    assert from_names(pandas.Series(["x"]), pandas.Index(["b"]), ["left"]).items == ("b", "x")


def test_bytes_and_tensors_have_the_names_that_they_hold():
    assert from_names([b"a"], np.array([b"b"]), ["left"]).items == ("a", "b")
    torch = pytest.importorskip("torch")
    for left in (torch.tensor([1, 2]), [torch.tensor(1), torch.tensor(2)]):
        votes = from_names(left, ["3", "3"], torch.tensor([1, -1]))
        assert votes.items == ("1", "2", "3") and votes.winner.tolist() == [1, -1]


def test_midnight_has_one_name(tmp_path):
    pandas = pytest.importorskip("pandas")
    days = pandas.to_datetime(["2024-05-13 00:00:00", "2024-05-14 12:30:00"])
    table = pa.table({"left": days, "right": ["x", "y"], "winner": ["left", "right"]})
    parquet.write_table(table, tmp_path / "v.parquet")
    votes = read(tmp_path / "v.parquet")
    named = from_names(pandas.Series(days), ["x", "y"], ["left", "right"])
    assert votes.items == named.items and votes.items[0] == "2024-05-13 00:00:00"


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.array([b"\xff"]), "column 'left' must hold names, got .* not UTF-8"),
        (pa.array([1], pa.timestamp("us", tz="Mars/Olympus")), "column 'left' holds timestamp.*Mars/Olympus"),
    ],
)
def test_a_column_of_parquet_that_is_no_text_is_named(tmp_path, column, said):
    table = pa.table({"left": column, "right": ["x"], "winner": ["left"]})
    parquet.write_table(table, tmp_path / "v.parquet")
    with pytest.raises(ValueError, match=said) as caught:
        read(tmp_path / "v.parquet")
    assert "damaged" not in str(caught.value)


VOTES = from_names(["a", "b"], ["b", "c"], ["a", "b"], ["p", "q"])
CALLS = {
    "items go up to number 2147483647 in 1 votes": lambda: Comparisons([2**31 - 1], [0], [1]),
    "prompts go up to number 2147483647": lambda: Comparisons([1], [0], [1], prompt=[2**31 - 1]),
    "left must be one-dimensional integers": lambda: Comparisons([[0], [1, 2]], [0], [1]),
    "items must be a list of names, got 3": lambda: Comparisons([1], [0], [1], items=3),
    "items must be a list of names, got 'ab'": lambda: Comparisons([1], [0], [1], items="ab"),
    r"items must be names, and one of them is missing": lambda: Comparisons([1], [0], [1], ["a", None]),
    r"items must be names, got a list or an object": lambda: Comparisons([1], [0], [1], ["a", ["b"]]),
    r"prior must be a number of votes in \[0, 1e\+100\], got '1'": lambda: VOTES.to_game(prior="1"),
    "prior .* got None": lambda: VOTES.to_game(prior=None),
    r"prior .* got 1e\+308": lambda: VOTES.to_game(prior=1e308),
    "pooling .* got 'x'": lambda: VOTES.to_game(pooling="x"),
    r"reference must have shape \[2, 3\] or \[3\], got \[2\]": lambda: VOTES.to_game(reference=[0.5, 0.5]),
    "reference must be a table of real numbers": lambda: VOTES.to_game(reference="uniform"),
    "only_seen must be True or False, got 'yes'": lambda: VOTES.to_game(only_seen="yes"),
    "subset needs the names of prompts, got 0": lambda: VOTES.subset(0),
    "subset needs the names of prompts, got None": lambda: VOTES.subset(None),
    "resamples must be a whole number of at least 0, got -1": lambda: VOTES.bootstrap(-1, 0),
    "resamples must be .* got 2.5": lambda: VOTES.bootstrap(2.5, 0),
    "seed must be a whole number of at least 0, got -1": lambda: VOTES.bootstrap(2, -1),
    "seed must be .* got None": lambda: VOTES.bootstrap(2, None),
}


@pytest.mark.parametrize("said", CALLS)
def test_arguments_of_votes_are_refused_by_name(said):
    with pytest.raises(ValueError, match=said) as caught:
        CALLS[said]()
    assert "\n" not in str(caught.value)


def test_what_can_be_meant_is_read():
    assert VOTES.subset(["p", "p"]).prompts == ("p",)
    assert VOTES.to_game(prior=np.float32(1)).prompts == VOTES.to_game(prior=np.int64(1)).prompts == 2
    assert VOTES.to_game(reference=[0.5, 0.25, 0.25]).reference.shape == (2, 3)
    assert Comparisons([1], [0], [1], items=[b"a", "b"]).items == ("a", "b")


def test_one_hot_columns_name_no_item_in_any_case(tmp_path):
    path = tmp_path / "v.csv"
    path.write_text("model_a,model_b,winner_model_a,winner_model_b,winner_tie\nb,Left,1,0,0\nLEFT,x,0,1,0\n")
    assert read(path).winner.tolist() == [1, -1]
    path.write_text("winner,loser\nx,Left\nRIGHT,y\n")
    assert read(path).winner.tolist() == [1, 1]
