"""The file of votes: what `pgames report` and `read_pairs` read, and what a kill or a full disk leaves."""

import errno
import json
import os

import pytest
from typer.testing import CliRunner

from llm_backend.data import read_pairs
from llm_backend.people.votes import OUTCOMES, Tail, Vote, VoteFile
from pgames import Comparisons
from pgames.cli.app import app


def vote(n, winner="left", left="base", right="tuned", voter="Ann"):
    texts = ("short", "long") if left == "base" else ("long", "short")
    return Vote(f"p{n % 2}", left, right, winner, voter, *texts, f"pair {n}", f"ticket {n}", 1.5 + n, 2.0)


@pytest.fixture
def path(tmp_path):
    return tmp_path / "votes.jsonl"


def filled(path, count=8):
    file = VoteFile(path)
    for n in range(count):
        sides = ("base", "tuned") if n % 2 else ("tuned", "base")
        file.add(vote(n, OUTCOMES[n % 4], *sides))
    return file


def test_pgames_counts_every_outcome(path):
    filled(path)
    read = Comparisons.read(path)
    assert read.items == ("base", "tuned") and read.prompts == ("p0", "p1")
    # rows 0, 4: tuned left wins; 1, 5: base left, right (tuned) wins; the rest are ties, both bad included
    assert read.pooled_counts.wins.tolist() == [[0, 0], [4, 0]]
    assert read.pooled_counts.ties.tolist() == [[0, 4], [4, 0]]


def test_pgames_report_reads_it(path, tmp_path):
    filled(path, 40)
    done = CliRunner().invoke(app, ["report", str(path), "--out", str(tmp_path / "report")])
    assert done.exit_code == 0, done.output
    assert "tuned" in "".join(
        file.read_text() for file in (tmp_path / "report").rglob("*") if file.suffix in (".json", ".html")
    )


def test_the_same_file_is_a_file_of_preferences(path):
    filled(path, 4)
    pairs = read_pairs(path, chosen="left_text", rejected="right_text", winner="winner")
    assert [pair.win for pair in pairs] == [1.0, 1.0, 0.5, 0.5]
    assert [pair.chosen for pair in pairs[:2]] == ["long", "long"]


def test_points_do_not_depend_on_the_side():
    assert vote(0, "left").points == vote(0, "right", "tuned", "base").points == 0.0  # "long" < "short"
    assert vote(0, "right").points == 1.0 and vote(0, "tie (bothbad)").points == 0.5


def test_a_kill_after_any_byte_loses_no_whole_vote(path):
    filled(path, 3)
    whole = path.read_bytes()
    ends = [i + 1 for i, byte in enumerate(whole) if byte == ord("\n")]
    for cut in range(0, len(whole) + 1, 7):
        path.write_bytes(whole[:cut])
        file = VoteFile(path)
        assert len(file.votes) == sum(end <= cut for end in ends)
        assert file.cut == (cut not in (0, *ends))
        file.add(vote(9))
        assert len(Tail(path).votes()) == len(file.votes)


def test_a_full_disk_leaves_the_file_as_it_was(path, monkeypatch):
    file = filled(path, 2)
    before = path.read_bytes()

    def full(handle):
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match=r"No space left on device: .*votes\.jsonl"):
        file.add(vote(2))
    assert path.read_bytes() == before and len(file.votes) == 2
    monkeypatch.undo()
    file.add(vote(2))
    assert len(VoteFile(path).votes) == 3


def test_a_vote_taken_back_is_gone_for_those_who_follow_the_file(path):
    file, tail = filled(path, 3), Tail(path)
    assert len(tail.votes()) == 3
    file.remove("ticket 1")
    assert [vote.ticket for vote in tail.votes()] == ["ticket 0", "ticket 2"]
    file.add(vote(7))
    with open(path, "ab") as torn:
        torn.write(b'{"prompt": "half')  # another process is writing
    assert [vote.ticket for vote in tail.votes()] == ["ticket 0", "ticket 2", "ticket 7"]


def test_a_file_that_is_not_there_has_no_votes(path):
    assert Tail(path).votes() == []


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("nonsense", "line 2 is not a vote"),
        ("[1]", "needs the fields prompt"),
        (json.dumps({**vote(0)._asdict(), "winner": "up"}), "winner is 'up'"),
        (json.dumps({**vote(0)._asdict(), "voter": None}), "a text is missing"),
        (json.dumps({**vote(0)._asdict(), "time": "late"}), "a number is missing"),
    ],
)
def test_a_line_that_is_no_vote_is_named(path, line, why):
    filled(path, 1)
    with open(path, "a") as file:
        file.write(line + "\n")
    with pytest.raises(ValueError, match=why):
        VoteFile(path)
