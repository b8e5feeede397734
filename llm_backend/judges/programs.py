"""A score for programs: whether the Python code of a response passes the tests of its prompt."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path

from llm_backend import isolation

BLOCK = re.compile(r"```(?:python|py)?[^\S\n]*\n(.*?)```", re.DOTALL)
ROOT = str(Path(isolation.__file__).resolve().parents[2])
# A fresh interpreter that finds this package, and nothing else beside the standard library, then forgets it.
START = (
    "import sys; sys.path.insert(0, sys.argv[1]); from llm_backend.isolation import supervise; "
    "del sys.path[0]; supervise.main()"
)
MARGIN = 15.0  # seconds beyond the limit for starting, ending and cleaning
TRIES = 5  # attempts to start a process on a machine that is out of them
FAULTS = {
    "objects": "compare two objects that a program made, and only plain data is compared: compare their "
    "attributes, or what their methods return",
    "handed": "hand a program an object of their own, and only plain data and functions can cross between "
    "the two processes: hand it numbers, texts, lists, dicts or functions",
}


def passes(
    tests: Mapping[str, str] | str, seconds: float = 5.0, memory: int = 1 << 30
) -> Callable[[str, str], float]:
    """1 if the code of the response and then `tests[prompt]` (assertions) run without an error, else 0.

    Parameters
    ----------
    tests : Python source per prompt, or one for all.
    seconds : limit on wall time, and on CPU time of each process. memory : limit on the address space of
        each, in bytes.

    The code is the last ``` block, or the whole response. It runs in a process of its own, in an empty
    folder, with no environment and only the standard library. The tests run in another process, which asks
    the program for values and decides. Plain data cross between the two as copies: numbers, texts, bytes,
    dates, lists, tuples, sets and dicts. Other objects of the program stay there; tests may call them and
    read their attributes, not compare them. Built-in functions and modules that the tests read are their own.

    A program gets one process with threads, 64 open files, 1 MiB per file and 64 MiB in all. On Linux the
    kernel also keeps it from other processes, from the network and from writing outside its folder; run
    programs of an untrusted model in a container elsewhere.
    Rule(passes(...), workers=4) runs several at once.

    Raises ValueError for limits out of range and tests that are not Python, OSError when no process can be
    started; the score raises KeyError for a prompt without tests, and warns once about tests that compare or
    hand over objects.
    """
    if not seconds > 0 or memory < 1 << 26:
        raise ValueError(f"passes: need seconds > 0 and memory >= {1 << 26}, got {seconds} and {memory}.")
    for prompt, source in [("every prompt", tests)] if isinstance(tests, str) else tests.items():
        try:
            compile(source, "tests", "exec")
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            raise ValueError(
                f"passes: the tests of {prompt[:60]!r} are not Python ({error}): correct them."
            ) from None
    if _verdict("", "", max(seconds, 60.0), memory) != "passed":  # else every program would silently fail
        raise OSError(
            f"passes: {sys.executable} cannot run an empty program within {memory} bytes: raise memory, or "
            "repair the interpreter."
        )
    told: set[str] = set()

    def score(prompt: str, response: str) -> float:
        source = tests if isinstance(tests, str) else tests[prompt]
        blocks = BLOCK.findall(response)
        found = _verdict(blocks[-1] if blocks else response, source, seconds, memory)
        if found in FAULTS and found not in told:
            told.add(found)
            warnings.warn(f"passes: tests {FAULTS[found]}. Such a test fails.", stacklevel=2)
        return float(found == "passed")

    rules = json.dumps([2, tests if isinstance(tests, str) else sorted(tests.items()), seconds, memory])
    score.__qualname__ = (
        f"passes({hashlib.sha256(rules.encode()).hexdigest()[:12]})"  # identifies the rule for a cache
    )
    return score


def _verdict(code: str, tests: str, seconds: float, memory: int) -> str | None:
    """ "passed", a key of `FAULTS`, or None for a program that does not pass."""
    folder = tempfile.mkdtemp()
    try:
        job = _frame([code, folder, seconds, memory]) + _frame(tests)
        process = _started()
        try:
            answer = process.communicate(job, timeout=seconds + MARGIN)[0]
            found = json.loads(answer) if len(answer) < 100 else None
        except (subprocess.TimeoutExpired, OSError, ValueError):
            return None
        finally:
            _kill(process)
        return found if isinstance(found, str) else None
    finally:
        _remove(folder)


def _frame(value: object) -> bytes:
    data = json.dumps(value).encode()
    return len(data).to_bytes(8, "big") + data


def _started() -> subprocess.Popen[bytes]:
    for attempt in range(TRIES):
        try:
            return subprocess.Popen(
                [sys.executable, "-I", "-S", "-B", "-X", "utf8", "-c", START, ROOT],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                cwd="/",
                env={},
                start_new_session=True,
            )
        except BlockingIOError:  # out of processes for a moment
            if attempt == TRIES - 1:
                raise
            time.sleep(0.1 * 2**attempt)
    raise AssertionError


def _kill(process: subprocess.Popen[bytes]) -> None:
    """Kill the supervisor and every process of its session; its children end with it."""
    try:
        os.killpg(process.pid, signal.SIGKILL)
    except (ProcessLookupError, PermissionError):
        pass
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            try:
                pipe.close()
            except OSError:
                pass
    process.wait()


def _remove(folder: str) -> None:
    """Remove the folder, also while files still appear in it."""
    for attempt in range(20):
        try:
            _empty(folder)
            return os.rmdir(folder)
        except FileNotFoundError:
            return
        except OSError:
            time.sleep(0.01 * (attempt + 1))
    warnings.warn(f"passes: {folder} cannot be removed: remove it by hand.", stacklevel=4)


def _empty(folder: str) -> None:
    """Remove all in a folder: what is nested moves up first, as paths of any depth have no names."""
    names, moved = set(os.listdir(folder)), 0
    while names:
        path = os.path.join(folder, names.pop())
        if os.path.islink(path) or not os.path.isdir(path):
            os.unlink(path)
            continue
        os.chmod(path, 0o700)
        for name in os.listdir(path):
            inner = os.path.join(path, name)
            if os.path.islink(inner) or not os.path.isdir(inner):
                os.unlink(inner)
            else:
                while os.path.lexists(os.path.join(folder, f"{moved}")):
                    moved += 1
                os.chmod(inner, 0o700)
                os.rename(inner, os.path.join(folder, f"{moved}"))
                names.add(f"{moved}")
        os.rmdir(path)
