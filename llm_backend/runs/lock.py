"""One process per run's folder: a lock that ends with the process that holds it."""

from __future__ import annotations

import json
import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from filelock import FileLock, Timeout

from llm_backend.processes.workers import workers
from llm_backend.runs.errors import ConfigError
from pgames.files import parse_json, remove_leftovers

LOCK, HOLDER = ".lock", ".holder"


@contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder of a run inside the block; the first of several processes holds it for all.

    The operating system gives the lock back when its process ends, however it ends. Temporary files that a
    killed process left in the folder are removed.

    Raises ConfigError naming the process that holds the folder, and when the folder is a file.
    """
    lock = FileLock(folder / LOCK)
    workers().once(lambda: _acquire(lock, folder))
    try:
        yield
    finally:
        if workers().first:
            lock.release()


def _acquire(lock: FileLock, folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise ConfigError(f"run.out = '{folder}': it is a file; set run.out to a folder.")
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except (FileNotFoundError, NotADirectoryError) as error:
        raise ConfigError(
            f"run.out = '{folder}' cannot be made ({error.strerror}): set run.out to another folder."
        ) from None
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise ConfigError(
            f"{folder} is in use by {_holder(folder)}: wait until it ends, or set run.out to another folder."
        ) from None
    (folder / HOLDER).write_text(json.dumps({"pid": os.getpid(), "host": socket.gethostname()}))
    for some in (folder, folder / "draws"):
        remove_leftovers(some)


def _holder(folder: Path) -> str:
    """The process that holds a folder, as text."""
    try:
        there = parse_json((folder / HOLDER).read_text(encoding="utf-8"))
        host = "" if there["host"] == socket.gethostname() else f" on {there['host']}"
        return f"process {int(there['pid'])}{host}"
    except (OSError, ValueError, KeyError, TypeError):
        return "another process"
