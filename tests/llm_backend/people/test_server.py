"""Everything that a page could send and that is refused, over HTTP; and what the page itself may do."""

import json
import socket
import threading

import pytest

from llm_backend.people.guard import LARGEST
from llm_backend.people.server import Page, held
from tests.support.voting import Client, ballot, served

FOREIGN = "http://evil.example"


@pytest.fixture
def client(tmp_path):
    page = served(tmp_path)
    with page.running() as address:
        yield Client(address)


def entered(client, name="Ann"):
    status, state = client.post("enter", {"name": name})
    assert status == 200
    return state


def votes_in(tmp_path):
    path = tmp_path / "votes.jsonl"
    return path.read_text().splitlines() if path.exists() else []


def test_a_voter_votes_undoes_and_goes_on(client, tmp_path):
    state = entered(client)
    assert state["texts"]["prompt"].startswith("prompt") and state["left"] == 6
    assert {"base", "tuned"}.isdisjoint(json.dumps(state))  # blind
    vote = {"voter": state["voter"], "ticket": state["ticket"], "choice": "left"}
    status, after = client.post("vote", vote)
    assert status == 200 and after["mine"] == 1 and after["ticket"] != state["ticket"]
    assert len(votes_in(tmp_path)) == 1  # on the disk before the answer
    status, back = client.post("undo", {"voter": "ann"})
    assert status == 200 and back["ticket"] == state["ticket"] and votes_in(tmp_path) == []
    assert client.post("show", {"voter": "ann"}) == (200, back)  # as a page that is loaded again


@pytest.mark.parametrize(
    ("changes", "status", "reason"),
    [
        ({"Host": "evil.example"}, 421, "host"),
        ({"Host": "127.0.0.1"}, 421, "host"),
        ({"Host": "127.0.0.1:1"}, 421, "host"),
        ({"Host": None}, 400, None),  # refused by the HTTP parser
        ({"Origin": FOREIGN}, 403, "origin"),
        ({"Origin": "null"}, 403, "origin"),
        ({"Origin": None}, 403, "origin"),
        ({"Origin": "https://127.0.0.1"}, 403, "origin"),
        ({"Sec_Fetch_Site": "cross-site"}, 403, "origin"),
        ({"Sec_Fetch_Site": "same-site"}, 403, "origin"),
        ({"X_Vote_Key": None}, 403, "key"),
        ({"X_Vote_Key": "guess"}, 403, "key"),
        ({"Content_Type": "text/plain"}, 415, "kind"),
        ({"Content_Type": "application/x-www-form-urlencoded"}, 415, "kind"),
        ({"Content_Type": None}, 415, "kind"),
        ({"Content_Length": str(LARGEST + 1)}, 413, "size"),
        ({"Content_Length": "9" * 30}, None, None),
    ],
)
def test_a_request_of_another_kind_is_refused(client, tmp_path, changes, status, reason):
    state = entered(client)
    body = {"voter": "ann", "ticket": state["ticket"], "choice": "left"}
    got, _, said = client.send("POST", "/api/vote", json.dumps(body).encode(), **changes)
    assert got == status or (status is None and got in (400, 413))
    if reason:
        assert json.loads(said)["reason"] == reason
    assert votes_in(tmp_path) == []
    assert client.post("vote", body)[0] == 200  # control: the same vote of the page itself counts
    assert len(votes_in(tmp_path)) == 1


def test_a_body_without_a_length_is_bounded_too(client, tmp_path):
    entered(client)
    chunk = b"%x\r\n%s\r\n" % (4096, b" " * 4096)
    status, _, said = client.send(
        "POST", "/api/vote", chunk * 4 + b"0\r\n\r\n", **{"Transfer-Encoding": "chunked"}
    )
    assert status == 413 and json.loads(said)["reason"] == "size"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b'"text"',
        b"{}",
        b'{"voter": "ann"}',
        b'{"voter": 1, "ticket": "t", "choice": "left"}',
        b'{"voter": "ann", "ticket": "t", "choice": "left", "more": 1}',
        b'{"voter": "ann", "ticket": null, "choice": "left"}',
        b'{"voter": "' + b"x" * 300 + b'", "ticket": "t", "choice": "left"}',
        b"\xff\xfe",
        b"[" * 1500,
    ],
)
def test_a_body_of_another_shape_is_refused(client, body):
    entered(client)
    status, _, said = client.send("POST", "/api/vote", body)
    assert status == 400 and json.loads(said)["reason"] == "body"


def test_votes_that_do_not_fit_are_refused(client, tmp_path):
    state = entered(client)
    for change, status, reason in (
        ({"ticket": "made up"}, 409, "shown"),
        ({"choice": "up"}, 400, "choice"),
        ({"voter": "bo"}, 401, "stranger"),
    ):
        body = {"voter": "ann", "ticket": state["ticket"], "choice": "left", **change}
        got, said = client.post("vote", body)
        assert (got, said["reason"]) == (status, reason)
    assert client.post("undo", {"voter": "ann"})[1]["reason"] == "undo"
    assert votes_in(tmp_path) == []


def test_two_voters_with_one_name_are_one_only_if_they_say_so(client):
    entered(client)
    status, said = client.post("enter", {"name": "ANN"})
    assert status == 409 and said["reason"] == "taken" and "Ann is voting here already" in said["message"]
    status, state = client.post("enter", {"name": "ANN", "sure": True})
    assert status == 200 and state["voter"] == "ann"


def test_other_addresses_and_methods(client):
    assert client.send("GET", "/nothing")[0] == 404
    assert client.send("GET", "/../pyproject.toml")[0] == 404
    assert client.send("GET", "/api/vote")[0] == 405
    assert client.send("POST", "/", b"{}")[0] == 405
    assert client.send("PUT", "/api/vote", b"{}")[0] == 405


def test_the_page_needs_no_key_and_tells_nothing(client):
    for path, kind in (("/", "text/html"), ("/page.js", "text/javascript"), ("/page.css", "text/css")):
        status, headers, body = client.send("GET", path, **{"X-Vote-Key": None, "Origin": None})
        assert status == 200 and headers["content-type"].startswith(kind)
        assert client.key.encode() not in body and b"prompt 1" not in body
        policy = headers["content-security-policy"]
        assert (
            "default-src 'none'" in policy and "unsafe" not in policy and "frame-ancestors 'none'" in policy
        )
        assert headers["cache-control"] == "no-store" and headers["x-content-type-options"] == "nosniff"
        assert "access-control-allow-origin" not in headers and "server" not in headers


def test_refusals_carry_the_same_headers(client):
    status, headers, _ = client.send("OPTIONS", "/api/vote", Origin=FOREIGN)  # a browser's preflight
    assert status == 403 and "access-control-allow-origin" not in headers
    assert headers["x-frame-options"] == "DENY"


def test_the_server_is_reached_from_this_machine_alone(tmp_path):
    page = served(tmp_path)
    assert page._socket.getsockname()[0] == "127.0.0.1"
    page._socket.close()


def test_a_port_that_is_taken_is_said(tmp_path):
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(ValueError, match=rf"port {port} cannot be served .*--port"):
            Page(ballot(tmp_path), port)
    with pytest.raises(ValueError, match="port 99999 cannot be served"):
        Page(ballot(tmp_path / "b"), 99999)


def test_one_server_per_file_of_votes(tmp_path):
    with held(tmp_path / "votes.jsonl"):
        failed = []

        def second():
            try:
                with held(tmp_path / "votes.jsonl"):
                    pass
            except ValueError as error:
                failed.append(str(error))

        thread = threading.Thread(target=second)
        thread.start()
        thread.join()
    assert "is open in another server" in failed[0]
    with held(tmp_path / "votes.jsonl"):
        pass


def test_a_vote_that_cannot_be_saved_is_said_and_not_lost(tmp_path, monkeypatch, capfd):
    votes = ballot(tmp_path)

    def full(vote):
        raise OSError(28, "No space left on device", str(tmp_path / "votes.jsonl"))

    with Page(votes, 0).running() as address:
        client = Client(address)
        state = entered(client)
        body = {"voter": "ann", "ticket": state["ticket"], "choice": "left"}
        with monkeypatch.context() as broken:
            broken.setattr(votes.votes, "add", full)
            status, said = client.post("vote", body)
        assert status == 500 and said["reason"] == "server" and "No space left" in said["message"]
        assert client.post("vote", body)[0] == 200 and len(votes_in(tmp_path)) == 1
    assert "No space left" in capfd.readouterr().err


def test_voters_at_the_same_time_lose_nothing(tmp_path):
    with served(tmp_path, 12).running() as address:

        def all_of(name):
            client = Client(address)
            state = entered(client, name)
            while state["texts"]:
                body = {"voter": state["voter"], "ticket": state["ticket"], "choice": "tie"}
                _, state = client.post("vote", body)

        threads = [threading.Thread(target=all_of, args=(f"voter {i}",)) for i in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    rows = [json.loads(line) for line in votes_in(tmp_path)]
    assert len(rows) == 48 and len({(row["voter"], row["pair"]) for row in rows}) == 48
