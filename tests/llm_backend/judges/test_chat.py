"""A chat model behind a server: both orders, retries, budgets, refusals."""

import json
import threading
import time
import tracemalloc

import numpy as np
import pytest

from llm_backend import judges
from llm_backend.judges import JudgeError
from tests.support.chat_server import Server, longer_wins, reply, send
from tests.support.judged import WORDS, assert_preference, table


def chat(server, **options):
    return judges.Chat(server.url, "tiny", **{"backoff": 0.01, "timeout": 20.0, **options})


def test_chat_asks_both_orders():
    with Server(longer_wins) as server:
        judge = chat(server, settings={"temperature": 0.5, "max_tokens": 9})
        P = table(judge)
    assert_preference(P)
    lengths = np.array([len(word) for word in WORDS])
    np.testing.assert_array_equal(P, (1 + np.sign(lengths[:, None] - lengths)) / 2)
    assert judge.calls == 12 == len(server.requests) and judge.tokens == 120  # 6 ordered pairs, twice
    assert server.requests[0]["temperature"] == 0.5 and server.requests[0]["max_tokens"] == 9
    assert server.requests[0]["model"] == "tiny" and "Authorization" not in server.headers[0]


def test_chat_that_always_says_a_is_worth_nothing():
    with Server(lambda handler, n, content: reply(handler, "[[A]]")) as server:
        np.testing.assert_array_equal(table(chat(server)), np.full((3, 3), 0.5))


@pytest.mark.parametrize("status", [429, 500, 503])
def test_chat_tries_again_when_the_server_is_busy(status):
    def behave(handler, n, content):
        if n <= 2:
            reply(handler, "busy", status=status, headers=[("Retry-After", "0.01")])
        else:
            longer_wins(handler, n, content)

    with Server(behave) as server:
        judge = chat(server, workers=1)
        np.testing.assert_array_equal(judge.prefer(["p"], ["long"], ["s"]), [1])
    assert judge.calls == 4


@pytest.mark.parametrize(
    "garbage",
    [
        lambda h: send(h, "<html>gateway</html>"),
        lambda h: send(h, "[]"),
        lambda h: send(h, '{"choices": []}'),
        lambda h: reply(h, "I like both."),
        lambda h: reply(h, None),
        lambda h: h.wfile.write(b"not http at all\r\n\r\n"),
        lambda h: h.connection.close(),
    ],
)
def test_chat_asks_again_after_garbage_then_raises(garbage):
    def once(handler, n, content):
        garbage(handler) if n == 1 else longer_wins(handler, n, content)

    with Server(once) as server:
        np.testing.assert_array_equal(chat(server).prefer(["p"], ["long"], ["s"]), [1])
    with Server(lambda handler, n, content: garbage(handler)) as server:
        judge = chat(server, retries=2, workers=1)
        with pytest.raises(
            JudgeError, match=r"Chat\(tiny.*item 0.*3 attempts failed, the last with .*not assumed"
        ):
            judge.prefer(["p"], ["long"], ["s"])
    assert judge.calls == 3


def test_chat_says_that_answers_were_cut():
    def cut(handler, n, content):
        choice = {"message": {"content": "Let me think: Response A"}, "finish_reason": "length"}
        send(handler, json.dumps({"choices": [choice], "usage": {"total_tokens": float("nan")}}))

    with Server(cut) as server:
        with pytest.raises(JudgeError, match=r"cut at the length limit: raise max_tokens in settings"):
            chat(server, retries=0).prefer(["p"], ["a"], ["b"])
        with pytest.raises(JudgeError, match=r"counts no tokens.*set max_calls"):
            chat(server, retries=0, max_tokens=9).prefer(["p"], ["a"], ["b"])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("<think>At first sight [[A]]...", "length"),
        ("The better one is [[A]]", "length"),
        ("[[A]]", "max_tokens"),
        ("[[A]]", "content_filter"),
        ("[[A]]", "tool_calls"),
        ("[[A]]", "abort"),
        ("<think>At first sight [[A]]...", "stop"),
        ("<think>Is it [[A]]?</think> I cannot say.", "stop"),
        ("<think>[[B]]</think>\n<think>no, [[A]]", None),
    ],
)
def test_an_unfinished_verdict_does_not_count(text, reason):
    """It is asked again, then an error; never 1/2 from one cut thought in both orders."""

    def cut(handler, n, content):
        send(handler, json.dumps({"choices": [{"message": {"content": text}, "finish_reason": reason}]}))

    def once(handler, n, content):
        cut(handler, n, content) if n == 1 else longer_wins(handler, n, content)

    with Server(cut) as server:
        with pytest.raises(JudgeError, match=r"3 attempts failed.*not assumed"):
            chat(server, retries=2, workers=1).prefer(["p"], ["a"], ["b"])
    assert len(server.requests) == 3
    with Server(once) as server:
        assert chat(server, workers=1).prefer(["p"], ["long"], ["s"]).tolist() == [1.0]


@pytest.mark.parametrize("reason", ["stop", "STOP", "end_turn", None, ""])
@pytest.mark.parametrize("text", ["[[A]]", "<think>[[B]]?</think> [[A]]", "[[B]] </Think>[[A]]"])
def test_a_finished_verdict_counts(text, reason):
    def behave(handler, n, content):
        said = text.replace("[[A]]", "[[B]]") if n == 2 else text
        send(handler, json.dumps({"choices": [{"message": {"content": said}, "finish_reason": reason}]}))

    with Server(behave) as server:
        assert chat(server, retries=0, workers=1).prefer(["p"], ["a"], ["b"]).tolist() == [1.0]


def test_an_answer_of_megabytes_costs_no_gigabyte():
    """Bytes that this process gives out at most, the server's own text (31 MiB) included."""
    hostile = '{"choices": [{"message": {"content": "[[A]]"}}], "x": [' + "[]," * (5 << 20) + "[]]}"
    with Server(lambda handler, n, content: send(handler, hostile)) as server:
        tracemalloc.start()
        try:
            with pytest.raises(JudgeError, match="an answer of more than 2097152 bytes"):
                chat(server, retries=3, workers=1).prefer(["p"], ["a"], ["b"])
            assert tracemalloc.get_traced_memory()[1] < 60 << 20
        finally:
            tracemalloc.stop()
    assert len(server.requests) == 1
    most = '{"choices": [{"message": {"content": "[[A]]"}}], "x": [' + "[]," * 690_000 + "[]]}"
    with Server(lambda handler, n, content: send(handler, most)) as server:
        tracemalloc.start()
        try:
            assert chat(server, workers=1).prefer(["p"], ["a"], ["b"]).tolist() == [0.5]
            assert tracemalloc.get_traced_memory()[1] < 100 << 20
        finally:
            tracemalloc.stop()


@pytest.mark.parametrize(
    "held",
    [{"api_key": "x"}, {"extra": {"Authorization": "x"}}, {"list": [{"client_secret": "x"}]}, {"token": "x"}],
)
def test_credentials_in_the_settings_are_refused(held):
    with pytest.raises(ValueError, match=r"settings must hold no credentials.*key_variable") as caught:
        judges.Chat("http://127.0.0.1:1", "m", settings=held)
    assert "'x'" not in str(caught.value)
    judges.Chat("http://127.0.0.1:1", "m", settings={"max_tokens": 3, "logit_bias": {"5": 1}})


@pytest.mark.parametrize("pause", ["nan", "inf", "-1", "Wed, 21 Oct 2099 07:28:00 GMT", "99999"])
def test_chat_waits_no_longer_than_timeout(pause):
    def behave(handler, n, content):
        if n == 1:
            reply(handler, "busy", status=429, headers=[("Retry-After", pause)])
        else:
            longer_wins(handler, n, content)

    with Server(behave) as server:
        judge = chat(server, timeout=0.2, workers=1)
        np.testing.assert_array_equal(judge.prefer(["p"], ["long"], ["s"]), [1])
    assert judge.calls == 3


def test_chat_body_cut_short():
    whole = json.dumps({"choices": [{"message": {"content": "[[A]]"}}]})

    def behave(handler, n, content):
        if n > 1:
            return longer_wins(handler, n, content)
        handler.send_response(200)
        handler.send_header("Content-Length", str(len(whole)))
        handler.end_headers()
        handler.wfile.write(whole[:30].encode())

    with Server(behave) as server:
        judge = chat(server, workers=1)
        np.testing.assert_array_equal(judge.prefer(["p"], ["long"], ["s"]), [1])
    assert judge.calls == 3


def test_chat_refused_connection():
    with Server(longer_wins) as server:
        pass  # closed again, so no server listens on the port
    with pytest.raises(
        JudgeError, match=r"attempts failed, the last with .*refused.*Check that the server runs"
    ):
        chat(server, retries=1).prefer(["p"], ["a"], ["b"])


def test_chat_slow_server():
    release = threading.Event()

    def slow(handler, n, content):
        if n == 1:
            release.wait(20)
        longer_wins(handler, n, content)

    with Server(slow) as server:
        judge = chat(server, timeout=0.5, workers=1)
        np.testing.assert_array_equal(judge.prefer(["p"], ["long"], ["s"]), [1])
        assert judge.calls == 3
        release.set()

    def dripping(handler, n, content):
        handler.send_response(200)
        handler.end_headers()
        for _ in range(100):
            handler.wfile.write(b" ")
            time.sleep(0.05)

    with Server(dripping) as server:
        with pytest.raises(JudgeError, match="longer than timeout"):
            chat(server, timeout=0.3, retries=0, workers=1).prefer(["p"], ["long"], ["s"])


@pytest.mark.parametrize("status", [400, 401, 404, 307])
def test_chat_refusals_are_not_retried(status, monkeypatch):
    monkeypatch.setenv("JUDGE_KEY", "secret")

    def refuse(handler, n, content):
        reply(handler, "no such model", status=status, headers=[("Location", "http://127.0.0.1:9/elsewhere")])

    with Server(refuse) as server:
        judge = chat(server, workers=1, key_variable="JUDGE_KEY")
        with pytest.raises(
            JudgeError, match=f"answered with status {status}.*no such model.*not retried"
        ) as caught:
            judge.prefer(["p"], ["a"], ["b"])
    assert judge.calls == 1 and server.headers[0]["Authorization"] == "Bearer secret"
    assert "secret" not in str(caught.value) + judge.name


def test_chat_limits_requests_at_once():
    lock, running, most = threading.Lock(), 0, 0

    def slowly(handler, n, content):
        nonlocal running, most
        with lock:
            running += 1
            most = max(most, running)
        time.sleep(0.02)
        with lock:  # before the answer: after it the next request may come first
            running -= 1
        longer_wins(handler, n, content)

    with Server(slowly) as server:
        chat(server, workers=3).prefer(["p"] * 12, [f"{i}" * i for i in range(1, 13)], [""] * 12)
    assert 1 < most <= 3


def test_chat_budget_and_what_was_paid_for_is_kept(tmp_path):
    pairs = (["p"] * 6, [f"{i}" * i for i in range(1, 7)], [""] * 6)
    with Server(longer_wins) as server:
        judge = chat(server, workers=1, max_calls=7)
        cached = judges.Cached(judge, tmp_path / "cache.jsonl")
        with pytest.raises(
            JudgeError, match=r"budget max_calls = 7 is spent \(7 calls, 70 tokens\)"
        ) as caught:
            cached.prefer(*pairs)
        assert len(caught.value.answered) == 3 == len(cached) and judge.calls == 7
        more = judges.Cached(chat(server, workers=1), tmp_path / "cache.jsonl")
        np.testing.assert_array_equal(more.prefer(*pairs), np.ones(6))
        assert more.judge.calls == 6  # three pairs left, both orders
        with pytest.raises(JudgeError, match="budget max_tokens = 25 is spent"):
            chat(server, workers=1, max_tokens=25).prefer(*pairs)
    with Server(lambda handler, n, content: reply(handler, "[[A]]", tokens=None)) as server:
        with pytest.raises(JudgeError, match=r"counts no tokens.*set max_calls"):
            chat(server, max_tokens=25).prefer(*pairs)


def test_chat_parse_that_fails():
    with Server(longer_wins) as server:
        with pytest.raises(JudgeError, match=r"parsed as 7.*not in"):
            chat(server, parse=lambda text: 7.0, retries=0).prefer(["p"], ["a"], ["b"])
        with pytest.raises(JudgeError, match="raised ZeroDivisionError"):
            chat(server, parse=lambda text: 1 / 0).prefer(["p"], ["a"], ["b"])


def test_chat_options_are_checked(monkeypatch):
    monkeypatch.delenv("JUDGE_KEY", raising=False)
    with pytest.raises(ValueError, match="must begin with http"):
        judges.Chat("localhost:8000", "m")
    with pytest.raises(ValueError, match="JUDGE_KEY is not set"):
        judges.Chat("http://127.0.0.1:1", "m", key_variable="JUDGE_KEY")
    with pytest.raises(ValueError, match="retries >= 0"):
        judges.Chat("http://127.0.0.1:1", "m", retries=-1)
    with pytest.raises(ValueError, match=r"other than \{prompt\}, \{first\} and \{second\} \('other'\)"):
        judges.Chat("http://127.0.0.1:1", "m", question="{first} or {other}?")
    with pytest.raises(ValueError, match="must show both responses"):
        judges.Chat("http://127.0.0.1:1", "m", question="{prompt}: is {first} good?")
    with pytest.raises(ValueError, match=r"other than \{prompt\}, \{first\} and \{second\}"):
        judges.Chat("http://127.0.0.1:1", "m", question="{first.text} or {second}?")


@pytest.mark.parametrize(
    ("url", "why"),
    [
        ("http://[::1/v1", "Invalid IPv6 URL"),
        ("http://127.0.0.1:99999/v1", "Port out of range"),
        ("http://127.0.0.1:port/v1", "Port could not be cast"),
        ("http:///v1", "it has no host"),
        ("http://a b/v1", "it holds a blank"),
        ("http://127.0.0.1:1/v1\n", "it holds a blank"),
    ],
)
def test_a_url_that_is_no_address_is_refused_before_it_is_asked(url, why):
    with pytest.raises(ValueError, match=f"Chat: url .* is not an address .*{why}"):
        judges.Chat(url, "m")


@pytest.mark.parametrize(
    ("how", "told"),
    [
        ({"settings": {"messages": []}}, "settings must not hold 'messages', which the judge sets"),
        ({"settings": {"model": "other"}}, "settings must not hold 'model'"),
        ({"settings": {"stream": True}}, "settings must not hold 'stream'"),
        ({"settings": {"temperature": float("nan")}}, "settings must be JSON values"),
        ({"settings": {"stop": {1, 2}}}, "settings must be JSON values"),
        ({"settings": 3}, "settings must be a table"),
        ({"max_calls": 0}, "max_calls must be at least 1"),
        ({"max_tokens": "3"}, "max_tokens must be at least 1"),
    ],
)
def test_settings_that_the_judge_cannot_send_are_refused(how, told):
    with pytest.raises(ValueError, match=f"Chat: {told}"):
        judges.Chat("http://127.0.0.1:1", "m", **how)


@pytest.mark.parametrize(
    "message",
    [
        {"content": [{"type": "text", "text": "So: "}, {"type": "text", "text": "[[B]]"}]},
        {"content": [{"type": "thinking", "thinking": "[[A]]"}, {"type": "text", "text": "[[B]]"}]},
    ],
)
def test_an_answer_in_parts_is_read(message):
    def parts(handler, n, content):
        send(handler, json.dumps({"choices": [{"message": message}], "usage": "none"}))

    with Server(parts) as server:
        np.testing.assert_array_equal(chat(server).prefer(["p"], ["a"], ["b"]), [0.5])
