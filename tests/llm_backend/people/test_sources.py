"""What people vote on: files of pairs, several policies, a run's replies, a judge's questions."""

import json
from pathlib import Path

import pytest

from llm_backend.data.prompts import Conversation
from llm_backend.people.pairs import LONGEST, Question, read_questions, write_questions
from llm_backend.people.sources import open_source


def lines(path, rows):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def pairs_of(place):
    return {
        (one.prompt, *sorted(zip(one.names, one.texts, strict=True)))
        for one in place.source.asked().questions
    }


def test_a_file_of_pairs(tmp_path):
    path = lines(tmp_path / "pairs.jsonl", [{"prompt": "p", "first": "x", "second": "a"}])
    place = open_source([path])
    assert pairs_of(place) == {("p", ("first", "x"), ("second", "a"))}
    assert place.votes == tmp_path / "pairs.votes.jsonl" and not place.source.growing
    assert open_source([path], votes=Path("other.jsonl")).votes == Path("other.jsonl")


def test_columns_and_names_of_ones_own(tmp_path):
    rows = [{"prompt": "p", "chosen": "x", "rejected": "a"}]
    path = lines(tmp_path / "pairs.jsonl", rows)
    assert pairs_of(open_source([path], "chosen", "rejected")) == {("p", ("chosen", "x"), ("rejected", "a"))}
    with pytest.raises(ValueError, match=r"no column 'first', it has prompt, chosen, rejected"):
        open_source([path])
    named = [{"prompt": "p", "first": "x", "second": "a", "first_name": "one", "second_name": "two"}]
    assert pairs_of(open_source([lines(tmp_path / "named.jsonl", named)])) == {
        ("p", ("one", "x"), ("two", "a"))
    }


def test_what_is_no_pair_is_named_or_counted(tmp_path):
    row = {"prompt": "p", "first": "x", "second": "a"}
    rows = [row, {**row, "first": "a", "second": "x"}, {**row, "second": "x"}, {**row, "prompt": "q"}]
    asked = read_questions(lines(tmp_path / "pairs.jsonl", rows))
    assert len(asked.questions) == 2
    assert "1 pairs of equal texts" in asked.told[0] and "1 pairs have the texts of another" in asked.told[1]
    for change, why in (
        ({"second": None}, "row 1, column 'second': a response is a text, got None"),
        ({"second": "x" * (LONGEST + 1)}, "row 1, column 'second': 200,001 characters"),
        ({"prompt": ""}, "row 1, column 'prompt': the prompt is empty"),
        ({"prompt": 5}, "row 1, column 'prompt': a prompt is a text or a list"),
        ({"first_name": "one", "second_name": "one"}, "row 1: both responses are by 'one'"),
    ):
        with pytest.raises(ValueError, match=why):
            read_questions(lines(tmp_path / "bad.jsonl", [row, {**row, **change}]))
    with pytest.raises(ValueError, match="no pair of different texts"):
        read_questions(lines(tmp_path / "equal.jsonl", [{**row, "second": "x"}]))


def test_several_policies_meet_where_both_answer(tmp_path):
    def said(name, prompts):
        rows = [{"prompt": prompt, "response": f"{name} to {prompt}"} for prompt in prompts]
        return lines(tmp_path / f"{name}.jsonl", rows)

    paths = [said("a", "pq"), said("b", "pqr"), said("c", "r")]
    place = open_source(paths, votes=tmp_path / "votes.jsonl")
    assert {(one.prompt, frozenset(one.names)) for one in place.source.asked().questions} == {
        ("p", frozenset("ab")),
        ("q", frozenset("ab")),
        ("r", frozenset("bc")),
    }
    assert place.source.asked().told == ("a and c answer no prompt in common, so they are not compared.",)
    other = said("d/a", "p")
    with pytest.raises(ValueError, match="two sources are named 'a'"):
        open_source([paths[0], other])


def replies(folder, name):
    folder.mkdir(parents=True)
    write_questions(
        folder / "replies.jsonl",
        [Question.of(p, (f"reference to {p}", f"{name} to {p}"), ("reference", name)) for p in "pq"],
    )
    return folder


def test_the_replies_of_a_run_and_of_several(tmp_path):
    one, two = (replies(tmp_path / name, name) for name in ("one", "two"))
    place = open_source([one])
    assert place.votes == one / "votes.jsonl"
    assert pairs_of(place) == {(p, ("one", f"one to {p}"), ("reference", f"reference to {p}")) for p in "pq"}
    met = {frozenset(pair.names) for pair in open_source([one, two]).source.asked().questions}
    assert met == {frozenset(pair) for pair in (("one", "reference"), ("two", "reference"), ("one", "two"))}


def test_a_folder_without_anything_says_what_it_needs(tmp_path):
    with pytest.raises(ValueError, match=r"nothing to compare: it holds no replies\.jsonl"):
        open_source([tmp_path])
    with pytest.raises(FileNotFoundError, match="is not there"):
        open_source([tmp_path / "missing.jsonl"])


def test_the_questions_of_a_judge_are_read_again_when_they_change(tmp_path):
    folder = tmp_path / "run" / "people"
    folder.mkdir(parents=True)
    place = open_source([tmp_path / "run"])
    assert place.source.growing and place.source.asked().questions == ()
    assert open_source([folder]).votes == place.votes == folder / "votes.jsonl"
    first, later = (Question.of(p, ("x", "y"), ("m", "n"), p) for p in ("first", "later"))
    write_questions(folder / "asked.jsonl", [first])
    asked = place.source.asked()
    assert asked.questions == (first,) and place.source.asked() is asked
    write_questions(folder / "asked.jsonl", [later])
    assert place.source.asked().questions == (later,)
    write_questions(folder / "asked.jsonl", [])
    assert place.source.asked().questions == ()


def test_a_question_has_one_key_in_either_order_and_through_a_file(tmp_path):
    talk = Conversation([{"role": "system", "content": "s"}, {"role": "user", "content": "u\ud800"}])
    for prompt in ("p", talk, "half \udc00", ""):
        one = Question.of(prompt, ("x", "half \ud83d"), ("m", "n"))
        assert one.key == Question.of(prompt, ("half \ud83d", "x"), ("n", "m")).key
        write_questions(tmp_path / "q.jsonl", [one])
        (back,) = read_questions(tmp_path / "q.jsonl").questions
        assert back == one
    assert one.key != Question.of("", ("x", "other"), ("m", "n")).key
