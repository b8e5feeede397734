"""Matrices in files: what they are is recognised from their numbers and names, and said."""

import gzip
import json
import os

import numpy as np
import pytest
from typer.testing import CliRunner

from pgames.cli.app import app
from pgames.cli.game_files import read_source, read_success

P = np.array([[0.5, 0.75, 0.25], [0.25, 0.5, 0.875], [0.75, 0.125, 0.5]])
NAMES = ("rock", "paper", "scissors")
MARGINS = np.array([[0, -1, 3], [1, 0, -1], [-3, 1, 0]])  # m2wu's biased rock-paper-scissors


def text(separator, values=P, corner="", names=NAMES, rows=NAMES, decimal=".", end=""):
    """A matrix as pandas writes it; without names when `names` is None."""
    lines = [] if names is None else [separator.join([*([] if rows is None else [corner]), *names])]
    for n, row in enumerate(values):
        cells = ["" if np.isnan(v) else str(v).replace(".", decimal) for v in row]
        lines.append(separator.join([*([] if rows is None else [rows[n]]), *cells]))
    return "".join(f"{line}{end}\n" for line in lines)


blank = np.where(np.eye(3, dtype=bool), np.nan, P)
zero = np.where(np.eye(3, dtype=bool), 0.0, P)
order = [2, 0, 1]
PLAIN = {
    "plain.csv": text(",", names=None, rows=None),
    "quoted.csv": "".join(",".join(f'"{v}"' for v in row) + "\n" for row in P),
    "trailing.csv": text(",", names=None, rows=None, end=","),
    "blanks.txt": text(" ", names=None, rows=None),
    "tabs.tsv": text("\t", names=None, rows=None),
    "numbered.csv": text(",", names=("0", "1", "2"), rows=None),  # pandas, index=False
    "index.csv": text(",", names=("0", "1", "2"), rows=("0", "1", "2")),  # pandas, RangeIndex
    "comma.csv": text(";", names=None, rows=None, decimal=","),
    "empty_diagonal.csv": text(",", blank, names=None, rows=None),
    "list.json": json.dumps(P.tolist()),
    "split.json": json.dumps({"columns": [0, 1, 2], "index": [0, 1, 2], "data": P.tolist()}),
    "decimal.tsv": text("\t", names=None, rows=None, decimal=","),
    "savetxt.txt": "# a remark of numpy.savetxt\n# on two\n" + text(" ", names=None, rows=None),
    "savetxt.csv": "# one remark\n" + text(",", names=None, rows=None),
}
NAMED = {
    "pandas.csv": text(","),
    "corner.csv": text(",", corner="model"),
    "no_index.csv": text(",", rows=None),
    "semicolon.csv": text(";", decimal=","),
    "tabs.tsv": text("\t"),
    "trailing.csv": text(",", end=","),
    "empty_diagonal.csv": text(",", blank),
    "zero_diagonal.csv": text(",", zero),
    "comment.txt": "# rock paper scissors\n" + text(" ", names=None, rows=None),
    "comment.csv": "# " + text(",", rows=None),
    "hash_corner.csv": text(",", corner="#"),
    "split.json": json.dumps({"index": NAMES, "data": P.tolist(), "columns": NAMES}),
    "split_turned.json": json.dumps(
        {"columns": NAMES, "index": [NAMES[i] for i in order], "data": P[order].tolist()}
    ),
    "other_order.csv": text(",", P[order], rows=tuple(NAMES[i] for i in order)),
}


@pytest.mark.parametrize("name", PLAIN)
@pytest.mark.parametrize("packed", [False, True])
def test_matrices_without_names(tmp_path, name, packed):
    path = tmp_path / (f"{name}.gz" if packed else name)
    path.write_bytes(gzip.compress(PLAIN[name].encode()) if packed else PLAIN[name].encode())
    source = read_source(path, symmetrise=False)
    np.testing.assert_allclose(source.game.P[0], P, atol=1e-15)
    assert source.game.labels == ("0", "1", "2") and source.notes == (f"{path.name}: 3 x 3 win rates.",)


@pytest.mark.parametrize("name", NAMED)
def test_labelled_matrices_as_pandas_writes_them(tmp_path, name):
    path = tmp_path / name
    path.write_text(NAMED[name])
    source = read_source(path, symmetrise=False)
    np.testing.assert_allclose(source.game.P[0], P, atol=1e-15)
    assert source.game.labels == NAMES and source.notes[0].endswith("3 x 3 win rates.")


def test_pandas_and_numpy_themselves(tmp_path):
    pd = pytest.importorskip("pandas")
    frame = pd.DataFrame(P, index=NAMES, columns=NAMES)
    frame.to_csv(tmp_path / "p.csv")
    pd.DataFrame(P).to_csv(tmp_path / "q.csv")
    np.save(tmp_path / "p.npy", P)
    np.save(tmp_path / "q.npy", np.asfortranarray(P).astype(np.float32))
    np.save(tmp_path / "stack.npy", np.stack([P, 1 - P]))
    for name in ("p.csv", "q.csv", "p.npy", "q.npy"):
        np.testing.assert_array_equal(read_source(tmp_path / name, False).game.P[0], P)
    assert read_source(tmp_path / "stack.npy", False).game.prompts == 2


KINDS = {
    "margins": (MARGINS, 0.5 + MARGINS / 6, "margins A, read as P = (1 + A / 3) / 2"),
    "payoffs": (MARGINS / 3, 0.5 + MARGINS / 6, "payoffs A, read as P = (1 + A) / 2"),
    "differences": (P - 0.5, P, "matrix A of P - 1/2"),
    "support": (np.where(np.eye(3), 0, 8 * P), P, "support A of 8 votes a pair, read as P = A / 8"),
    "halves": (100 * P, P, "support A of 100 votes a pair, read as P = A / 100"),
    "ties": (np.zeros((3, 3)), np.full((3, 3), 0.5), "matrix of 0, read as ties"),
    "percent": (
        np.where(np.eye(3), np.nan, 100 * P),
        P,
        "support A of 100 votes a pair, read as P = A / 100",
    ),
    "huge": (MARGINS * 5e307, 0.5 + MARGINS / 6, "margins A, read as P = (1 + A / "),
}


@pytest.mark.parametrize("kind", KINDS)
def test_what_a_matrix_holds_is_recognised_and_said(tmp_path, kind):
    values, right, said = KINDS[kind]
    (tmp_path / "m.csv").write_text(text(",", values))
    source = read_source(tmp_path / "m.csv", symmetrise=False)
    np.testing.assert_allclose(source.game.P[0], right, atol=1e-15)
    assert said in source.notes[0]


def test_public_matrices_are_read_as_they_are(shared_data):
    for path in shared_data.glob("*.txt"):
        assert read_source(path, symmetrise=False).notes[0].endswith("win rates.")
    biased = read_source(shared_data / "biased_rps.csv", symmetrise=False)
    np.testing.assert_allclose(biased.game.P[0], 0.5 + MARGINS / 6)


BAD = {
    "complex.npy": (np.array([[0.5, 0.5 + 1j], [0.5 - 1j, 0.5]]), "it holds complex128"),
    "texts.npy": (np.array([["a"]]), "it holds <U1"),
    "objects.npy": (np.array([[None]]), "it holds Python objects"),
    "records.npy": (np.zeros(3, [("a", "f8"), ("b", "f8")]), "it holds .*real numbers are needed"),
    "times.npy": (np.zeros((2, 2), "M8[s]"), "it holds datetime64"),
    "number.npy": (np.array(0.5), "it has 1 number, and P must be square"),
    "nothing.npy": (np.zeros((0, 0)), "it has 0 x 0 numbers, and P must be square"),
    "no_prompts.npy": (np.zeros((0, 3, 3)), "it has 0 x 3 x 3 numbers"),
    "line.npy": (np.ones(3), "it has 3 numbers, and P must be square"),
    "names.csv": (text(",", rows=("rock", "paper", "well")), "'well' is only in one of them"),
    "twice.csv": (text(",", names=("a", "a", "b"), rows=None), "the name 'a' stands twice"),
    "gap.csv": (text(",", np.where(P == 0.25, np.nan, P)), "row 'rock' has no number in column 'scissors'"),
    "cut.csv": (text(",")[:-8], "the file looks cut"),
    "rows.csv": (text(",", P[:2]), "2 x 3 numbers, and P must be square"),
    "objects.json": ('[[0.5, "x"], [1, 2]]', "every cell must be a number"),
    "deep.json": ("[" * 100_000, "nested too deep"),
    "counts.csv": (text(",", np.array([[0, 3.0, 1], [2, 0, 5], [9, 1, 0]])), "it holds 9, .* save W / "),
    "infinite.csv": ("0.5,inf\n-inf,0.5\n", "row 1 has inf in column 2"),
    "infinite.json": ("[[0.5,1e999],[0,0.5]]", "row 1 has inf in column 2"),
    "overflow.csv": ("0,1e308\n1e308,0\n", "a win rate is at most 1"),
    "digits.json": ("[[" + 5000 * "9" + "]]", "more than 4,000 digits"),
    "nothing.json": ("[[]]", "row 1 is empty"),
    "cells.csv": (",a,b\na,0.5,50%\nb,50%,0.5\n", "line 2 has '50%'"),
    "underscore.csv": ("0.5,1_0\n0,0.5\n", "line 1 has '1_0'"),
    "split.json": ('{"columns":["a","b"],"index":["a","b"],"data":[[0,3]]}', "2 rows and 2 columns"),
    "utf16.csv": ("0.5,1\n0,0.5\n".encode("utf-16"), "it is UTF-16: save it as UTF-8"),
    "latin.csv": (",é\né,0.5\n".encode("latin-1"), "not text in UTF-8: save it as UTF-8"),
    "array.csv": ("[[0.5]]", "it is JSON: let its name end in .json"),
    "parquet.csv": (b"PAR1\x15\x04", "it is a Parquet file: let its name end in .parquet"),
    "packed.csv": (gzip.compress(b"0.5"), "it is a gzip file: let its name end in .gz"),
}


@pytest.mark.parametrize("name", BAD)
def test_bad_matrices_are_refused_in_one_line(tmp_path, name):
    content, said = BAD[name]
    path = tmp_path / name
    if isinstance(content, str | bytes):
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
    else:
        np.save(path, content, allow_pickle=True)
    with pytest.raises(ValueError, match=said) as caught:
        read_source(path, symmetrise=False)
    assert str(caught.value).startswith(f"{path}: ") and "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "content", "P"),
    [
        ("m.csv", ",0.5\n0.5,\n", [[0.5, 0.5], [0.5, 0.5]]),
        ("m.json", "[[null,0.5],[0.5,null]]", [[0.5, 0.5], [0.5, 0.5]]),
        ("m.csv", "-,1\n0,-\n", [[0.5, 1], [0, 0.5]]),
        ("m.json", "[[NaN,1],[0,0.5]]", [[0.5, 1], [0, 0.5]]),
        ("m.csv", "0,1e308\n-1e308,0\n", [[0.5, 1], [0, 0.5]]),
        ("m.csv", "0\n", [[0.5]]),
    ],
)
def test_small_matrices_without_a_diagonal_have_no_names(tmp_path, name, content, P):
    (tmp_path / name).write_text(content)
    source = read_source(tmp_path / name, symmetrise=False)
    np.testing.assert_array_equal(source.game.P[0], P)
    assert source.game.labels == ("0", "1")[: len(P)] and "inf" not in source.notes[0]


@pytest.mark.parametrize("kind", [np.float16, np.float32])
def test_arrays_keep_the_rounding_of_their_type(tmp_path, kind):
    values = np.array([[0.5, 0.7, 0.1], [0.3, 0.5, 0.6], [0.9, 0.4, 0.5]], dtype=kind)
    np.save(tmp_path / "m.npy", values)
    (tmp_path / "m.npy.gz").write_bytes(gzip.compress((tmp_path / "m.npy").read_bytes()))
    for name in ("m.npy", "m.npy.gz"):
        game = read_source(tmp_path / name, symmetrise=False).game
        np.testing.assert_allclose(game.P[0], values, atol=np.finfo(kind).eps)
    np.save(tmp_path / "s.npy", 100 * values)
    assert "support A of 100" in read_source(tmp_path / "s.npy", symmetrise=False).notes[0]
    np.save(tmp_path / "off.npy", values + np.array([[0, 0.01, 0]] * 3, dtype=kind))
    with pytest.raises(ValueError, match="P \\+ P' must be 1"):
        read_source(tmp_path / "off.npy", symmetrise=False)


def test_an_npz_file_that_is_called_npy_is_named(tmp_path):
    np.savez(tmp_path / "m.npz", P=P)
    (tmp_path / "m.npz").rename(tmp_path / "m.npy")
    with pytest.raises(ValueError, match=r"it is an .npz file"):
        read_source(tmp_path / "m.npy", symmetrise=False)


def test_success_rates_of_json_have_no_header(tmp_path):
    (tmp_path / "a.json").write_text("[[0, 1], [1, 0], [0.5, 0.5]]")
    np.testing.assert_array_equal(read_success(tmp_path / "a.json"), [[0, 1], [1, 0], [0.5, 0.5]])


def test_a_header_of_npy_that_promises_too_much_is_refused(tmp_path):
    np.save(tmp_path / "p.npy", P)
    content = (tmp_path / "p.npy").read_bytes()
    (tmp_path / "p.npy").write_bytes(content.replace(b"(3, 3), }" + 9 * b" ", b"(99999999, 99999), }"[:18]))
    (tmp_path / "q.npy").write_bytes(content.replace(b"(3, 3)", b"(9, 9)"))
    for name in ("p.npy", "q.npy"):
        with pytest.raises(ValueError, match="not readable as npy, cut or damaged"):
            read_source(tmp_path / name, symmetrise=False)


def test_success_rates_need_not_be_square(tmp_path):
    (tmp_path / "s.tsv").write_text("0.1\t0.2\t0.3\n0.4\t0.5\t0.6\n")
    np.save(tmp_path / "s.npy", np.ones((2, 3)))
    assert read_success(tmp_path / "s.tsv").shape == read_success(tmp_path / "s.npy").shape == (2, 3)


def test_the_first_line_says_what_was_recognised(tmp_path):
    (tmp_path / "m.csv").write_text(text(",", MARGINS))
    (tmp_path / "v.csv").write_text("model_a,model_b,winner\nx,y,both_bad\nx,x,tie\nx,y,model_a\n")
    run = CliRunner().invoke
    done = run(app, ["solve", str(tmp_path / "m.csv"), "--rounds", "2"])
    assert done.stdout.splitlines()[0] == "m.csv: 3 x 3 margins A, read as P = (1 + A / 3) / 2."
    assert run(app, ["solve", str(tmp_path / "v.csv"), "--rounds", "2"]).exit_code == 2
    done = run(app, ["solve", str(tmp_path / "v.csv"), "--rounds", "2", "--drop"])
    first, second, *_ = done.stdout.splitlines()
    assert first.startswith("v.csv: CSV, LMArena votes") and second.startswith("1 of 3 rows is not a vote")
    done = run(app, ["solve", str(tmp_path / "v.csv"), "--rounds", "2", "--drop", "--json"])
    assert json.loads(done.stdout)["source"] == [first, second]


SIXTHS = np.array([[3, 5, 1], [1, 3, 4], [5, 2, 3]]) / 6  # sums of two are not 1 in single precision
STORED = ["f2", "f4", "f8", "<f4", ">f2", ">f4", ">f8", "longdouble"]


@pytest.mark.parametrize("kind", STORED)
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("diagonal", [0.5, 0.0, np.nan])
@pytest.mark.parametrize("Y", [2, 3])
def test_win_rates_of_every_floating_type_are_win_rates(tmp_path, kind, order, diagonal, Y):
    values = np.where(np.eye(Y, dtype=bool), diagonal, SIXTHS[:Y, :Y]).astype(kind, order=order)
    np.save(tmp_path / "m.npy", values)
    source = read_source(tmp_path / "m.npy", symmetrise=False)
    assert source.notes == (f"m.npy: {Y} x {Y} win rates.",)
    np.testing.assert_allclose(source.game.P[0], SIXTHS[:Y, :Y], atol=float(np.finfo(kind).eps))


@pytest.mark.parametrize("kind", ["?", "i1", "u1", ">i2", "i8", "f2", "f4", ">f4", "f8"])
@pytest.mark.parametrize("order", ["C", "F"])
def test_whole_numbers_of_every_type_are_read_alike(tmp_path, kind, order):
    sure = np.array([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    np.save(tmp_path / "sure.npy", sure.astype(kind, order=order))
    source = read_source(tmp_path / "sure.npy", symmetrise=False)
    assert source.notes == ("sure.npy: 3 x 3 win rates.",)
    np.testing.assert_array_equal(source.game.P[0], sure + np.eye(3) / 2)
    if kind == "?":
        return
    np.save(tmp_path / "votes.npy", (3 * sure + sure.T).astype(kind, order=order))
    source = read_source(tmp_path / "votes.npy", symmetrise=False)
    assert source.notes == ("votes.npy: 3 x 3 support A of 4 votes a pair, read as P = A / 4.",)
    np.testing.assert_allclose(source.game.P[0], 0.5 + (sure - sure.T) / 4, atol=1e-15)
    if kind != "u1":
        np.save(tmp_path / "margins.npy", MARGINS.astype(kind, order=order))
        source = read_source(tmp_path / "margins.npy", symmetrise=False)
        assert source.notes == ("margins.npy: 3 x 3 margins A, read as P = (1 + A / 3) / 2.",)
        np.testing.assert_allclose(source.game.P[0], 0.5 + MARGINS / 6, atol=1e-15)


@pytest.mark.parametrize("kind", ["f2", "f4", ">f4"])
def test_other_readings_of_small_floats_say_their_numbers_as_they_were_written(tmp_path, kind):
    np.save(tmp_path / "m.npy", (1.1 * MARGINS).astype(kind))
    assert (
        read_source(tmp_path / "m.npy", False).notes[0].endswith("margins A, read as P = (1 + A / 3.3) / 2.")
    )
    np.save(tmp_path / "d.npy", (SIXTHS - 0.5).astype(kind))
    source = read_source(tmp_path / "d.npy", symmetrise=False)
    assert source.notes[0].endswith("matrix A of P - 1/2.")
    np.testing.assert_allclose(source.game.P[0], SIXTHS, atol=float(np.finfo(kind).eps))
    np.save(tmp_path / "s.npy", np.stack([SIXTHS, SIXTHS.T]).astype(kind))
    assert read_source(tmp_path / "s.npy", False).notes == ("s.npy: win rates on 2 prompts.",)


def test_sums_near_1_are_win_rates_and_rounding_beyond_their_type_is_refused(tmp_path):
    (tmp_path / "m.csv").write_text("0,0.3333333\n0.6666666,0\n")
    with pytest.raises(ValueError, match=r"P \+ P' must be 1: .*Pass symmetrise=True"):
        read_source(tmp_path / "m.csv", symmetrise=False)
    source = read_source(tmp_path / "m.csv", symmetrise=True)
    assert source.notes == ("m.csv: 2 x 2 win rates.",)
    np.testing.assert_allclose(source.game.P[0], [[0.5, 1 / 3], [2 / 3, 0.5]], atol=1e-7)


def test_a_folder_and_a_pipe_are_named_for_what_they_are(tmp_path):
    (tmp_path / "runs").mkdir()
    (tmp_path / "cells.csv").mkdir()
    for name in ("pipe.csv", "pipe"):
        os.mkfifo(tmp_path / name)
    for name, said in (
        ("runs", "is a folder"),
        ("cells.csv", "is a folder"),
        ("pipe.csv", "is a pipe"),
        ("pipe", "is a pipe"),
        ("absent.csv", "is not a file: check the path"),
    ):
        result = CliRunner().invoke(app, ["solve", str(tmp_path / name)])
        assert result.exit_code == 2 and said in " ".join(result.stderr.split()), result.stderr
        with pytest.raises(ValueError, match=said):
            read_success(tmp_path / name)
