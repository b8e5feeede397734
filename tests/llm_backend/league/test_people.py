"""A league that people judge is that of the rule they follow; and it can go on without all votes."""

import pytest

pytest.importorskip("torch")
import torch

from llm_backend.league.loop import run
from pgames import Comparisons
from tests.support.llm_league import league, written
from tests.support.voting import Voter

torch.set_num_threads(1)


def judged_by(out, judge, **sections):
    return league(out, rounds=2, **sections).model_copy(update={"judge": judge})


def test_people_who_follow_a_rule_play_the_league_of_the_rule(tmp_path):
    run(league(tmp_path / "rule", rounds=2))
    with Voter(tmp_path / "people"):
        done = run(judged_by(tmp_path / "people", {"kind": "Human"}))
    assert done.pool.t == 2 and written(tmp_path / "people") == written(tmp_path / "rule")
    assert len(Comparisons.read(tmp_path / "people" / "people" / "votes.jsonl")) > 10


def test_a_league_goes_on_with_the_votes_that_have_come_in(tmp_path, capsys):
    """A pair of members without a vote has not met: no rating of one half is made up."""
    with Voter(tmp_path / "some"):
        done = run(judged_by(tmp_path / "some", {"kind": "Human", "wait": 2}))
    assert done.pool.t == 2 and "the others have no verdict" in capsys.readouterr().err
    games = done.pool.met.games[0]
    off = ~torch.eye(len(games), dtype=torch.bool).numpy()
    with Voter(tmp_path / "all"):
        everyone = run(judged_by(tmp_path / "all", {"kind": "Human"})).pool.met.games[0]
    assert games[off].sum() < everyone[off].sum()
