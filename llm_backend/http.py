"""The HTTP client of judges and engines on a server: threads, retries, deadlines, size limits, API keys."""

from __future__ import annotations

import functools
import json
import os
import re
import threading
import time
import urllib.request
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote, urlsplit

from llm_backend.threads import Batch, Stopped, in_threads

if TYPE_CHECKING:
    import ssl

    import httpx2

Q = TypeVar("Q")
R = TypeVar("R")
Body = Mapping[str, object]
NAME = re.compile(r"[A-Z_][A-Z0-9_]{0,63}")  # of an environment variable
RETRIED = {408, 409, 425, 429}  # these statuses and every 5xx are retried
ERROR_BYTES = 1 << 16  # most bytes read of an error response
QUOTED = 300  # characters of an error response that a message quotes


class Transient(Exception):
    """A failure that is retried after at least `pause` seconds."""

    def __init__(self, problem: str, pause: float = 0.0):
        super().__init__(problem)
        self.pause = pause


class RequestError(Exception):
    """A request that failed for good, after `attempts` attempts.

    `status` is the HTTP status if the server refused the request. It is None if the attempts are used up; the
    message is then the last problem.
    """

    def __init__(self, problem: str, attempts: int, status: int | None = None):
        super().__init__(problem)
        self.attempts, self.status = attempts, status


@dataclass(frozen=True)
class Client:
    """JSON requests to one server.

    Parameters
    ----------
    owner : name of the calling class, for error messages and thread names.
    url : base address, such as http://127.0.0.1:8000/v1; paths are appended to it. Redirects are not
        followed, so the key is sent to no other address. Proxies are read from the environment.
    key_variable : the environment variable that holds the API key; None sends no key. Messages of this client
        show *** in its place.
    timeout : seconds for one answer. retries : further attempts after a failed connection, a timeout, a
        status in `RETRIED` or 5xx, or a `Transient` answer. The wait before retry k = 0, 1, ... is
        `backoff` * 2^k seconds, or the server's Retry-After if that is longer, but at most `timeout`.
    workers : most concurrent requests. longest : most bytes of an answer.

    Raises ValueError when the url is not a plain http(s) address, the variable holds no key that a header can
    carry, or a number is out of range.
    """

    owner: str
    url: str
    key_variable: str | None
    timeout: float
    retries: int
    backoff: float
    workers: int
    longest: int = 1 << 24

    def __post_init__(self) -> None:
        scheme, _, rest = self.url.partition("://")
        if any(mark in self.url for mark in "@?#"):
            raise ValueError(
                f"{self.owner}: url must hold no user, password, query or fragment: put the key into an "
                "environment variable and name it in key_variable."
            )
        if scheme not in ("http", "https") or not rest:
            raise ValueError(f"{self.owner}: url must begin with http:// or https://, got {self.url!r}.")
        if (why := _no_address(self.url)) is not None:
            raise ValueError(f"{self.owner}: url {self.url!r} is not an address ({why}): correct it.")
        if not self.timeout > 0 or self.retries < 0 or not self.backoff >= 0 or self.workers < 1:
            raise ValueError(
                f"{self.owner}: need timeout > 0, retries >= 0, backoff >= 0 and workers >= 1, "
                f"got {self.timeout}, {self.retries}, {self.backoff} and {self.workers}."
            )
        self._key()

    def answer(self, path: str, body: Body | None, read: Callable[[bytes], R]) -> R:
        """Send one request, a POST of `body` or a GET without one, and return `read` of its answer.

        Raises RequestError when it fails for good, and whatever `read` raises except Transient.
        """
        with self._session() as session:
            return self._attempts(session, path, body, read, lambda: None, threading.Event())

    def answers(
        self,
        path: str,
        items: Sequence[Q],
        body: Callable[[Q], Body],
        read: Callable[[bytes], R],
        begin: Callable[[], None] = lambda: None,
    ) -> Batch[R]:
        """POST `body(item)` for every item, `workers` at a time, and return `read` of each answer.

        `begin` is called before every attempt and may raise. After the first failure no further attempt
        begins, and requests under way are finished. Ctrl-C does not wait for them.
        """
        if not items:
            return Batch({}, None)
        session, stop = self._session(), threading.Event()

        def call(item: Q) -> R:
            try:
                return self._attempts(session, path, body(item), read, begin, stop)
            except BaseException:
                stop.set()
                raise

        batch = in_threads(call, items, self.workers, stop, self.owner)
        session.close()  # not after Ctrl-C: threads still read from it
        return batch

    def masked(self, text: str) -> str:
        """The text without the API key."""
        if self.key_variable is None or not (key := os.environ.get(self.key_variable)):
            return text
        plain = json.dumps(key)[1:-1]
        forms = {key, repr(key)[1:-1], plain, plain.replace("/", "\\/")}
        forms |= {quote(key), quote(key, ""), escape(key)}
        for form in sorted(forms, key=len, reverse=True):
            text = text.replace(form, "***")
        return text

    # -- one request ------------------------------------------------------------------------------------

    def _attempts(
        self,
        session: httpx2.Client,
        path: str,
        body: Body | None,
        read: Callable[[bytes], R],
        begin: Callable[[], None],
        stop: threading.Event,
    ) -> R:
        problem = ""
        for attempt in range(self.retries + 1):
            if stop.is_set():
                raise Stopped
            begin()
            pause = self.backoff * 2**attempt
            try:
                status, data, wanted = self._send(session, path, body)
                if status is None:
                    return read(data)
                quoted = repr(self.masked(data.decode("utf-8", "replace")))[:QUOTED]
                problem = f"status {status}: {quoted}"
                if status not in RETRIED and status < 500:
                    raise RequestError(problem, attempt + 1, status)
                pause = max(pause, wanted)
            except Transient as error:
                problem, pause = self.masked(str(error)), max(pause, error.pause)
            if attempt < self.retries:
                stop.wait(min(pause, self.timeout))
        raise RequestError(problem, self.retries + 1)

    def _send(self, session: httpx2.Client, path: str, body: Body | None) -> tuple[int | None, bytes, float]:
        """(None, answer, 0), or (status, beginning of the error response, seconds of Retry-After)."""
        import httpx2

        headers = {"Accept-Encoding": "identity", "Content-Type": "application/json"}
        if (key := self._key()) is not None:
            headers["Authorization"] = f"Bearer {key}"
        data = None if body is None else json.dumps(body).encode()
        method = "GET" if data is None else "POST"
        try:
            with session.stream(method, self.url.rstrip("/") + path, content=data, headers=headers) as reply:
                deadline = time.monotonic() + self.timeout
                if not reply.is_success:
                    pause = _seconds(reply.headers.get("Retry-After", "0"))
                    return reply.status_code, _read(reply, deadline, ERROR_BYTES), pause
                answer = _read(reply, deadline, self.longest + 1)
        except (httpx2.TransportError, OSError) as error:  # refused, reset, timed out, cut short
            raise Transient(" ".join(f"{type(error).__name__}: {error}".split())) from None
        except httpx2.InvalidURL as error:
            raise RequestError(f"not a valid address ({error})", 1) from None
        if len(answer) > self.longest:
            raise RequestError(f"an answer of more than {self.longest} bytes", 1)
        return None, answer, 0.0

    def _session(self) -> httpx2.Client:
        """A connection pool for one batch."""
        import httpx2

        parts = urlsplit(self.url)
        proxy = None
        if not urllib.request.proxy_bypass(parts.netloc):
            proxy = urllib.request.getproxies().get(parts.scheme)
        if proxy is not None and "://" not in proxy:
            proxy = f"http://{proxy}"
        return httpx2.Client(
            verify=_tls(),
            proxy=proxy,
            trust_env=False,  # otherwise .netrc and ALL_PROXY would be read as well
            timeout=httpx2.Timeout(self.timeout, pool=None),
            limits=httpx2.Limits(max_keepalive_connections=self.workers),
        )

    def _key(self) -> str | None:
        if self.key_variable is None:
            return None
        if not NAME.fullmatch(self.key_variable):  # perhaps the key itself, so it is not shown
            raise ValueError(
                f"{self.owner}: key_variable must be the name of an environment variable in capitals, such "
                "as JUDGE_KEY, not the key: put the key into that variable."
            )
        key = os.environ.get(self.key_variable)
        if not key:
            raise ValueError(
                f"{self.owner}: the environment variable {self.key_variable} is not set: put the key there."
            )
        if not key.isascii() or not key.isprintable() or key != key.strip():
            raise ValueError(
                f"{self.owner}: the environment variable {self.key_variable} holds a line break, a blank at "
                "an end or a character outside ASCII, which a header cannot carry: set it to the key alone."
            )
        return key


def _no_address(url: str) -> str | None:
    """Why a url is not an address of the web, or None for one that is."""
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        return str(error)
    if not parts.hostname or port == 0:
        return "it has no host" if not parts.hostname else "its port is 0"
    if not url.isprintable() or any(letter.isspace() for letter in url):
        return "it holds a blank or a character that is not printed"
    return None


@functools.cache
def _tls() -> ssl.SSLContext:
    import ssl

    return ssl.create_default_context()


def _read(reply: httpx2.Response, deadline: float, most: int) -> bytes:
    """The body, or its first `most` bytes. The deadline also holds for a body that arrives byte by byte."""
    blocks, size = [], 0
    for block in reply.iter_raw():
        blocks.append(block[: most - size])
        size += len(blocks[-1])
        if size >= most:
            break
        if time.monotonic() > deadline:
            raise TimeoutError("the answer took longer than timeout")
    return b"".join(blocks)


def _seconds(text: str) -> float:
    """The seconds in a Retry-After header; 0 for an HTTP date."""
    try:
        return max(0.0, float(text))
    except ValueError:
        return 0.0
