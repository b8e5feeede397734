"""Preference files of the common formats."""

import gzip
import json
import warnings

import pytest

pytest.importorskip("torch")
pytest.importorskip("transformers")

from llm_backend.data import Conversation, DataWarning, Pair, prompts_of, read_pairs

USER = [{"role": "user", "content": "a?"}]
TALK = [*USER, {"role": "assistant", "content": "b"}, {"role": "user", "content": "c?"}]


def said(text):
    return [{"role": "assistant", "content": text}]


def write(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


FORMATS = {
    "plain": ({"prompt": "a?", "chosen": "yes", "rejected": "no"}, Pair("a?", "yes", "no")),
    "conversational": (
        {"prompt": USER, "chosen": said("yes"), "rejected": said("no")},
        Pair(USER, "yes", "no"),
    ),
    "text and whole conversations": (
        {"prompt": "a?", "chosen": USER + said("yes"), "rejected": USER + said("no")},
        Pair("a?", "yes", "no"),
    ),
    "implicit": ({"chosen": USER + said("yes"), "rejected": USER + said("no")}, Pair(USER, "yes", "no")),
    "several turns": (
        {"prompt": TALK, "chosen": said("yes"), "rejected": said("no")},
        Pair(TALK, "yes", "no"),
    ),
    "several turns, implicit": (
        {"chosen": TALK + said("yes"), "rejected": TALK + said("no")},
        Pair(TALK, "yes", "no"),
    ),
    "prompt is the first question": (
        {"prompt": "a?", "chosen": TALK + said("yes"), "rejected": TALK + said("no")},
        Pair(TALK, "yes", "no"),
    ),
    "common beginning": (
        {"chosen": "The sky is blue.", "rejected": "The sky is bad."},
        Pair("The sky is", " blue.", " bad."),
    ),
    "dialogue in a text": (
        {
            "chosen": "\n\nHuman: a?\n\nAssistant: b\n\nHuman: c?\n\nAssistant: yes",
            "rejected": "\n\nHuman: a?\n\nAssistant: b\n\nHuman: c?\n\nAssistant: yellow",
        },
        Pair(TALK, "yes", "yellow"),
    ),
    "tie": ({"prompt": "a?", "chosen": "yes", "rejected": "no", "tie": True}, Pair("a?", "yes", "no", 0.5)),
    "equal scores": (
        {"prompt": "a?", "chosen": "yes", "rejected": "no", "score_chosen": 3, "score_rejected": 3.0},
        Pair("a?", "yes", "no", 0.5),
    ),
    "scores": (
        {"prompt": "a?", "chosen": "yes", "rejected": "no", "chosen-rating": 5, "rejected-rating": 3},
        Pair("a?", "yes", "no", 1.0),
    ),
    "margin": (
        {"prompt": "a?", "chosen": "yes", "rejected": "no", "margin": 2.5},
        Pair("a?", "yes", "no", 1.0),
    ),
}


@pytest.mark.parametrize("kind", ["jsonl", "parquet", "folder"])
@pytest.mark.parametrize("name", FORMATS)
def test_every_format(name, kind, tmp_path):
    row, wanted = FORMATS[name]
    if kind == "jsonl":
        source = write(tmp_path / "p.jsonl", [row])
    elif kind == "parquet":
        import pyarrow as pa
        from pyarrow import parquet

        source = tmp_path / "p.parquet"
        parquet.write_table(pa.Table.from_pylist([row]), source)
    else:
        datasets = pytest.importorskip("datasets")
        source = tmp_path / "saved"
        datasets.Dataset.from_list([row]).save_to_disk(source)
    assert read_pairs(source) == [wanted]


def test_csv_and_other_names_of_columns(tmp_path):
    (tmp_path / "p.csv").write_text('q,a,b,who\n"x, y?",yes,no,a\nz?,yes,no,Right\nu?,yes,no,tie\n')
    wanted = [Pair("x, y?", "yes", "no"), Pair("z?", "no", "yes"), Pair("u?", "yes", "no", 0.5)]
    assert read_pairs(tmp_path / "p.csv", "q", "a", "b", winner="who") == wanted
    (tmp_path / "p.csv").write_text("q,a,b,who\nx,yes,no,nobody\ny,yes,no,b\n")
    with pytest.warns(
        DataWarning, match=r"1 of 2 rows are left out: 1 with not readable \(winner 'nobody', need"
    ):
        assert read_pairs(tmp_path / "p.csv", "q", "a", "b", "who") == [Pair("y", "no", "yes")]


def test_a_scale_makes_probabilities_of_margins(tmp_path):
    rows = [{"prompt": "a", "chosen": "b", "rejected": "c", "margin": m} for m in (0.0, 1.0, 3.0)]
    wins = [pair.win for pair in read_pairs(write(tmp_path / "p.jsonl", rows), scale=2.0)]
    assert wins == pytest.approx([0.5, 0.880797, 0.997527], abs=1e-6)
    with pytest.raises(ValueError, match="scale must be above 0"):
        read_pairs(tmp_path / "p.jsonl", scale=0.0)
    with pytest.raises(ValueError, match="no column 'margin'"):
        read_pairs(write(tmp_path / "q.jsonl", [{"prompt": "a", "chosen": "b", "rejected": "c"}]), scale=1.0)


def test_rows_that_are_no_pairs_are_counted_and_named(tmp_path):
    good = {"prompt": "a?", "chosen": "yes", "rejected": "no"}
    rows = [
        good,
        {**good, "rejected": "yes"},
        {**good, "rejected": ""},
        {**good, "chosen": TALK + said("yes"), "rejected": USER + said("no")},
        {**good, "rejected": "yes"},
        {**good, "margin": -1.0},
        {**good, "margin": "much"},
        {**good, "prompt": None, "chosen": "yes", "rejected": "no"},
    ]
    with pytest.warns(DataWarning) as warned:
        assert read_pairs(write(tmp_path / "p.jsonl", rows)) == [Pair("a?", "yes", "no")]
    text = str(warned[0].message)
    for part in (
        "7 of 8 rows are left out",
        "2 with chosen equal to rejected (rows 1, 4)",
        "1 with responses to different conversations (row 3)",
        "1 with chosen scored below rejected (row 5)",
        "score 'much', need a finite number",
        "a response is a text of length > 0, got ''",
        "1 with no prompt: neither a column nor a common beginning (row 7)",
    ):
        assert part in text
    with pytest.raises(ValueError, match=r"has no pair: of 1 rows 1 with chosen equal to rejected \(row 0\)"):
        read_pairs(write(tmp_path / "q.jsonl", rows[1:2]))
    with pytest.raises(ValueError, match="row 0 has no column 'rejected', it has prompt, chosen"):
        read_pairs(write(tmp_path / "r.jsonl", [{"prompt": "a", "chosen": "b"}]))


def test_prompts_of_pairs_are_different(tmp_path):
    pairs = [
        Pair("a?", "b", "c"),
        Pair(TALK, "b", "c"),
        Pair("a?", "c", "d"),
        Pair(str(Conversation(TALK)), "b", "c"),
    ]
    assert prompts_of(pairs) == ["a?", Conversation(TALK), str(Conversation(TALK))]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        rows = [{"prompt": "a", "chosen": "b", "rejected": "c"}] * 2
        assert len(read_pairs(write(tmp_path / "p.jsonl", rows), limit=1)) == 1


# -- the forms of cells ---------------------------------------------------------------------------------

GOOD = {"prompt": "a?", "chosen": "yes", "rejected": "no"}
PARTS = [{"role": "user", "content": [{"type": "text", "text": "a"}, {"type": "text", "text": "b?"}]}]

FORMS = {
    "contents in parts": ({"prompt": PARTS, "chosen": said("yes"), "rejected": said("no")}, "a\nb?"),
    "one message": ({"prompt": "a?", "chosen": said("yes")[0], "rejected": said("no")[0]}, "a?"),
    "ShareGPT": (
        {
            "prompt": [{"from": "human", "value": "a?"}],
            "chosen": {"from": "gpt", "value": "yes"},
            "rejected": {"from": "gpt", "value": "no"},
        },
        "a?",
    ),
    "JSON in a text": (
        {"prompt": json.dumps(USER), "chosen": json.dumps(USER + said("yes")), "rejected": "no"},
        "a?",
    ),
}


@pytest.mark.parametrize("name", FORMS)
def test_messages_are_read_in_every_form(name, tmp_path):
    row, asked = FORMS[name]
    found = read_pairs(write(tmp_path / "p.jsonl", [row]))
    assert [(prompts_of(found), *pair[1:]) for pair in found] == [([asked], "yes", "no", 1.0)]


def test_half_characters_are_left_out_and_named(tmp_path):
    rows = [GOOD, {**GOOD, "chosen": "\ud800"}, {**GOOD, "prompt": [{"role": "user", "content": "\udc00"}]}]
    with pytest.warns(
        DataWarning, match=r"column 'chosen': '\\ud800' holds half a character.*column 'prompt'"
    ):
        assert read_pairs(write(tmp_path / "p.jsonl", rows)) == [Pair("a?", "yes", "no")]


@pytest.mark.parametrize(
    ("message", "told"),
    [
        ({"content": [{"type": "image", "url": "x"}]}, "message 0 holds a part of type 'image': only text"),
        ({"content": "", "tool_calls": [{"name": "f"}]}, "message 0 holds tool calls, which are not read"),
        ({"content": None}, "a response is a text of length > 0, got"),
    ],
)
def test_messages_of_more_than_text_are_left_out_and_named(message, told, tmp_path):
    rows = [GOOD, {**GOOD, "chosen": [{"role": "assistant", **message}]}]
    with pytest.warns(DataWarning, match=f"1 of 2 rows are left out: .*{told}"):
        assert read_pairs(write(tmp_path / "p.jsonl", rows)) == [Pair("a?", "yes", "no")]


def test_a_column_of_system_texts_is_read(tmp_path):
    system = [{"role": "system", "content": "Be kind."}]
    rows = [{**GOOD, "system": "Be kind."}, {**GOOD, "system": ""}, {**GOOD, "system": 3}]
    rows += [{**GOOD, "prompt": [{"role": "system", "content": "Be brief."}, *USER], "system": "Be kind."}]
    with pytest.warns(DataWarning, match=r"a system text is a text, got 3.*different system texts"):
        found = read_pairs(write(tmp_path / "p.jsonl", rows))
    assert found == [Pair(system + USER, "yes", "no"), Pair("a?", "yes", "no")]


@pytest.mark.parametrize("name", ["p.jsonl", "p.ndjson", "p.json", "p.JSONL", "p.jsonl.gz", "p.json.gz"])
@pytest.mark.parametrize("start", ["", "\ufeff"])
def test_json_files_of_every_name(name, start, tmp_path):
    rows = [GOOD, {**GOOD, "prompt": "b?"}]
    texts = ["\r\n".join(map(json.dumps, rows))]
    texts += [json.dumps(rows), json.dumps(rows, indent=1)] if ".json" in name.replace(".jsonl", "") else []
    for text in texts:
        data = (start + text).encode()
        (tmp_path / name).write_bytes(gzip.compress(data) if name.endswith("gz") else data)
        assert [pair.prompt for pair in read_pairs(tmp_path / name)] == ["a?", "b?"]


@pytest.mark.parametrize(
    ("name", "data", "told"),
    [
        ("p.json", b'{"data": [{"prompt": "a"}]}', "row 0 has no column 'chosen', it has data"),
        ("p.json", b"[1]", "row 0 is int, not an object"),
        ("p.json", b"3", "holds 3, not objects"),
        ("p.json", b"[{", "is not JSON"),
        ("p.json", b"", "has no rows"),
        ("p.jsonl", '{"prompt": "a"}'.encode("utf-16"), "it is UTF-16: save it as UTF-8"),
        ("p.jsonl", b'{"prompt": "a", "chosen": "b", "chosen": "c"}', "line 1 .*'chosen' stands twice"),
        ("p.jsonl.gz", b"text", "is not a complete file .*: copy or write it again"),
        ("p.jsonl.gz", gzip.compress(b'{"prompt": "a"}' * 99, mtime=0)[:-9], "is not a complete file"),
        (
            "p.csv.gz",
            gzip.compress(b"prompt,chosen,rejected\n" * 99, mtime=0)[:-9],
            "is not a complete csv file",
        ),
        ("p.csv", b"prompt,chosen,chosen,rejected\na,b,c,d\n", "the column 'chosen' stands twice"),
        ("p.csv", b"", "is empty: it needs a header"),
        ("p.csv", "prompt,chosen,rejected\n".encode("utf-16"), r"p\.csv: it is UTF-16: save it as UTF-8"),
        ("p.csv", b"prompt,chosen,rejected\na\xe9,b,c\n", "is not UTF-8 .*: save it as UTF-8"),
        ("p.parquet.gz", b"x", "a Parquet file is compressed already: unpack it"),
        ("p.xlsx", b"PK\x03\x04", r"cannot read \.xlsx; .*Read are \.jsonl"),
        ("pairs", b"x", "cannot read a file without a suffix"),
    ],
)
def test_files_that_cannot_be_read_say_why_in_one_line(name, data, told, tmp_path):
    (tmp_path / name).write_bytes(data)
    with pytest.raises(ValueError, match=told) as error:
        read_pairs(tmp_path / name)
    assert "\n" not in str(error.value)


# -- prompts --------------------------------------------------------------------------------------------


def test_a_row_without_a_prompt_among_others_is_no_pair(tmp_path):
    """Its responses share a beginning, which is not its prompt."""
    rows = [GOOD, {"prompt": None, "chosen": "The cat sat", "rejected": "The cat ran"}]
    with pytest.warns(DataWarning, match=r"1 with no prompt, which other rows have \(row 1\)"):
        assert read_pairs(write(tmp_path / "p.jsonl", rows)) == [Pair("a?", "yes", "no")]
    with pytest.raises(ValueError, match="no column 'question', it has prompt, chosen"):
        read_pairs(tmp_path / "p.jsonl", prompt="question")


def test_the_prompt_can_be_read_from_the_conversation(tmp_path):
    path = write(tmp_path / "p.jsonl", [{"chosen": USER + said("yes"), "rejected": USER + said("no")}])
    assert read_pairs(path, prompt="chosen") == [Pair(USER, "yes", "no")]


def test_a_prompt_that_both_texts_repeat_is_cut_off(tmp_path):
    row = {"prompt": "The sky is", "chosen": "The sky is blue.", "rejected": "The sky is bad."}
    with pytest.warns(DataWarning, match="chosen and rejected begin with the whole prompt in every row"):
        assert read_pairs(write(tmp_path / "p.jsonl", [row])) == [Pair("The sky is", " blue.", " bad.")]
    found = read_pairs(write(tmp_path / "p.jsonl", [row, GOOD]))  # not of all rows: then it is an answer
    assert found[0] == Pair("The sky is", "The sky is blue.", "The sky is bad.")


# -- who won --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", [True, 1, "1", "True", "true", "yes", "tie", 1.0])
@pytest.mark.parametrize("other", [False, 0, "0", "False", "no", "", None, float("nan"), 0.0])
def test_ties_are_read_as_they_are_written(value, other, tmp_path):
    rows = [{**GOOD, "tie": value}, {**GOOD, "tie": other}]
    assert [pair.win for pair in read_pairs(write(tmp_path / "p.jsonl", rows))] == [0.5, 1.0]


def test_ties_of_a_csv_file(tmp_path):
    (tmp_path / "p.csv").write_text("prompt,chosen,rejected,tie\na?,b,c,False\na?,b,d,True\na?,b,e,\n")
    assert [pair.win for pair in read_pairs(tmp_path / "p.csv")] == [1.0, 0.5, 1.0]


@pytest.mark.parametrize("empty", [None, "", " ", float("nan"), "nan"])
def test_a_margin_that_is_not_there_is_none(empty, tmp_path):
    rows = [{**GOOD, "margin": empty}, {**GOOD, "margin": "1.0"}]
    path = write(tmp_path / "p.jsonl", rows)
    assert [pair.win for pair in read_pairs(path)] == [1.0, 1.0]
    with pytest.warns(DataWarning, match=r"1 with no score \(row 0\)"):
        assert [pair.win for pair in read_pairs(path, scale=2.0)] == pytest.approx([0.8807971])


@pytest.mark.parametrize("margin", [True, "1_0", "1,5", [1], float("inf"), "much"])
def test_a_margin_that_is_no_number_is_named(margin, tmp_path):
    with pytest.warns(DataWarning, match=r"score .*, need a finite number.*\(row 0\)"):
        read_pairs(write(tmp_path / "p.jsonl", [{**GOOD, "margin": margin}, GOOD]))


def test_scores_that_contradict_the_margin_are_named(tmp_path):
    rows = [{**GOOD, "margin": 1, "score_chosen": 1, "score_rejected": 2}, GOOD]
    with pytest.warns(DataWarning, match="1 with margin and scores that contradict each other"):
        assert len(read_pairs(write(tmp_path / "p.jsonl", rows))) == 1


def test_winners_are_numbers_in_three_ways(tmp_path):
    def won(values, columns=("a", "b")):
        rows = [{"prompt": "?", columns[0]: "x", columns[1]: "y", "who": value} for value in values]
        pairs = read_pairs(write(tmp_path / "p.jsonl", rows), "prompt", *columns, winner="who")
        return [(pair.chosen, pair.win) for pair in pairs]

    assert won([1, 0]) == won(["1", "0"]) == won([1.0, 0.0]) == [("x", 1.0), ("y", 1.0)]
    assert won([1, 0, -1]) == [("x", 1.0), ("x", 0.5), ("y", 1.0)]
    assert won([1, 0.5, 0]) == [("x", 1.0), ("x", 0.5), ("y", 1.0)]
    assert won([0, 1], ("response_0", "response_1")) == [("x", 1.0), ("y", 1.0)]
    with pytest.warns(DataWarning, match=r"winner '0', need response_1, response_2 or tie\) \(row 2\)"):
        assert won([1, 2, 0], ("response_1", "response_2")) == [("x", 1.0), ("y", 1.0)]
    with pytest.warns(DataWarning, match=r"1 with no winner \(row 1\)"):
        assert won(["a", None]) == [("x", 1.0)]


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"winner": "who", "scale": 1.0}, "winner = 'who' says who won, not by how much"),
        ({"scores": "s"}, "scores = 's' are those of replies"),
        ({"replies": "r", "scale": 1.0}, "scale needs scores"),
    ],
)
def test_arguments_that_exclude_each_other(arguments, told, tmp_path):
    with pytest.raises(ValueError, match=told):
        read_pairs(write(tmp_path / "p.jsonl", [GOOD]), **arguments)


def test_many_faults_stay_one_short_line(tmp_path):
    rows = [{**GOOD, "margin": f"x{i}"} for i in range(99)]
    with pytest.warns(DataWarning) as warned:
        read_pairs(write(tmp_path / "p.jsonl", [*rows, GOOD]))
    text = str(warned[0].message)
    assert "99 of 100 rows are left out" in text and "91 for other reasons (rows 8, 9" in text
    assert len(text) < 1200


# -- several responses ----------------------------------------------------------------------------------


def test_lists_of_responses_are_ranked_or_scored(tmp_path):
    def read(row, **how):
        return [
            (p.chosen, p.rejected, round(p.win, 6))
            for p in read_pairs(write(tmp_path / "p.jsonl", [row]), **how)
        ]

    row = {"prompt": "?", "r": ["a", "b", "c"], "s": [1, 3, "3.0"]}
    assert read(row, replies="r") == [("a", "b", 1.0), ("a", "c", 1.0), ("b", "c", 1.0)]
    scored = [("b", "a", 1.0), ("c", "a", 1.0), ("b", "c", 0.5)]
    assert read(row, replies="r", scores="s") == scored
    assert read(row, replies="r", scores="s", scale=0.5)[0] == ("b", "a", 0.731059)
    ranked = {"prompt": "?", "r": [{"answer": "a", "rank": 2}, {"answer": "b", "rank": 1.0}]}
    assert read(ranked, replies="r", scores="rank") == [("b", "a", 1.0)]
    talks = {"r": [USER + said("a"), USER + said("b")]}
    assert read(talks, replies="r") == [("a", "b", 1.0)]
    text = {"prompt": "?", "r": '["a", "b", "a"]'}
    assert read(text, replies="r") == [("a", "b", 1.0), ("b", "a", 1.0)]


@pytest.mark.parametrize(
    ("row", "told"),
    [
        ({"r": ["a"]}, "fewer than two replies"),
        ({"r": None}, "fewer than two replies"),
        ({"r": ["a", "a"]}, "replies that are all equal"),
        ({"r": ["a", ""]}, "a response is a text of length > 0"),
        ({"r": ["a", "b"], "s": [1]}, "another number of s than of replies"),
        ({"r": ["a", "b"], "s": [1, None]}, "a reply without s"),
        ({"r": ["a", "b"], "prompt": None}, "no prompt"),
    ],
)
def test_lists_that_give_no_pair_are_named(row, told, tmp_path):
    good = {"prompt": "?", "r": ["a", "b"], "s": [2, 1]}
    path = write(tmp_path / "p.jsonl", [good, {**good, **row}])
    with pytest.warns(DataWarning, match=rf"1 of 2 rows are left out: 1 with .*{told}"):
        assert read_pairs(path, replies="r", scores="s") == [Pair("?", "a", "b")]
