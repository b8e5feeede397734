"""Text and signals of the command lines: printable lines, one answer to Ctrl-C, and an orderly end."""

from __future__ import annotations

import _thread
import io
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from types import FrameType
from typing import NoReturn

LONGEST = 1000  # characters of a message
PAUSE = 1.0  # seconds in which further Ctrl-C are ignored
AGAIN = 0.02  # seconds after which a signal whose exception was lost is sent again
COMMANDS = ("pgames", "llm_backend")


def starting() -> None:
    """Answer Ctrl-C in one line while a command still imports, which would be a traceback of many lines.

    A program that imports the library keeps its own answer.
    """
    first = Path(sys.argv[0] if getattr(sys, "argv", None) else "")
    module = sys.orig_argv[sys.orig_argv.index("-m") + 1 :][:1] if "-m" in sys.orig_argv else []
    called = (
        (str(first) == "-m" and module in [[name] for name in COMMANDS])
        or (first.name == "__main__.py" and first.parent.name in COMMANDS)
        or (first.name == "pgames" and not first.is_dir())
    )
    ours = threading.current_thread() is threading.main_thread()
    if called and ours and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, _stop_at_once)


def _stop_at_once(number: int, frame: FrameType | None) -> NoReturn:
    os.write(2, b"stopped before the command began.\n")
    os._exit(128 + number)


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

    def forget() -> None:
        nonlocal last
        last = -PAUSE

    signal.signal(signal.SIGINT, stop)
    _send_again(KeyboardInterrupt, signal.SIGINT, forget)


def end_in_order() -> None:
    """Answer SIGTERM, which schedulers and `timeout` send, with a clean-up, one line and code 143."""
    owner, told = os.getpid(), False

    def end(number: int, frame: FrameType | None) -> NoReturn:
        nonlocal told
        if os.getpid() == owner and not told:  # a forked child ends without a word
            os.write(2, b"ended by SIGTERM; every file that was written is complete.\n")
        told = True
        raise SystemExit(128 + number)

    if signal.getsignal(signal.SIGTERM) == signal.SIG_DFL:
        signal.signal(signal.SIGTERM, end)
        _send_again(SystemExit, signal.SIGTERM)


def _send_again(kind: type[BaseException], number: int, before: Callable[[], None] = lambda: None) -> None:
    """Send a signal again when its exception is lost, as in a callback of the compiler or a destructor."""
    usual = sys.unraisablehook

    def hook(lost: sys.UnraisableHookArgs) -> None:
        if not issubclass(lost.exc_type, kind):
            usual(lost)
            return
        before()
        again = threading.Timer(AGAIN, _thread.interrupt_main, [number])
        again.daemon = True
        again.start()

    sys.unraisablehook = hook


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
