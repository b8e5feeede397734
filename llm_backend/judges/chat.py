"""Chat: a language model behind an OpenAI-compatible server as judge."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llm_backend.http import Client, RequestError, Transient
from llm_backend.judges.base import JudgeError, check_batch, excerpt, raised, readable
from llm_backend.judges.names import digest
from llm_backend.judges.questions import check_question
from pgames.files import parse_json
from pgames.numerics import whole

QUESTION = """Here are a prompt and two responses to it. Judge which response is better: more helpful, \
correct, and to the point. Their order and their length say nothing about their quality.

[Prompt]
{prompt}

[Response A]
{first}

[Response B]
{second}

End with your verdict: [[A]] if response A is better, [[B]] if response B is better, [[C]] for a tie."""

LONGEST = 1 << 21  # most bytes of an answer: 100,000 tokens; read, they take fifty times as much memory
VERDICTS = {"A": 1.0, "B": 0.0, "C": 0.5}


THOUGHT = re.compile(r"<(/?)(?:think|thinking|thought|reasoning)>", re.IGNORECASE)
FINISHED = {"", "stop", "end_turn", "eos", "eos_token", "stop_sequence", "complete", "completed", "done"}
OURS = {"model", "messages", "stream", "n"}  # fields of the request that are no settings
SECRET = re.compile(r"(?i)api.?key|authori[sz]ation|secret|password|(access|auth|bearer|api).?token|^token$")


def verdict(answer: str) -> float | None:
    """1, 0 or 1/2 for the last [[A]], [[B]] or [[C]] of an answer; None when there is none.

    What stands in <think> is not a verdict; a thought that does not end leaves none.
    """
    for mark in reversed(list(THOUGHT.finditer(answer))):
        if not mark[1]:
            return None
        answer = answer[mark.end() :]
        break
    found = re.findall(r"\[\[([ABC])\]\]", answer)
    return VERDICTS[found[-1]] if found else None


class Chat:
    """P(first > second) from the verdicts of a chat model, averaged over both orders of the pair.

    Parameters
    ----------
    url : base address up to the version, such as http://127.0.0.1:8000/v1. model : its name on the server.
    question : a format string with the fields {prompt}, {first} and {second}. parse : maps an answer to
        P(first > second), or to None when it holds no verdict; the question is then asked again.
    settings : further fields of the request, such as {"temperature": 0, "max_tokens": 512}.
    key_variable : the environment variable that holds the API key; None sends no key.
    timeout : seconds for one answer. retries : further attempts after a failed connection, a timeout,
        status 429 or 5xx, or an answer that has no verdict, is cut at its length limit or is unfinished for
        another reason. The wait before retry k = 0, 1, ... is `backoff` * 2^k seconds, or the server's
        Retry-After if that is longer, but at most `timeout`.
    workers : most concurrent requests.
    max_calls, max_tokens : budgets of requests, and of tokens as the server counts them, for this object. In
        a run of several processes only the first one judges; a resumed run counts from 0 again. `calls` and
        `tokens` are the amounts spent. Requests under way when the tokens run out are finished.

    Raises ValueError for parameters out of range. `prefer` raises JudgeError when the attempts or the
    budget are used up, or the server refuses. The error carries the answers received until then, and `Cached`
    keeps them.
    """

    as_is = True

    def __init__(
        self,
        url: str,
        model: str,
        question: str = QUESTION,
        parse: Callable[[str], float | None] = verdict,
        settings: Mapping[str, object] | None = None,
        key_variable: str | None = None,
        timeout: float = 60.0,
        retries: int = 5,
        backoff: float = 1.0,
        workers: int = 8,
        max_calls: int | None = None,
        max_tokens: int | None = None,
    ):
        self._client = Client("Chat", url, key_variable, timeout, retries, backoff, workers, LONGEST)
        _check_settings({} if settings is None else settings)
        for what, most in (("max_calls", max_calls), ("max_tokens", max_tokens)):
            if most is not None and (not whole(most) or most < 1):
                raise ValueError(f"Chat: {what} must be at least 1, or unset for no budget, got {most!r}.")
        check_question("Chat", question)  # before the run begins
        self.url, self.model = url, model
        self.question, self.parse = question, parse
        self.settings = {"temperature": 0} if settings is None else dict(settings)
        self.max_calls, self.max_tokens = max_calls, max_tokens
        self.calls, self.tokens = 0, 0
        reader = getattr(parse, "__qualname__", repr(parse))
        rules = digest(json.dumps([question, self.settings, reader], sort_keys=True))
        self.name = f"Chat({model}, {rules}{'' if parse is verdict else f', {reader}'})"
        self._lock = threading.Lock()

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]; identical responses are 1/2 without a call.

        Raises JudgeError when the attempts or the budget are used up, or the server refuses.
        """
        check_batch(prompts, firsts, seconds)
        asked: list[_Question] = []
        for i, (x, y, z) in enumerate(zip(prompts, firsts, seconds, strict=True)):
            if y != z:
                asked += [_Question(i, x, y, z), _Question(i, x, z, y)]
        batch = self._client.answers(
            "/chat/completions", asked, self._request, self._probability, self._spend
        )
        answers = np.full(len(prompts), 0.5)
        both: dict[int, float] = {}
        for k in range(0, len(asked), 2):
            if k in batch.answers and k + 1 in batch.answers:
                both[asked[k].item] = (batch.answers[k] + 1 - batch.answers[k + 1]) / 2
        if batch.failure is not None:
            place, error = batch.failure
            raise JudgeError(self._message(asked[place], error), both) from error
        answers[list(both)] = list(both.values())
        return answers

    # -- one request ------------------------------------------------------------------------------------

    def _request(self, asked: _Question) -> dict[str, object]:
        texts = {"prompt": asked.prompt, "first": asked.first, "second": asked.second}
        content = self.question.format(**{name: readable(text) for name, text in texts.items()})
        return {"model": self.model, "messages": [{"role": "user", "content": content}], **self.settings}

    def _spend(self) -> None:
        with self._lock:
            for spent, most, name in (
                (self.calls, self.max_calls, "max_calls"),
                (self.tokens, self.max_tokens, "max_tokens"),
            ):
                if most is not None and spent >= most:
                    raise JudgeError(
                        f"the budget {name} = {most} is spent ({self.calls} calls, {self.tokens} tokens). "
                        f"Raise {name} and resume; judges.Cached keeps the answers so far."
                    )
            self.calls += 1

    def _probability(self, data: bytes) -> float:
        """P(first > second) in an answer of the server. Raises Transient when it holds none."""
        text, reason = self._text(data)
        shown = excerpt(self._client.masked(text), 160)
        if reason in ("length", "max_tokens"):
            raise Transient(
                f"an answer cut at the length limit: raise max_tokens in settings. It said {shown}"
            )
        if reason not in FINISHED:
            raise Transient(f"an answer that is not finished (finish_reason {excerpt(reason)}), {shown}")
        value = self.parse(text)
        if value is not None and 0 <= value <= 1:
            return float(value)
        if value is not None:
            raise Transient(f"an answer parsed as {value}, which is not in [0, 1], {shown}")
        raise Transient(f"an answer without a verdict, {shown}")

    def _text(self, data: bytes) -> tuple[str, str]:
        """The text of a chat completion, and why it ended ("" if not told). Counts its tokens."""
        try:
            reply = parse_json(data)
            choice = reply["choices"][0]
            text, reason = choice["message"]["content"], choice.get("finish_reason")
            usage = reply.get("usage")
            spent = usage.get("total_tokens") if isinstance(usage, dict) else None
        except (ValueError, LookupError, TypeError, AttributeError, RecursionError):
            shown = excerpt(self._client.masked(data[: 1 << 16].decode("utf-8", "replace")), 160)
            raise Transient(f"not a chat completion: {shown}") from None
        known = isinstance(spent, int) and not isinstance(spent, bool) and spent >= 0
        if not known and self.max_tokens is not None:
            raise JudgeError("the server counts no tokens (usage.total_tokens): set max_calls instead.")
        with self._lock:
            self.tokens += int(spent) if known and spent else 0
        return _said(text), "" if reason is None else str(reason).lower()

    def _message(self, asked: _Question, error: BaseException) -> str:
        """The error line of a failed question: its place, the problem, and a remedy."""
        place = f"{self.name} at {self.url}, item {asked.item} (prompt {excerpt(asked.prompt)})"
        if isinstance(error, JudgeError):
            return f"{place}: {error}"
        if not isinstance(error, RequestError):
            return self._client.masked(f"{self.name} raised {raised(error)}")
        if error.status is not None:
            return (
                f"{place}: the server answered with {error}. Check url, model, settings and key_variable; "
                "this is not retried."
            )
        return (
            f"{place}: {error.attempts} attempts failed, the last with {error}. Check that the server runs "
            "and that the question makes it end with a verdict, or raise retries or timeout; 1/2 is not "
            "assumed."
        )


def _said(content: object) -> str:
    """The text of a message: a text, or the texts of its parts; empty where there is none."""
    if isinstance(content, list):
        content = "".join(str(part.get("text") or "") for part in content if isinstance(part, dict))
    return content if isinstance(content, str) else ""


def _check_settings(settings: object) -> None:
    """Raises ValueError when the settings hold what the judge sets, credentials, or what is not JSON.

    They are written to config.json.
    """
    if not isinstance(settings, Mapping):
        raise ValueError(f"Chat: settings must be a table of fields of the request, got {excerpt(settings)}.")
    if wrong := sorted(OURS & settings.keys()):
        raise ValueError(f"Chat: settings must not hold {wrong[0]!r}, which the judge sets: remove it.")
    _check_secrets(settings)
    try:
        json.dumps(dict(settings), allow_nan=False)
    except (TypeError, ValueError) as error:
        raise ValueError(f"Chat: settings must be JSON values ({error}): correct them.") from None


def _check_secrets(settings: object) -> None:
    """Raises ValueError when the settings hold credentials."""
    inner = (
        settings.items()
        if isinstance(settings, Mapping)
        else enumerate(settings)
        if isinstance(settings, list)
        else ()
    )
    for name, value in inner:
        if isinstance(name, str) and SECRET.search(name):
            raise ValueError(
                f"Chat: settings must hold no credentials, got {excerpt(name)}: put the key into an "
                "environment variable and name it in key_variable."
            )
        _check_secrets(value)


class _Question(NamedTuple):
    """One order of a pair, and its position in the batch."""

    item: int
    prompt: str
    first: str
    second: str
