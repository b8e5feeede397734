"""A league that people judge is that of the rule they follow; and it can go on without all votes."""

import json
import zlib

import pytest

pytest.importorskip("torch")
import torch

from llm_backend.judges.base import JudgeError
from llm_backend.judges.human import Human
from llm_backend.league.loop import run
from pgames import Comparisons
from tests.support.llm_league import league, written
from tests.support.voting import RULE, Voter

torch.set_num_threads(1)


def judged_by(out, judge, **sections):
    return league(out, rounds=2, **sections).model_copy(update={"judge": judge})


def test_people_who_follow_a_rule_play_the_league_of_the_rule(tmp_path):
    run(league(tmp_path / "rule", rounds=2))
    with Voter(tmp_path / "people"):
        done = run(judged_by(tmp_path / "people", {"kind": "Human"}))
    assert done.pool.t == 2 and written(tmp_path / "people") == written(tmp_path / "rule")
    assert len(Comparisons.read(tmp_path / "people" / "people" / "votes.jsonl")) > 10


def voted(share):
    """Answers of a `Human` judge whom people left without votes on some pairs: the shorter text wins."""

    def answers(self, questions):
        kept = [one for one in questions if zlib.crc32(one.key.encode()) % 100 < 100 * share]
        sides = zip(*((one.prompt, *one.texts) for one in kept), strict=True) if kept else ((), (), ())
        return dict(zip((one.key for one in kept), RULE.prefer(*map(list, sides)), strict=True))

    return answers


def test_a_league_goes_on_with_the_votes_that_have_come_in(tmp_path, monkeypatch):
    """A match without a vote is not played: no win rate of one half is made up."""
    games = {}
    for share in (1.0, 0.8):
        monkeypatch.setattr(Human, "_answers", voted(share))
        done = run(judged_by(tmp_path / str(share), {"kind": "Human", "wait": 1}))
        assert done.pool.t == 2
        games[share] = done.rows[0]["games"]
    assert 0 < games[0.8] < games[1.0]


def test_members_without_a_verdict_stop_a_league_that_goes_on_when_they_have_one(tmp_path, monkeypatch):
    monkeypatch.setattr(Human, "_answers", voted(0.3))
    with pytest.raises(JudgeError, match=r"no verdict on any pair of .* and .* start again with --resume"):
        run(judged_by(tmp_path / "run", {"kind": "Human", "wait": 1}))
    monkeypatch.setattr(Human, "_answers", voted(1.0))
    assert run(judged_by(tmp_path / "run", {"kind": "Human", "wait": 1}), resume=True).pool.t == 2


def test_the_page_says_which_verdicts_are_missing(tmp_path, monkeypatch):
    """Without all verdicts the game of all replies is not known; ratings and best responses are."""
    monkeypatch.setattr(Human, "_answers", voted(0.8))
    pages = {"evaluate": {"prompts": 3, "page": 2}, "arena": {"samples": 3}}
    done = run(judged_by(tmp_path / "run", {"kind": "Human", "wait": 1}, **pages))
    numbers = json.loads((done.folder / "page.json").read_text())
    assert numbers["exploitability"] == {} and numbers["best"] == numbers["answer"]
    assert len(numbers["standings"]) >= 4 and set(numbers["best_responses"]) == {"final", "base"}
    told = (done.folder / "page.html").read_text()
    assert "The judge gave no verdict on" in told and "of all replies is not known" in told
