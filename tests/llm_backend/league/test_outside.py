"""Outside players: replies of a server are met and rated, and a server that is down is named."""

import json

import numpy as np
import pytest

pytest.importorskip("torch")
import torch

from llm_backend.league.loop import run
from llm_backend.league.outside import PlayerError
from llm_backend.runs.errors import ConfigError
from tests.support.chat_server import Server, reply, send
from tests.support.llm_league import MEMBERS, league

torch.set_num_threads(1)
pytestmark = pytest.mark.filterwarnings("ignore:the judge preferred nothing")
KEY = "sk-secret"


def outside(url, **more):
    return {"name": "far", "outside": {"url": url, "model": "m", "retries": 0, "backoff": 0.0, **more}}


def short(handler, n, content):
    reply(handler, "1")


def test_an_outside_player_is_met_and_rated(tmp_path, monkeypatch):
    monkeypatch.setenv("FAR_KEY", KEY)
    with Server(short) as server:
        members = [*MEMBERS[:2], outside(server.url, key_variable="FAR_KEY", system="Be brief.")]
        config = league(tmp_path / "far", members, rounds=2, evaluate={"prompts": 2, "page": 2})
        done = run(config)
    asked = server.requests[0]
    assert asked["messages"][0] == {"role": "system", "content": "Be brief."}
    assert asked["messages"][-1]["role"] == "user" and asked["max_tokens"] == 4 and asked["model"] == "m"
    assert len({one["seed"] for one in server.requests}) == len(server.requests)
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    assert len(server.requests) == 2 * 2 * 2 + 2 * 2  # rounds, prompts, samples; and the page
    board = {one["name"]: one for one in done.rows[-1]["leaderboard"]}
    assert board["far"]["kind"] == "outside" and board["far"]["answer"] == 0  # it has no policy here
    assert board["far"]["win_rate"] >= 0.5  # the shorter wins
    for path in done.folder.rglob("*"):
        assert not path.is_file() or KEY.encode() not in path.read_bytes()
    assert "far" in (done.folder / "page.html").read_text()


def test_learners_learn_from_an_outside_player(tmp_path):
    """Met alone, its replies are the opponents and half of the candidates."""
    with Server(short) as server:
        members = [{"name": "a", "exploits": "far"}, outside(server.url)]
        done = run(league(tmp_path / "far", members, rounds=1, league={"match": "Everybody"}))
    state = done.pool.members[0].state
    assert state is not None and state.policy is not done.ground.homes[0].arena.reference


def test_a_player_that_is_down_is_named_and_nothing_is_lost(tmp_path):
    with Server(short) as server:
        url = server.url

        def members():
            return [{"name": "a"}, outside(url)]

        run(league(tmp_path / "far", members(), rounds=1))
    with pytest.raises(PlayerError, match=rf"far at {url} does not answer after 1 attempts .*--resume"):
        run(league(tmp_path / "far", members(), rounds=2), resume=True)
    assert (tmp_path / "far" / "rounds" / "00001").is_dir()


@pytest.mark.parametrize("said", ["", "{}", json.dumps({"choices": [{"message": {"content": None}}]})])
def test_an_answer_that_is_none_is_told(said, tmp_path):
    with Server(lambda handler, n, content: send(handler, said)) as server:
        with pytest.raises(PlayerError, match=r"far at .*not a chat completion"):
            run(league(tmp_path / "far", [{"name": "a"}, outside(server.url)], rounds=1))


@pytest.mark.parametrize(
    "more, match",
    [
        ({"key_variable": "NO_SUCH_KEY"}, "NO_SUCH_KEY is not set"),
        ({"key_variable": "sk-secret"}, "name of an environment variable"),
        ({"settings": {"seed": 3}}, "settings must not hold 'seed'"),
        ({"max_tokens": -1}, "max_tokens must be at least 0"),
        ({"colour": 1}, r"members\[1\].outside.colour is unknown"),
    ],
)
def test_players_that_cannot_be_asked_are_named(more, match, tmp_path):
    members = [{"name": "a"}, outside("http://127.0.0.1:9/v1", **more)]
    with pytest.raises(ConfigError, match=match) as caught:
        run(league(tmp_path / "far", members, rounds=1))
    assert "sk-secret" not in str(caught.value)


def test_members_of_two_bases_meet_by_their_replies(tmp_path, capsys):
    other = {"name": "tiny", "lora": 2, "seed": 5}
    members = [{"name": "a"}, {"name": "b", "base": other}, {"name": "root", "policy": "base", "base": other}]
    config = league(tmp_path / "two", members, rounds=2, evaluate={"prompts": 2, "page": 2})
    done = run(config)
    assert [one.home for one in done.pool.members if not one.parent] == [0, 1, 1]
    assert "2 bases" in capsys.readouterr().err
    assert (done.folder / "rounds" / "00002" / "base1" / "state.json").is_file()
    again = run(league(tmp_path / "two", members, rounds=3), resume=True)
    assert again.pool.t == 3 and np.isfinite(again.rows[-1]["leaderboard"][0]["settled"])
