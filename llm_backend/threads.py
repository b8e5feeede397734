"""Calls from a few daemon threads: the first failure stops the rest, and Ctrl-C waits for none."""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_EXCEPTION, Future, wait
from typing import Generic, NamedTuple, TypeVar

Q = TypeVar("Q")
R = TypeVar("R")


class Stopped(Exception):
    """A call gives up because another one of the batch has failed; `in_threads` leaves it out."""


class Batch(NamedTuple, Generic[R]):
    """Answers by the position of their item, and the first failure: its position and error."""

    answers: dict[int, R]
    failure: tuple[int, BaseException] | None


def in_threads(
    call: Callable[[Q], R], items: Sequence[Q], workers: int, stop: threading.Event, name: str
) -> Batch[R]:
    """`call` of every item, in order, by at most `workers` daemon threads; none begins once `stop` is set.

    After the first failure, calls under way finish and count. Ctrl-C is raised at once, and neither it nor
    the end of the program waits for a call that hangs.
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
        stop.set()  # calls that wait between two attempts give up
    for thread in threads:  # answers under way are paid for; Ctrl-C does not come here
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
