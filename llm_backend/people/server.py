"""The page on which people vote, served on this machine alone."""

from __future__ import annotations

import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib.resources import files
from pathlib import Path

import uvicorn
from filelock import FileLock, Timeout
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from llm_backend.people.ballot import Ballot, Refused
from llm_backend.people.guard import Guard, refusal

PORT = 8765
PAGES = {  # address -> file of this package, type
    "/": ("page.html", "text/html; charset=utf-8"),
    "/page.js": ("page.js", "text/javascript; charset=utf-8"),
    "/page.css": ("page.css", "text/css; charset=utf-8"),
}
STATUS = {"taken": 409, "shown": 409, "undo": 409, "stranger": 401}  # by reason; 400 for the others
SHORT = Field(max_length=200)


class _Body(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class _Enter(_Body):
    name: str = SHORT
    sure: bool = False


class _Voter(_Body):
    voter: str = SHORT


class _Vote(_Voter):
    ticket: str = SHORT
    choice: str = SHORT


def app_of(ballot: Ballot, port: int) -> Guard:
    """The application, whose every request passes the guard."""

    def state(who: str) -> JSONResponse:
        view = ballot.view(who)
        texts = (
            None if view.texts is None else dict(zip(("prompt", "left", "right"), view.texts, strict=True))
        )
        return JSONResponse({**view._asdict(), "texts": texts, "voter": who})

    def answer(model: type[_Body], act: Callable[[_Body], str]):
        async def handler(request: Request) -> Response:
            try:
                return state(act(model.model_validate_json(await request.body())))
            except ValidationError as error:
                first = error.errors()[0]
                place = ".".join(map(str, first["loc"])) or "the body"
                return refusal("body", f"{place[:60]}: {first['msg']}.", 400)
            except Refused as error:
                return refusal(error.reason, str(error), STATUS.get(error.reason, 400))
            except (OSError, ValueError) as error:  # a full disk, a file of pairs that is damaged
                print(f"llm_backend: {error}", file=sys.stderr, flush=True)
                return refusal("server", f"The vote is not saved: {error}", 500)

        return handler

    def enter(body: _Enter) -> str:
        return ballot.enter(body.name, body.sure)

    def show(body: _Voter) -> str:
        return body.voter

    def vote(body: _Vote) -> str:
        ballot.vote(body.voter, body.ticket, body.choice)
        return body.voter

    def undo(body: _Voter) -> str:
        ballot.undo(body.voter)
        return body.voter

    def page(name: str, kind: str):
        content = files("llm_backend.people").joinpath(name).read_bytes()

        async def handler(request: Request) -> Response:
            return Response(content, headers={"content-type": kind})

        return handler

    posts = [("enter", _Enter, enter), ("show", _Voter, show), ("vote", _Vote, vote), ("undo", _Voter, undo)]
    routes = [Route(address, page(*what), methods=["GET"]) for address, what in PAGES.items()]
    routes += [Route(f"/api/{name}", answer(model, act), methods=["POST"]) for name, model, act in posts]
    return Guard(Starlette(routes=routes), port, ballot.voters.key)


class Page:
    """A server of the page on 127.0.0.1; `address` opens it.

    Raises ValueError when the port is taken.
    """

    def __init__(self, ballot: Ballot, port: int = PORT):
        self._socket = _bound(port)
        port = self._socket.getsockname()[1]
        self.address = f"http://127.0.0.1:{port}/#{ballot.voters.key}"
        self._server = uvicorn.Server(
            uvicorn.Config(
                app_of(ballot, port),
                loop="asyncio",
                http="h11",
                ws="none",
                lifespan="off",
                log_config=None,
                access_log=False,
                proxy_headers=False,
                server_header=False,
                limit_concurrency=64,
                timeout_graceful_shutdown=2,
            )
        )

    def serve(self) -> None:
        """Serve until Ctrl-C, which raises KeyboardInterrupt."""
        self._server.run(sockets=[self._socket])

    @contextmanager
    def running(self) -> Iterator[str]:
        """Serve in a thread inside the block; yields the address."""
        thread = threading.Thread(target=self.serve, daemon=True)
        thread.start()
        while not self._server.started and thread.is_alive():
            time.sleep(0.01)
        try:
            yield self.address
        finally:
            self._server.should_exit = True
            thread.join()


@contextmanager
def held(votes: Path) -> Iterator[None]:
    """One server per file of votes. Raises ValueError when another one has it."""
    votes.parent.mkdir(parents=True, exist_ok=True)
    lock = FileLock(votes.with_name(f".{votes.name}.lock"))
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ValueError(
            f"{votes} is open in another server: end that one, or pass another --votes."
        ) from None
    try:
        yield
    finally:
        lock.release()


def _bound(port: int) -> socket.socket:
    bound = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind(("127.0.0.1", port))
        bound.listen(64)  # a page that is opened at once waits
    except (OSError, OverflowError) as error:
        bound.close()
        raise ValueError(f"port {port} cannot be served ({error}): pass another one with --port.") from None
    return bound
