"""Parallel calls in daemon threads. The first failure stops the rest, and Ctrl-C does not wait for them."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import Generic, NamedTuple, TypeVar

Q = TypeVar("Q")
R = TypeVar("R")


class Stopped(Exception):
    """Raised by a call that gives up because another call of its batch failed. `in_threads` omits it."""


class Batch(NamedTuple, Generic[R]):
    """The answers by position of their item, and the position and error of the first failure."""

    answers: dict[int, R]
    failure: tuple[int, BaseException] | None


def in_threads(
    call: Callable[[Q], R], items: Sequence[Q], workers: int, stop: threading.Event, name: str
) -> Batch[R]:
    """Call `call` with every item, in order, in at most `workers` daemon threads, until `stop` is set.

    After the first failure no call begins; calls under way finish, and their answers are kept. Ctrl-C is
    raised at once. Neither Ctrl-C nor the end of the program waits for a call that hangs.
    """
    jobs: list[Future[R]] = [Future() for _ in items]
    waiting = deque(zip(jobs, items, strict=True))

    def serve() -> None:
        while True:
            try:
                job, item = waiting.popleft()
            except IndexError:
                return
            if stop.is_set():
                job.cancel()
                continue
            try:
                job.set_result(call(item))
            except BaseException as error:
                job.set_exception(error)

    threads = [threading.Thread(target=serve, name=name, daemon=True) for _ in range(min(workers, len(jobs)))]
    for thread in threads:
        thread.start()
    try:
        wait(jobs, return_when=FIRST_EXCEPTION)
    finally:
        stop.set()  # calls waiting between two attempts give up
    for thread in threads:  # answers under way are paid for; Ctrl-C skips this wait
        thread.join()
    answers: dict[int, R] = {}
    failure = None
    for i, job in enumerate(jobs):
        if job.cancelled():
            continue
        if (error := job.exception()) is None:
            answers[i] = job.result()
        elif not isinstance(error, Stopped):
            failure = failure or (i, error)
    return Batch(answers, failure)
