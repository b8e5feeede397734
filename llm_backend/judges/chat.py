"""Chat: a language model behind an OpenAI-compatible server as judge."""

from __future__ import annotations

import http.client
import json
import os
import re
import threading
import time
import urllib.error
import urllib.request
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_backend.judges.base import JudgeError, check_batch, excerpt
from llm_backend.judges.scored import digest

QUESTION = """Here are a prompt and two responses to it. Judge which response is better: more helpful, \
correct, and to the point. Their order and their length say nothing about their quality.

[Prompt]
{prompt}

[Response A]
{first}

[Response B]
{second}

End with your verdict: [[A]] if response A is better, [[B]] if response B is better, [[C]] for a tie."""

VERDICTS = {"A": 1.0, "B": 0.0, "C": 0.5}
PASSING = {408, 409, 425, 429, 500, 502, 503, 504, 529}  # statuses worth another try


def verdict(answer: str) -> float | None:
    """1, 0 or 1/2 for the last [[A]], [[B]] or [[C]] of an answer; None when there is none."""
    found = re.findall(r"\[\[([ABC])\]\]", answer)
    return VERDICTS[found[-1]] if found else None


class Chat:
    """P(first > second) as a chat model says, the mean over both orders of the pair.

    Parameters
    ----------
    url : base address up to the version, as in http://127.0.0.1:8000/v1. model : its name at the server.
    question : a format of {prompt}, {first} and {second}. parse : answer -> P(first > second), or None when
        it holds no verdict, which is asked again.
    settings : further fields of the request, such as {"temperature": 0, "max_tokens": 512}.
    key_variable : the environment variable that holds the API key; None sends no key.
    timeout : seconds for one answer. retries : further attempts after a refused connection, a timeout,
        status 429 or 5xx, or an answer without a verdict, waiting `backoff` * 2^k seconds before each (or
        what Retry-After says, at most `timeout`).
    workers : most requests at once.
    max_calls, max_tokens : budget of requests, and of tokens as the server counts them, of this object: a run
        of several processes judges in the first one only, and after a resume it counts anew. `calls` and
        `tokens` are what has been spent. Requests under way when tokens run out are finished.

    Raises JudgeError when the attempts or the budget are used up, or the server refuses; pairs that were
    answered until then travel with the error, and `Cached` keeps them.
    """

    as_is = True

    def __init__(
        self,
        url: str,
        model: str,
        question: str = QUESTION,
        parse: Callable[[str], float | None] = verdict,
        settings: Mapping[str, Any] | None = None,
        key_variable: str | None = None,
        timeout: float = 60.0,
        retries: int = 5,
        backoff: float = 1.0,
        workers: int = 8,
        max_calls: int | None = None,
        max_tokens: int | None = None,
    ):
        if not url.startswith(("http://", "https://")):
            raise ValueError(f"Chat: url must begin with http:// or https://, got {url!r}.")
        if not timeout > 0 or retries < 0 or not backoff >= 0 or workers < 1:
            raise ValueError(
                "Chat: need timeout > 0, retries >= 0, backoff >= 0 and workers >= 1, "
                f"got {timeout}, {retries}, {backoff} and {workers}."
            )
        if key_variable is not None and not os.environ.get(key_variable):
            raise ValueError(
                f"Chat: the environment variable {key_variable} is not set: put the API key there."
            )
        try:  # an unknown {key} fails here, not in round 7
            asked = question.format(prompt="", first="<first>", second="<second>")
        except (LookupError, ValueError) as error:
            raise ValueError(
                f"Chat: question has a place other than {{prompt}}, {{first}} and "
                f"{{second}} ({error}): write {{{{ and }}}} for plain braces."
            ) from None
        if "<first>" not in asked or "<second>" not in asked:
            raise ValueError("Chat: question must show both responses: put {first} and {second} into it.")
        self.url, self.model = url.rstrip("/") + "/chat/completions", model
        self.question, self.parse = question, parse
        self.settings = {"temperature": 0} if settings is None else dict(settings)
        self.key_variable, self.timeout, self.retries, self.backoff = key_variable, timeout, retries, backoff
        self.workers, self.max_calls, self.max_tokens = workers, max_calls, max_tokens
        self.calls, self.tokens = 0, 0
        reader = getattr(parse, "__qualname__", repr(parse))
        rules = digest(json.dumps([question, self.settings, reader], sort_keys=True))
        self.name = f"Chat({model}, {rules}{'' if parse is verdict else f', {reader}'})"
        self._lock = threading.Lock()
        self._opener = urllib.request.build_opener(_NoRedirects)

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]; identical responses are 1/2 without a call."""
        check_batch(prompts, firsts, seconds)
        answers = np.full(len(prompts), 0.5)
        stop = threading.Event()
        jobs: dict[Future[float], tuple[int, int]] = {}
        waiting: deque[tuple[Future[float], tuple[str, str, str, int]]] = deque()
        for i, (x, y, z) in enumerate(zip(prompts, firsts, seconds, strict=True)):
            for side, (first, second) in enumerate(((y, z), (z, y)) if y != z else ()):
                job: Future[float] = Future()
                jobs[job] = (i, side)
                waiting.append((job, (x, first, second, i)))
        threads = [
            threading.Thread(target=self._serve, args=(waiting, stop), name="Chat", daemon=True)
            for _ in range(min(self.workers, len(jobs)))
        ]
        for thread in threads:
            thread.start()
        try:
            wait(jobs, return_when=FIRST_EXCEPTION)
        finally:
            stop.set()  # whoever still waits between two attempts gives up
        for thread in threads:  # answers under way are paid for; Ctrl-C waits for none
            thread.join()
        sides = [np.full(len(prompts), np.nan), np.full(len(prompts), np.nan)]
        error = None
        for job, (i, side) in jobs.items():
            if not job.cancelled() and (failure := job.exception()) is None:
                sides[side][i] = job.result()
            elif not job.cancelled() and not isinstance(failure, _Stopped):
                error = error or failure
        asked = sorted({i for i, _ in jobs.values()})
        answers[asked] = (sides[0][asked] + 1 - sides[1][asked]) / 2
        if error is not None:
            done = {i: float(answers[i]) for i in asked if np.isfinite(answers[i])}
            known = isinstance(error, JudgeError)
            message = str(error) if known else f"{self.name} raised {type(error).__name__}: {error}"
            raise JudgeError(message, done) from error
        return answers

    def _serve(
        self, waiting: deque[tuple[Future[float], tuple[str, str, str, int]]], stop: threading.Event
    ) -> None:
        """One of the threads: answer what is waiting, in order."""
        while True:
            try:
                job, question = waiting.popleft()
            except IndexError:
                return
            if stop.is_set():
                job.cancel()
                continue
            try:
                job.set_result(self._answer(*question, stop))
            except BaseException as error:
                job.set_exception(error)

    # -- one request ------------------------------------------------------------------------------------

    def _answer(self, prompt: str, first: str, second: str, item: int, stop: threading.Event) -> float:
        try:
            return self._attempts(prompt, first, second, item, stop)
        except BaseException:
            stop.set()
            raise

    def _attempts(self, prompt: str, first: str, second: str, item: int, stop: threading.Event) -> float:
        content = self.question.format(prompt=prompt, first=first, second=second)
        request = {"model": self.model, "messages": [{"role": "user", "content": content}], **self.settings}
        body = json.dumps(request).encode()
        place = f"{self.name} at {self.url}, item {item} (prompt {excerpt(prompt)})"
        trouble = ""
        for attempt in range(self.retries + 1):
            if stop.is_set():
                raise _Stopped
            self._spend(place)
            pause = self.backoff * 2**attempt
            try:
                text, cut = self._send(body, place)
                value = self.parse(text)
                if value is not None and 0 <= value <= 1:
                    return float(value)
                trouble = f"an answer without a verdict, {excerpt(text, 160)}"
                if cut:
                    trouble += " (cut at the length limit: raise max_tokens in settings)"
                if value is not None:
                    trouble = f"an answer parsed as {value}, which is not in [0, 1], {excerpt(text, 160)}"
            except _Passing as error:
                trouble, pause = str(error), max(pause, error.pause)
            if attempt < self.retries:
                stop.wait(min(pause, self.timeout))
        raise JudgeError(
            f"{place}: {self.retries + 1} attempts failed, the last with {trouble}. Check that the server "
            "runs and that the question makes it end with a verdict, or raise retries or timeout; 1/2 is not "
            "assumed."
        )

    def _spend(self, place: str) -> None:
        with self._lock:
            for spent, most, what in (
                (self.calls, self.max_calls, "max_calls"),
                (self.tokens, self.max_tokens, "max_tokens"),
            ):
                if most is not None and spent >= most:
                    raise JudgeError(
                        f"{place}: the budget {what} = {most} is spent ({self.calls} calls, {self.tokens} "
                        f"tokens). Raise {what} and resume; answers so far are kept by judges.Cached."
                    )
            self.calls += 1

    def _send(self, body: bytes, place: str) -> tuple[str, bool]:
        """The answer, and whether it was cut at the length limit."""
        headers = {"Content-Type": "application/json"}
        if self.key_variable is not None:
            headers["Authorization"] = f"Bearer {os.environ[self.key_variable]}"
        request = urllib.request.Request(self.url, body, headers)
        try:
            with self._opener.open(request, timeout=self.timeout) as answer:
                data = _read(answer, time.monotonic() + self.timeout)
        except urllib.error.HTTPError as error:
            with error:
                said = excerpt(error.read(400).decode("utf-8", "replace"), 200)
            if error.code in PASSING:
                raise _Passing(f"status {error.code}: {said}", _retry_after(error)) from None
            raise JudgeError(
                f"{place}: the server answered {error.code} {error.reason}: {said}. Check url, model, "
                "settings and key_variable; this is not retried."
            ) from None
        except (OSError, http.client.HTTPException) as error:  # refused, reset, timed out, cut short
            raise _Passing(" ".join(f"{type(error).__name__}: {error}".split())) from None
        return self._content(data, place)

    def _content(self, data: bytes, place: str) -> tuple[str, bool]:
        try:
            reply = json.loads(data)
            choice = reply["choices"][0]
            text, cut = choice["message"]["content"], choice.get("finish_reason") == "length"
            spent = (reply.get("usage") or {}).get("total_tokens")
        except (ValueError, LookupError, TypeError, AttributeError):
            raise _Passing(
                f"no chat completion but {excerpt(data.decode('utf-8', 'replace'), 160)}"
            ) from None
        counted = isinstance(spent, int)
        if not counted and self.max_tokens is not None:
            raise JudgeError(
                f"{place}: the server counts no tokens (usage.total_tokens): set max_calls instead."
            )
        with self._lock:
            self.tokens += spent if counted else 0
        return text if isinstance(text, str) else "", cut


class _Passing(Exception):
    """A failure that may pass; `pause` seconds are asked for before the next attempt."""

    def __init__(self, message: str, pause: float = 0.0):
        super().__init__(message)
        self.pause = pause


class _Stopped(Exception):
    """Another pair of the batch has failed."""


class _NoRedirects(urllib.request.HTTPRedirectHandler):
    """The key goes to the address it was given for and nowhere else."""

    def redirect_request(self, *args: Any) -> None:
        return None


def _read(answer: Any, deadline: float) -> bytes:
    """The whole body; a server that drips it byte by byte meets the deadline too."""
    blocks = []
    while block := answer.read1(1 << 16):
        blocks.append(block)
        if time.monotonic() > deadline:
            raise TimeoutError("the answer took longer than timeout")
    return b"".join(blocks)


def _retry_after(error: urllib.error.HTTPError) -> float:
    try:
        return max(0.0, float(error.headers.get("Retry-After", 0)))
    except ValueError:
        return 0.0  # an HTTP date
