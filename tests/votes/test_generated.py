"""CSV, JSON and Parquet of the same votes agree; `python -m tests.support.vote_files 100000` tries more."""

import pytest

from pgames.rows import objects
from tests.support import vote_files


def test_generated_tables_agree_in_every_format(tmp_path):
    vote_files.search(60, tmp_path)


def test_the_search_finds_a_reader_that_guesses(tmp_path, monkeypatch):
    """Negative control: a reader of JSON that changes a name which looks like a date."""
    text = objects.json_text
    monkeypatch.setattr(objects, "json_text", lambda raw: "2" if raw == b'"2024-05-13"' else text(raw))
    table = vote_files.Table([("2024-05-13", "b", 1, None)], "words", False, [None])
    layout = vote_files.Layout([0], 200, ",", True, False)
    with pytest.raises(AssertionError, match="2024-05-13"):
        vote_files.check(table, layout, tmp_path)
    monkeypatch.undo()
    vote_files.check(table, layout, tmp_path)


def test_a_nul_in_a_name_is_a_character_at_any_place(tmp_path):
    """The first bytes of a file tell UTF-16 by NULs, and a short table has its names there."""
    table = vote_files.Table(
        [("", "\x00", 1, None), ("a\x00b", "\x00", -1, None)], "words", False, [None] * 2
    )
    for order in ([0, 1], [1, 0]):
        vote_files.check(table, vote_files.Layout(order, 40, ",", False, False), tmp_path)
