"""Who sees which pair, what counts, what is taken back, and what is left after a restart."""

import os
from collections import Counter

import pytest

from llm_backend.people.agreement import repeats_of, summary
from llm_backend.people.ballot import REST, Ballot, Refused
from llm_backend.people.pairs import Asked, Question
from llm_backend.people.voters import MOST
from tests.support.voting import ballot, cast, questions


def test_every_pair_is_shown_once_to_every_voter(tmp_path):
    votes = ballot(tmp_path, 6)
    for name in ("Ann", "Bo"):
        who = votes.enter(name, sure=False)
        prompts = [cast(votes, who, "tie").texts[0] for _ in range(6)]
        assert sorted(prompts) == [f"prompt {i}" for i in range(6)]
        last = votes.view(who)
        assert last.texts is None and last.left == 0 and last.mine == 6
    assert len(votes.votes.votes) == 12 and votes.view("ann").voters == 2


def test_sides_are_random_and_the_name_is_never_shown(tmp_path):
    votes = ballot(tmp_path, 60)
    who = votes.enter("Ann", sure=False)
    left = Counter(cast(votes, who, "left").texts[1][0] for _ in range(60))
    assert 18 <= left["a"] <= 42  # 60 fair coins: 3 standard deviations are 11.6
    for vote in votes.votes.votes:
        assert (vote.left, vote.left_text[0]) in (("base", "a"), ("tuned", "b"))


def test_same_seed_same_pairs_and_sides(tmp_path):
    seen = {}
    for name, seed in (("one", 0), ("two", 0), ("three", 1)):
        votes = ballot(tmp_path / name, 20, seed=seed)
        who = votes.enter("Ann", sure=False)
        seen[name] = [cast(votes, who, "tie").texts for _ in range(20)]
    assert seen["one"] == seen["two"] != seen["three"]


def test_a_shown_pair_stays_until_it_is_voted_on_and_after_a_restart(tmp_path):
    votes = ballot(tmp_path)
    who = votes.enter("Ann", sure=False)
    first = votes.view(who)
    assert votes.view(who) == first
    again = ballot(tmp_path)  # the server was killed
    assert again.view(who) == first
    again.vote(who, first.ticket, "left")
    assert again.view(who).texts[0] != first.texts[0]


def test_a_vote_for_a_pair_that_was_not_shown_is_refused(tmp_path):
    votes = ballot(tmp_path)
    ann, bo = votes.enter("Ann", sure=False), votes.enter("Bo", sure=False)
    ticket = votes.view(ann).ticket
    votes.view(bo)
    for who, wrong in ((ann, "made up"), (ann, ""), (bo, ticket)):
        with pytest.raises(Refused, match="not the one shown"):
            votes.vote(who, wrong, "left")
    cast(votes, ann, "left")
    cast(votes, ann, "left")
    with pytest.raises(Refused, match="not the one shown"):
        votes.vote(ann, ticket, "right")  # of a window that is two pairs behind
    assert len(votes.votes.votes) == 2


def test_a_vote_that_is_sent_twice_counts_once(tmp_path):
    votes = ballot(tmp_path)
    who = votes.enter("Ann", sure=False)
    view = cast(votes, who, "left")
    votes.vote(who, view.ticket, "left")  # the answer was lost
    assert len(votes.votes.votes) == 1


def test_a_kill_between_the_vote_and_the_voters_counts_it_once(tmp_path):
    votes = ballot(tmp_path)
    who = votes.enter("Ann", sure=False)
    view = votes.view(who)
    before = (tmp_path / "votes.voters.json").read_bytes()
    votes.vote(who, view.ticket, "left")
    (tmp_path / "votes.voters.json").write_bytes(before)
    again = ballot(tmp_path)
    again.vote(who, view.ticket, "left")
    assert len(again.votes.votes) == 1 and again.view(who).mine == 1
    assert again.view(who).texts[0] != view.texts[0]


def test_undo_takes_votes_and_skips_back_one_by_one(tmp_path):
    votes = ballot(tmp_path)
    who = votes.enter("Ann", sure=False)
    seen = [cast(votes, who, choice) for choice in ("left", "skip", "tie (bothbad)")]
    votes = ballot(tmp_path)  # what can be undone survives a restart
    for view in reversed(seen):
        votes.undo(who)
        assert votes.view(who).texts == view.texts
    assert (tmp_path / "votes.jsonl").read_bytes() == b"" and not votes.view(who).undo
    with pytest.raises(Refused, match="nothing to undo"):
        votes.undo(who)
    votes.vote(who, votes.view(who).ticket, "right")
    assert len(ballot(tmp_path).votes.votes) == 1


def test_a_skip_is_no_vote_and_comes_back_by_undo_alone(tmp_path):
    votes = ballot(tmp_path, 2)
    who = votes.enter("Ann", sure=False)
    cast(votes, who, "skip")
    cast(votes, who, "left")
    assert votes.view(who).texts is None and len(votes.votes.votes) == 1


@pytest.mark.parametrize("other", ["Ann", "ann", "  ANN ", "Ａnn"])
def test_a_name_that_somebody_has_is_refused_unless_confirmed(tmp_path, other):
    votes = ballot(tmp_path)
    who = votes.enter("Ann", sure=False)
    cast(votes, who, "left")
    with pytest.raises(Refused, match=r"Ann is voting here already \(votes so far: 1\)"):
        votes.enter(other, sure=False)
    assert votes.enter(other, sure=True) == who
    cast(votes, who, "left")
    assert {vote.voter for vote in votes.votes.votes} == {"Ann"}


def test_a_name_in_the_file_of_votes_is_somebodys_too(tmp_path):
    votes = ballot(tmp_path)
    cast(votes, votes.enter("Ann", sure=False), "left")
    os.remove(tmp_path / "votes.voters.json")
    votes = ballot(tmp_path)
    with pytest.raises(Refused, match="Ann is voting here already"):
        votes.enter("ANN", sure=False)
    assert votes.view(votes.enter("ANN", sure=True)).name == "Ann"
    assert votes.view("ann").mine == 1


@pytest.mark.parametrize("name", ["", "  ", "x" * 41, "a\x00b", "a\u202eb", "a\x1b[31m"])
def test_a_name_is_short_and_printable(tmp_path, name):
    with pytest.raises(Refused, match="1 to 40 printable"):
        ballot(tmp_path).enter(name, sure=False)


def test_voters_are_bounded(tmp_path, monkeypatch):
    votes = ballot(tmp_path)
    monkeypatch.setattr(votes.voters, "save", lambda: None)
    for i in range(MOST):
        votes.enter(f"voter {i}", sure=False)
    with pytest.raises(Refused, match="no more are admitted"):
        votes.enter("one more", sure=False)


def test_strangers_and_other_choices_are_refused(tmp_path):
    votes = ballot(tmp_path)
    for ask in (lambda: votes.view("ann"), lambda: votes.undo("ann"), lambda: votes.vote("ann", "", "left")):
        with pytest.raises(Refused, match="Enter a name first"):
            ask()
    who = votes.enter("Ann", sure=False)
    with pytest.raises(Refused, match="one of left, right, tie"):
        votes.vote(who, votes.view(who).ticket, "up")


def test_repeats_measure_agreement_and_are_no_votes(tmp_path):
    """A voter who always prefers text a agrees; one who always presses left agrees by chance."""
    votes = ballot(tmp_path, 60, repeat=0.4)
    steady, lefty = votes.enter("Steady", sure=False), votes.enter("Lefty", sure=False)
    for who, choice in ((steady, lambda v: "left" if v.texts[1][0] == "a" else "right"), (lefty, "left")):
        while votes.view(who).texts is not None:
            cast(votes, who, choice)
    assert len(votes.votes.votes) == 120  # each pair once per voter
    same = {name: repeats_of(votes.repeats.votes, votes.votes.votes, name) for name in ("Steady", "Lefty")}
    assert same["Steady"].total >= 10 and same["Steady"].same == same["Steady"].total
    assert same["Lefty"].total >= 10 and 0.1 < same["Lefty"].same / same["Lefty"].total < 0.9
    steady_line, lefty_line = summary(votes.votes.votes, votes.repeats.votes)
    assert f"{same['Steady'].total} of {same['Steady'].total} repeated pairs" in steady_line
    assert "left won 60 of 60" in lefty_line
    assert votes.view(steady).again.startswith(f"{same['Steady'].same} of")


def test_a_repeat_waits_and_comes_once(tmp_path):
    votes = ballot(tmp_path, 40, repeat=0.5)
    who = votes.enter("Ann", sure=False)
    shown = []
    while (view := votes.view(who)).texts is not None:
        shown.append(view.texts[0])
        cast(votes, who, "left")
    again = [vote.prompt for vote in votes.repeats.votes]
    assert len(again) == len(set(again)) > 5
    for prompt in again:
        first, second = (i for i, one in enumerate(shown) if one == prompt)
        assert second - first >= REST
    votes.undo(who)  # of a repeat or a vote
    assert len(votes.repeats.votes) + len(votes.votes.votes) == len(shown) - 1


@pytest.mark.parametrize("repeat", [-0.1, 1.0, float("nan")])
def test_a_share_of_repeats_is_below_one(tmp_path, repeat):
    with pytest.raises(ValueError, match="repeat must be at least 0 and below 1"):
        ballot(tmp_path, repeat=repeat)


def test_a_damaged_file_of_voters_is_named(tmp_path):
    ballot(tmp_path)
    for text in ("{", "[]", '{"format": 2}', '{"format": 1, "key": "k", "voters": {"a": {}}}'):
        (tmp_path / "votes.voters.json").write_text(text)
        with pytest.raises(ValueError, match=r"voters\.json is damaged"):
            ballot(tmp_path)


def test_the_key_is_the_owners_alone_and_stays(tmp_path):
    key = ballot(tmp_path).voters.key
    assert len(key) >= 20 and ballot(tmp_path).voters.key == key
    assert (tmp_path / "votes.voters.json").stat().st_mode & 0o077 == 0


class Growing:
    """A source to which a test adds."""

    growing = True

    def __init__(self):
        self.now = Asked(())

    def asked(self):
        return self.now


def test_pairs_that_come_later_are_shown_and_those_that_go_are_kept_on_the_page(tmp_path):
    source = Growing()
    votes = Ballot(source, tmp_path / "votes.jsonl")
    who = votes.enter("Ann", sure=False)
    assert votes.view(who).texts is None and votes.view(who).growing
    source.now = Asked(tuple(questions(2)))
    first = votes.view(who)
    assert first.left == 2
    source.now = Asked((Question.of("later", ("x", "y"), ("base", "tuned")),))
    assert votes.view(who).texts == first.texts  # it was shown, so the vote counts
    votes.vote(who, first.ticket, "left")
    assert votes.view(who).texts[0] == "later" and votes.view(who).mine == 1
