"""Preference files of the common formats."""

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
