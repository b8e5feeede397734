"""The HTTP client: keys stay secret, answers have a size limit, errors name the remedy."""

import html
import json
import urllib.parse

import pytest

pytest.importorskip("torch")

from llm_backend import judges
from llm_backend.engines.vllm import VLLM
from llm_backend.http import Client, RequestError
from llm_backend.judges import JudgeError
from tests.support.chat_server import Server, longer_wins, reply, send

KEY = "sk-a/secret'key\\"


def client(server, **options):
    how = {"key_variable": None, "timeout": 5.0, "retries": 0, "backoff": 0.0, "workers": 2, **options}
    return Client("Test", server.url, **how)


@pytest.mark.parametrize("status", [200, 401, 503])
def test_a_key_that_the_server_echoes_is_masked(status, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", KEY)

    def echo(handler, n, content):
        said = " " * 150 + json.dumps({"headers": handler.headers["Authorization"]})  # near where quotes end
        reply(handler, said, status=status)

    with Server(echo) as server:
        judge = judges.Chat(server.url, "m", key_variable="JUDGE_KEY", retries=0, timeout=5.0)
        with pytest.raises(JudgeError) as caught:
            judge.prefer(["p"], ["a"], ["b"])
    assert server.headers[0]["Authorization"] == f"Bearer {KEY}"
    said = str(caught.value)
    assert "secret" not in said and "sk-a" not in said and "key_variable" not in said.split("status")[0]


@pytest.mark.parametrize("key", ["secret\n", " secret", "sécret", "sec\tret"])
def test_a_key_that_no_header_carries_is_refused_without_being_shown(key, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", key)
    for make in (judges.Chat, VLLM):
        with pytest.raises(ValueError, match="JUDGE_KEY holds a line break, a blank") as caught:
            make("http://127.0.0.1:9/v1", "m", key_variable="JUDGE_KEY")
        assert "cret" not in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        "http://me:secret@host/v1",
        "me:secret@host",
        "https://host/v1?token=secret",
        "http://host#secret",
        "http://me:sec/secret@host/v1",
        "http://me:secret@host://v1",
        "HTTP://me:secret@host",
    ],
)
def test_credentials_in_a_url_are_refused_without_being_shown(url):
    for make in (judges.Chat, VLLM):
        with pytest.raises(ValueError, match="user, password, query or fragment") as caught:
            make(url, "m")
        assert "secret" not in str(caught.value)


@pytest.mark.parametrize(
    "form",
    [
        lambda key: key,
        repr,
        json.dumps,
        lambda key: json.dumps(key).replace("/", "\\/"),
        html.escape,
        urllib.parse.quote,
        lambda key: urllib.parse.quote(key, ""),
    ],
)
def test_a_key_is_masked_in_the_forms_that_servers_quote(form, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", KEY)
    with Server(lambda handler, n, content: reply(handler, f"bad key {form(KEY)}", status=403)) as server:
        with pytest.raises(JudgeError) as caught:
            judges.Chat(server.url, "m", key_variable="JUDGE_KEY").prefer(["p"], ["a"], ["b"])
    assert "***" in str(caught.value) and "secret" not in str(caught.value)


@pytest.mark.parametrize("key", ["sk-secret", "secretsecret", "Bearer SECRET", "", "SECRET" * 20])
def test_a_key_in_place_of_its_variable_is_not_shown(key):
    for make in (judges.Chat, VLLM):
        with pytest.raises(ValueError, match=r"name of an environment variable.*not the key") as caught:
            make("http://127.0.0.1:9/v1", "m", key_variable=key)
        assert "secret" not in str(caught.value).lower()


def test_an_answer_has_a_limit():
    with Server(lambda handler, n, content: send(handler, "x" * 5000)) as server:
        ask = {"messages": [{"content": "?"}]}
        assert client(server, longest=5000).answer("", ask, len) == 5000
        with pytest.raises(RequestError, match="an answer of more than 4999 bytes"):
            client(server, longest=4999, retries=3).answer("", ask, len)
    assert len(server.requests) == 2  # it is not asked for again


def test_no_proxy_is_asked_for_an_address_that_the_environment_exempts(monkeypatch):
    monkeypatch.setenv("http_proxy", "127.0.0.1:9")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    with Server(longer_wins) as server:
        assert judges.Chat(server.url, "m", retries=0).prefer(["p"], ["long"], ["s"]).tolist() == [1.0]
        monkeypatch.setenv("no_proxy", "elsewhere")
        with pytest.raises(JudgeError, match="refused"):
            judges.Chat(server.url, "m", retries=0).prefer(["p"], ["long"], ["s"])
