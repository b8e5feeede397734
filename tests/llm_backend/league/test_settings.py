"""The configuration of a league: what is wrong is named, with what to do."""

import pytest

pytest.importorskip("torch")

from llm_backend.league.settings import LeagueConfiguration, read
from llm_backend.runs.config import Configuration
from llm_backend.runs.errors import ConfigError
from tests.support.llm_league import MEMBERS, league, values


def refused(match, members=None, **sections):
    with pytest.raises(ConfigError, match=match):
        league("out", MEMBERS if members is None else members, **sections)


def test_a_file_with_a_league_is_one(tmp_path):
    run = tmp_path / "run.toml"
    run.write_text(
        '[model]\nname="tiny"\n[data]\nsource="tiny"\n[judge]\nkind="Rule"\n[solver]\nname="INPO"\n'
    )
    assert type(read(run)) is Configuration
    run.write_text(run.read_text() + '[league]\nmatch = "Even"\n[[league.members]]\nname="a"\n')
    found = read(run)
    assert isinstance(found, LeagueConfiguration) and found.league.match == {"name": "Even"}
    assert found.run.out.endswith("run")
    run.write_text(run.read_text() + 'colour = "red"\n')
    with pytest.raises(ConfigError, match=r"run.toml: league.members\[0\].colour is unknown"):
        read(run)


def test_members_are_what_their_keys_say():
    kinds = [one.kind for one in league("out").league.members]
    assert kinds == ["learner", "learner", "exploiter", "frozen"]


def test_members_that_cannot_be_are_named():
    refused("league.members is missing", [])
    refused(r"members\[1\].name = 'a': it is the name of member 0", [{"name": "a"}, {"name": "a"}])
    refused(r"members\[0\].name is missing", [{}])
    refused(r"members\[0\].name = 'a b': it must be", [{"name": "a b"}])
    refused(r"exploits = 'b': it must be 'all' or another member: \.", [{"name": "a", "exploits": "b"}])
    refused(r"exploits = 'a': it must be 'all'", [{"name": "a", "exploits": "a"}, {"name": "b"}])
    refused("none of them learns", [{"name": "a", "policy": "base"}])
    refused(r"members\[0\].reset: a is a learner, which takes base, solver", [{"name": "a", "reset": 0.5}])
    refused(r"members\[0\].solver: a is a frozen", [{"name": "a", "policy": "base", "solver": {"name": "X"}}])
    refused(
        r"members\[0\].reset = 2.0: it must be less than", [{"name": "a", "exploits": "all", "reset": 2.0}]
    )


def test_sections_that_cannot_be_are_named():
    refused(r"league.memory = 1.5: it must be less than 1", league={"memory": 1.5})
    refused("league.match must be a table|match = 3", league={"match": 3})
    refused("run.shard = true: a league runs in one process", run={"shard": True})
    tables = values("out")
    del tables["solver"]  # "bold" has its own
    with pytest.raises(ConfigError, match=r"league.members\[0\].solver is missing: give it, or \[solver\]"):
        LeagueConfiguration.parse(tables)
    tables["league"] = "a"
    with pytest.raises(ConfigError, match="league must be a table"):
        LeagueConfiguration.parse(tables)


def test_a_league_whose_members_have_solvers_needs_no_other():
    tables = values("out", [{"name": "a", "solver": {"name": "INPO", "tau": 0.1, "eta": 1.0}}])
    del tables["solver"]
    assert LeagueConfiguration.parse(tables).solver["name"] == "INPO"


def test_a_tiny_league_asks_nobody_outside():
    outside = {"name": "far", "outside": {"url": "http://127.0.0.1:9/v1", "model": "m"}}
    small = league("out", [*MEMBERS, outside], rounds=9).tiny()
    assert [one.name for one in small.league.members] == [one["name"] for one in MEMBERS]
    assert small.run.rounds == 2 and small.model["name"] == "tiny"
