"""The supervisor: it starts the program in one process and its tests in another, and ends both.

`python -I -S -c START` runs `main`. The job is read from standard input in two frames, code before tests: the
process of the program is forked when the tests are not yet in memory. The verdict is one line of JSON.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from typing import Any

from llm_backend.isolation import limits, peer, tests, wire

PASSED, OBJECTS, HANDED = 42, 43, 44  # exit codes of the process of the tests
BYTES, FILES = 1 << 26, 1000  # most that a program may leave in its folder
END = 5.0  # seconds to end every process of the program


def main() -> None:
    """Run one job and print the verdict."""
    limits.hide()
    job = wire.Channel(0, 1)
    code, folder, seconds, memory = job.receive()
    down, up = os.pipe(), os.pipe()
    os.chdir(folder)
    ours = os.getpid()
    program = os.fork()
    if program == 0:
        _child(ours, [down[0], up[1]])
        limits.limit(int(seconds) + 1, memory)
        limits.confine(folder)
        _program(code, wire.Channel(down[0], up[1]))
    os.close(down[0])
    os.close(up[1])
    source = job.receive()
    decider = os.fork()
    if decider == 0:
        _child(ours, [up[0], down[1]])
        limits.limit(int(seconds) + 1, memory)
        _tests(source, wire.Channel(up[0], down[1]))
    os.close(up[0])
    os.close(down[1])
    found = _wait(decider, folder, seconds)
    _end(program, decider)
    sys.__stdout__.write(json.dumps({PASSED: "passed", OBJECTS: "objects", HANDED: "handed"}.get(found)))  # type: ignore[union-attr]
    sys.__stdout__.flush()  # type: ignore[union-attr]
    os._exit(0)


def _child(parent: int, kept: list[int]) -> None:
    """A session of its own, and no file but the channel and three empty standard ones."""
    os.setsid()
    limits.end_with_parent()
    empty = os.open(os.devnull, os.O_RDWR)
    for place in range(3):
        os.dup2(empty, place)
    most = os.sysconf("SC_OPEN_MAX")
    low = 3
    for place in sorted(kept):
        os.closerange(low, place)
        low = place + 1
    os.closerange(low, min(most, 1 << 16) if most > 0 else 1 << 16)
    if os.getppid() != parent:
        os._exit(1)


def _program(code: str, channel: wire.Channel) -> None:
    """The process of the program: define what the code defines, then do what the tests ask."""
    status = 1
    try:
        names: dict[str, Any] = {"__name__": "program"}
        end = peer.Peer(channel, open=True)
        exec(compile(code, "program", "exec"), names)
        channel.send(sorted(name for name in names if isinstance(name, str)))
        while True:
            message = channel.receive()
            if message[0] == "name":
                end.give(names[message[1]])
            else:
                end.serve(message)
    finally:
        os._exit(status)


def _tests(source: str, channel: wire.Channel) -> None:
    """The process of the tests, which alone decides."""
    status = 1
    try:
        tests.run(source, channel)
        status = PASSED
    except peer.Uncomparable:
        status = OBJECTS
    except peer.Unsendable:
        status = HANDED
    finally:
        os._exit(status)


def _wait(decider: int, folder: str, seconds: float) -> int | None:
    """The exit code of the process of the tests; None if it took too long, or the folder grew too large."""
    start, pause = time.monotonic(), 0.001
    while True:
        done, status = os.waitpid(decider, os.WNOHANG)
        if done:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() - start > seconds or (pause > 0.02 and _grown(folder)):
            return None
        time.sleep(pause)
        pause = min(1.5 * pause, 0.05)


def _grown(folder: str) -> bool:
    size = count = 0
    waiting = [folder]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    count += 1
                    if count > FILES:
                        return True
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        size += entry.stat(follow_symlinks=False).st_size
        except FileNotFoundError:
            pass
        except OSError:  # a name too long, or a folder that cannot be read: nobody can count it
            return True
    return size > BYTES


def _end(*groups: int) -> None:
    """Kill both sessions and every descendant, also those that left: orphans are adopted by this process."""
    limit = time.monotonic() + END
    while time.monotonic() < limit:
        for group in groups:
            try:
                os.killpg(group, signal.SIGKILL)
            except OSError:
                pass
        left = _descendants(os.getpid())
        for signalled in (signal.SIGSTOP, signal.SIGKILL):  # stopped first: a bomb must not outrun the list
            for process in left:
                try:
                    os.kill(process, signalled)
                except OSError:
                    pass
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return
        time.sleep(0.001)


def _descendants(root: int) -> list[int]:
    """The processes below `root`, from /proc; none where there is no /proc."""
    parents: dict[int, list[int]] = {}
    try:
        entries = os.listdir("/proc")
    except OSError:
        return []
    for entry in entries:
        if entry.isdigit():
            try:
                with open(f"/proc/{entry}/stat", "rb") as file:
                    parent = int(file.read().rpartition(b")")[2].split()[1])
            except (OSError, IndexError, ValueError):
                continue
            parents.setdefault(parent, []).append(int(entry))
    found, waiting = [], [root]
    while waiting:
        below = parents.get(waiting.pop(), [])
        found += below
        waiting += below
    return found
