"""Text and signals of the command lines: printable lines, one answer to Ctrl-C, and an orderly end."""

from __future__ import annotations

import io
import os
import signal
import sys
import time
from types import FrameType
from typing import NoReturn

LONGEST = 1000  # characters of a message
PAUSE = 1.0  # seconds in which further Ctrl-C are ignored


def prepare() -> None:
    """Set up a command line: characters that the terminal lacks are replaced, and Ctrl-C is raised once.

    Further Ctrl-C within a second of the first do not interrupt its clean-up.
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    last = -PAUSE

    def stop(number: int, frame: FrameType | None) -> None:
        nonlocal last
        before, last = last, time.monotonic()
        if last - before >= PAUSE:
            raise KeyboardInterrupt

    signal.signal(signal.SIGINT, stop)


def end_in_order() -> None:
    """Answer SIGTERM, which schedulers and `timeout` send, with a clean-up, one line and code 143."""
    owner = os.getpid()

    def end(number: int, frame: FrameType | None) -> NoReturn:
        if os.getpid() == owner:  # a forked child ends without a word
            os.write(2, b"ended by SIGTERM; every file that was written is complete.\n")
        raise SystemExit(128 + number)

    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)


def one_line(text: object, longest: int = LONGEST) -> str:
    """A message as one printable line; of a longer one, its beginning and its end."""
    line = printable(" ".join(str(text).split()))
    if len(line) <= longest:
        return line
    return f"{line[: 2 * longest // 3]} ... {line[-longest // 3 :]}"


def printable(text: str) -> str:
    """The text with control characters, which could change a terminal, written as escapes."""
    if text.isprintable():
        return text
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
