"""--plan of a league: what it then costs, without a verdict of its judge or a reply from outside."""

import json

import pytest

pytest.importorskip("torch")
import torch
from typer.testing import CliRunner

from llm_backend.__main__ import app
from llm_backend.judges import rules
from llm_backend.league.loop import run
from llm_backend.league.plan import members_by_round, plan
from llm_backend.runs.errors import ConfigError
from tests.support.chat_server import Server, reply
from tests.support.llm_league import MEMBERS, league, values

torch.set_num_threads(1)


def inline(value):
    """A value as TOML on one line."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {inline(one)}" for key, one in value.items()) + "}"
    return "[" + ", ".join(map(inline, value)) + "]" if isinstance(value, list) else json.dumps(value)


pytestmark = pytest.mark.filterwarnings("ignore:the judge preferred nothing")


def test_the_plan_is_what_the_league_then_costs(tmp_path):
    config = league(tmp_path / "league", data={"per_round": 8}, evaluate={"prompts": 4, "page": 2})
    told = plan(config)
    assert not (tmp_path / "league").exists()
    done = run(config)
    spent = {key: sum(row[key] for row in done.rows) for key in ("tokens", "tokens_trained", "judged")}
    assert told.rounds * told.round.verdicts == pytest.approx(spent["judged"], rel=0.1)
    assert told.rounds * told.round.drawn == pytest.approx(spent["tokens"], rel=0.4)
    assert told.rounds * told.round.trained == pytest.approx(spent["tokens_trained"], rel=0.4)
    assert told.page.verdicts > 0 and told.page.drawn > 0 and told.disk > 0 and told.memory > 0


def test_the_pool_grows_as_it_then_does(tmp_path):
    """Of exploiters by their patience; one that wins early is told apart."""
    members = [*MEMBERS[:2], {**MEMBERS[2], "patience": 2, "reset": 1.0}, MEMBERS[3]]
    config = league(tmp_path / "league", members, rounds=6, league={"snapshot": 2})
    done = run(config)
    assert members_by_round(config) == [len(row["leaderboard"]) for row in done.rows]
    assert members_by_round(league("out", members, rounds=4, league={"snapshot": 0})) == [4, 4, 4, 5]


def test_few_matches_cost_few_verdicts(tmp_path):
    all_pairs, few = (
        plan(league(tmp_path / "out", [*MEMBERS[:2], MEMBERS[3]], rounds=3, league={"snapshot": 0, **more}))
        for more in ({}, {"matches": 1})
    )
    each = 2 * 2  # prompts, samples
    assert all_pairs.round.verdicts - few.round.verdicts == pytest.approx(2 / 3 * 2 * each)  # not of round 0


def test_the_judge_is_asked_about_a_few_pairs_and_nobody_outside(tmp_path, monkeypatch):
    asked, shorter = [], rules.shorter

    def counted(prompt, response):
        asked.append(response)
        return shorter(prompt, response)

    monkeypatch.setattr(rules, "shorter", counted)
    with Server(lambda handler, n, content: reply(handler, "1")) as server:
        outside = {"name": "far", "outside": {"url": server.url, "model": "m"}}
        told = plan(league(tmp_path / "out", [*MEMBERS, outside], evaluate={"prompts": 2, "page": 2}))
        assert server.requests == []
    assert 0 < len(asked) <= 2 * 8 and told.judging is not None and told.round.verdicts > 20
    lines = "\n".join(told.lines())
    assert "The replies of far were made up" in lines and "4 requests a round to each of far" in lines


def test_members_that_judge_are_timed_and_not_asked_more(tmp_path):
    judge = {"kind": "Members", "question": "{prompt} {first} or {second}", "answers": ["1", "2"]}
    config = league(tmp_path / "out", arena={"samples": 2, "max_new_tokens": 6}, evaluate={"page": 2})
    told = plan(config.model_copy(update={"judge": judge}))
    assert told.judging is not None and told.judging > 1e-5 and told.page.verdicts > 0
    assert any("members judge the pairs" in line for line in told.lines())


def test_two_bases_and_a_league_of_one(tmp_path):
    other = {"name": "tiny", "lora": 2, "seed": 5}
    two = plan(league(tmp_path / "out", [{"name": "a"}, {"name": "b", "base": other}], rounds=2))
    assert two.round.trained > 0 and any("2 bases" in line for line in two.lines())
    one = plan(league(tmp_path / "out", [{"name": "solo"}], rounds=1, evaluate={"prompts": 2, "page": 2}))
    assert one.round.drawn > 0
    listed = plan(league(tmp_path / "out", MEMBERS[:2], rounds=1, arena={"responses": ["1", "22", "333"]}))
    assert listed.round.verdicts > 0


def test_the_command_prints_the_plan_and_leaves_nothing(tmp_path):
    file = tmp_path / "league.toml"
    tables = values(tmp_path / "out", rounds=3, evaluate={"prompts": 2, "page": 2})
    file.write_text("\n".join(f"{name} = {inline(table)}" for name, table in tables.items()))
    done = CliRunner().invoke(app, [str(file), "--plan"])
    assert done.exit_code == 0, done.stderr
    for what in ("tokens drawn", "verdicts", "3 rounds + page", "The pool grows from 4 to", "Memory at the"):
        assert what in done.stdout
    assert [path.name for path in tmp_path.iterdir()] == ["league.toml"]


def test_what_cannot_be_played_cannot_be_planned(tmp_path):
    with pytest.raises(ConfigError, match="member b is missing"):
        plan(league(tmp_path / "out", [{"name": "a"}, {"name": "b", "policy": "nowhere"}]))
