"""The checks of every request, before anything reads it: host, origin, key, kind and size."""

from __future__ import annotations

import hmac
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from starlette.responses import JSONResponse

LARGEST = 2048  # bytes of a request's body
KEY = "x-vote-key"  # the header of the key; another origin cannot send it
HEADERS = {
    "content-security-policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; "
        "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    ),
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "cache-control": "no-store",
}

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Message, Receive, Send], Awaitable[None]]


def refusal(reason: str, message: str, status: int) -> JSONResponse:
    """A refused request: one word for the page, and one line for people."""
    return JSONResponse({"reason": reason, "message": message}, status)


class Guard:
    """Lets through only what the page of this server sends.

    The name in Host must be this machine's (else a name of another site could lead here), Origin this
    server's own, and under /api/ the key must be right. Bodies are JSON of at most LARGEST bytes.
    """

    def __init__(self, app: App, port: int, key: str):
        self._app, self._key = app, key.encode()
        self._hosts = {f"127.0.0.1:{port}", f"localhost:{port}"}

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it."""

        async def sent(message: Message) -> None:
            if message["type"] == "http.response.start":
                kept = [(k, v) for k, v in message["headers"] if k.decode("latin-1").lower() not in HEADERS]
                message["headers"] = kept + [(k.encode(), v.encode()) for k, v in HEADERS.items()]
            await send(message)

        refused = self._refused(scope)
        if refused is None and scope["method"] == "POST":
            body = await _body(receive)
            if body is None:
                refused = refusal("size", f"A request has at most {LARGEST} bytes.", 413)
            receive = _again(body or b"")
        await (refused or self._app)(scope, receive, sent)

    def _refused(self, scope: Message) -> JSONResponse | None:
        names = [name.decode("latin-1").lower() for name, _ in scope["headers"]]
        values = [value.decode("latin-1") for _, value in scope["headers"]]
        headers = dict(zip(names, values, strict=True))
        if names.count("host") != 1 or headers["host"].lower() not in self._hosts:
            return refusal("host", "This server answers to 127.0.0.1 and localhost alone.", 421)
        origin, site = headers.get("origin"), headers.get("sec-fetch-site", "same-origin")
        own = {f"http://{host}" for host in self._hosts}
        if (origin is not None and origin.lower() not in own) or site not in ("same-origin", "none"):
            return refusal("origin", "Requests of other pages are refused.", 403)
        if scope["method"] == "POST":
            if origin is None:
                return refusal("origin", "A vote must come from the page of this server.", 403)
            if headers.get("content-type", "").split(";")[0].strip().lower() != "application/json":
                return refusal("kind", "The body must be application/json.", 415)
            size = headers.get("content-length", "0")
            if not size.isdecimal() or int(size[:9]) > LARGEST:
                return refusal("size", f"A request has at most {LARGEST} bytes.", 413)
        if scope["path"].startswith("/api/"):
            if not hmac.compare_digest(headers.get(KEY, "").encode(), self._key):
                return refusal(
                    "key", "The key of this page is not right: open the address that the server printed.", 403
                )
        return None


async def _body(receive: Receive) -> bytes | None:
    """The whole body, or None when it is too large."""
    body = b""
    while True:
        message = await receive()
        body += message.get("body", b"")
        if len(body) > LARGEST:
            return None
        if not message.get("more_body"):
            return body


def _again(body: bytes) -> Receive:
    async def receive() -> Message:
        return {"type": "http.request", "body": body, "more_body": False}

    return receive
