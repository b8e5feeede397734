"""Atomic writes, and safe reads of .npz files."""

from __future__ import annotations

import os
import re
import tempfile
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import numpy as np

try:
    from fcntl import LOCK_EX, LOCK_NB, flock
except ImportError:  # a system without flock keeps the files that a killed process left
    flock = None

# the names of temporary files
LEFT = re.compile(r"\.(.+\.(json|jsonl|npz|safetensors|html)|run_id)\.[a-z0-9_]{8}")


@contextmanager
def atomic(path: str | os.PathLike[str], mode: str = "wb") -> Iterator[IO]:
    """Open a temporary file beside `path` and rename it to `path` when the block ends without an error.

    The temporary file is locked while it is written, so that `remove_leftovers` spares it.
    An OSError of the block, such as that of a full disk, names `path`.
    """
    target = Path(path)
    with named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _locked(target)
        try:
            with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.chmod(temporary, 0o644)
                if flock is not None:
                    os.replace(temporary, target)  # before the lock ends
            if flock is None:
                os.replace(temporary, target)
        except BaseException:
            Path(temporary).unlink(missing_ok=True)
            raise


@contextmanager
def named(path: str | os.PathLike[str]) -> Iterator[None]:
    """Let an OSError that names no file, such as that of a full disk, name `path`."""
    try:
        yield
    except OSError as error:
        if error.errno is not None and error.filename is None:
            error.filename = str(path)
        raise


def remove_leftovers(folder: str | os.PathLike[str]) -> None:
    """Remove the temporary files of `atomic` in a folder whose processes were killed while they wrote."""
    for path in Path(folder).glob(".*") if flock is not None else ():
        if LEFT.fullmatch(path.name):
            with suppress(OSError), open(path, "rb") as file:  # an OSError: another process is writing it
                flock(file, LOCK_EX | LOCK_NB)
                path.unlink()


def _locked(target: Path) -> tuple[int, str]:
    """The handle and name of a new temporary file beside `target`, locked."""
    while True:
        handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name}.")
        if flock is not None:
            with suppress(OSError):  # a file system without locks
                flock(handle, LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, temporary
        os.close(handle)  # removed before it was locked


def read_npz(path: str | os.PathLike[str], what: str) -> dict[str, Any]:
    """The arrays of an .npz file by name, without unpickling; `what` names the expected content.

    Raises ValueError when the file is cut short or no .npz file, and FileNotFoundError when there is none.
    """
    try:
        with open(path, "rb") as file, np.load(file, allow_pickle=False) as arrays:
            return {name: arrays[name] for name in arrays.files}
    except FileNotFoundError:
        raise
    except (OSError, ValueError, KeyError, EOFError, AttributeError, zipfile.BadZipFile) as error:
        raise ValueError(f"{path} is not {what}, or cut short ({error}): make it again.") from None
