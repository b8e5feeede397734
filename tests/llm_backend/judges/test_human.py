"""People as a judge: what is asked, waited for, left out and never made up."""

import math
import threading
import time

import numpy as np
import pytest

from llm_backend import judges
from llm_backend.judges import JudgeError, ask
from llm_backend.people.ballot import Ballot
from llm_backend.people.sources import open_source
from tests.support.voting import cast

PROMPTS, FIRSTS, SECONDS = ["p", "p", "q", "q"], ["b", "a", "x", "same"], ["a", "c", "y", "same"]


class Person(threading.Thread):
    """Votes on what a judge asks, through a ballot, until `count` votes are cast."""

    def __init__(self, folder, count, choose, name="Ann"):
        super().__init__(daemon=True)
        place = open_source([folder])
        self.ballot = Ballot(place.source, place.votes)
        self.who = self.ballot.enter(name, sure=True)
        self.count, self.choose = count, choose
        self.start()

    def run(self):
        while self.count:
            if self.ballot.view(self.who).texts is None:
                time.sleep(0.02)
                continue
            cast(self.ballot, self.who, self.choose)
            self.count -= 1


def earlier(view):
    """The text that comes first in the alphabet is better."""
    return "left" if view.texts[1] < view.texts[2] else "right"


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "people"


def test_answers_are_votes_in_the_order_asked(folder, capsys):
    judge = judges.Human(folder)
    person = Person(folder, 3, earlier)
    assert ask(judge, PROMPTS, FIRSTS, SECONDS).tolist() == [0.0, 1.0, 1.0, 0.5]
    person.join()
    assert ask(judge, PROMPTS, SECONDS, FIRSTS).tolist() == [1.0, 0.0, 0.0, 0.5]  # nothing is asked again
    assert (folder / "asked.jsonl").read_bytes() == b""  # the page has nothing to show
    told = capsys.readouterr().err
    assert "0 of 3 pairs have votes" in told and "python -m llm_backend vote" in told
    assert not judge.partial


def test_several_voters_share_an_answer_and_ties_are_half(folder):
    judge = judges.Human(folder)
    for name, choose in (("Ann", earlier), ("Bo", "tie (bothbad)"), ("Cy", "tie")):
        person = Person(folder, 1, choose, name)
        won = judge.prefer(["p"], ["a"], ["b"])
        if name == "Ann":
            assert won.tolist() == [1.0]
            judges.human.write_questions(folder / "asked.jsonl", [judges.human._question("p", "a", "b")])
        person.join()
    assert judge.prefer(["p"], ["a"], ["b"])[0] == pytest.approx(2 / 3)


def test_a_run_goes_on_with_the_votes_that_came_in(folder, capsys):
    judge = judges.Human(folder, wait=2)
    person = Person(folder, 2, earlier)
    answers = ask(judge, PROMPTS, FIRSTS, SECONDS, some=True)
    person.join()
    truth = np.array([0.0, 1.0, 1.0, 0.5])
    missing = np.isnan(answers)
    assert missing.sum() == 1 and np.array_equal(answers[~missing], truth[~missing]) and not missing[3]
    assert "2 of 3 pairs have votes; the others have no verdict" in capsys.readouterr().err


def test_what_needs_every_verdict_fails_and_says_why(folder):
    judge = judges.Human(folder, wait=1)
    person = Person(folder, 1, earlier)
    with pytest.raises(JudgeError, match="has no verdict on 2 of 4 pairs, and this verb needs all") as error:
        ask(judge, PROMPTS, FIRSTS, SECONDS)
    person.join()
    assert len(error.value.answered) == 2  # a cache keeps them
    for wrapped in (judges.Majority([judge]), judges.Symmetrised(judge)):
        with pytest.raises(JudgeError, match="this verb needs all"):
            ask(wrapped, PROMPTS, FIRSTS, SECONDS, some=True)


def test_nobody_in_time_is_an_error_and_never_a_half(folder):
    judge = judges.Human(folder, seconds=0.2)
    began = time.monotonic()
    with pytest.raises(JudgeError, match=r"nobody voted on any of 3 pairs in 0\.2 s.*1/2 is not assumed"):
        ask(judge, PROMPTS, FIRSTS, SECONDS, some=True)
    assert 0.2 <= time.monotonic() - began < 5


def test_votes_that_were_there_before_count_at_once(folder):
    first = judges.Human(folder)
    person = Person(folder, 3, earlier)
    answers = first.prefer(PROMPTS, FIRSTS, SECONDS)
    person.join()
    again = judges.Human(folder, seconds=0.01)  # the run was killed and goes on
    assert np.array_equal(again.prefer(PROMPTS, FIRSTS, SECONDS), answers)


def test_a_vote_that_is_taken_back_is_no_answer(folder):
    judge = judges.Human(folder)
    person = Person(folder, 1, earlier)
    assert judge.prefer(["p"], ["a"], ["b"]).tolist() == [1.0]
    person.join()
    person.ballot.undo(person.who)
    judge.partial, judge.seconds = True, 0.05
    with pytest.raises(JudgeError, match="nobody voted"):
        judge.prefer(["p"], ["a"], ["b"])


def test_a_damaged_file_of_votes_is_named(folder):
    judge = judges.Human(folder)
    (folder / "votes.jsonl").write_text("nonsense\n")
    with pytest.raises(JudgeError, match=r"votes\.jsonl, line 1 is not a vote"):
        judge.prefer(["p"], ["a"], ["b"])


@pytest.mark.parametrize(
    "options",
    [
        {"wait": 0},
        {"wait": -1},
        {"wait": "3"},
        {"wait": 1.5},
        {"seconds": 0.0},
        {"seconds": -1.0},
        {"seconds": math.nan},
    ],
)
def test_bad_arguments(folder, options):
    (name,) = options
    with pytest.raises(ValueError, match=f"Human: {name} must be"):
        judges.Human(folder, **options)


def test_texts_that_no_page_shows_have_an_answer(folder):
    judge = judges.Human(folder)
    person = Person(folder, 1, "tie")
    assert judge.prefer(["", ""], ["half \ud800", "\ud800"], ["whole", "\ud801"]).tolist() == [0.5, 0.5]
    person.join()
