"""Atomic writes, and safe reads of JSON and .npz files."""

from __future__ import annotations

import errno
import json
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
    import fcntl
except ImportError:  # a system without locks keeps the files that a killed process left
    fcntl = None

SMALL = 64 * 2**20  # bytes that are read whatever the size of their file
GROWTH = 100  # above SMALL, the most bytes in memory for a byte of a compressed file

# the names of temporary files
LEFT = re.compile(r"\.(.+\.(json|jsonl|npz|safetensors|html|csv|png|svg|pdf)|run_id)\.[a-z0-9_]{8}")


def as_path(path: object) -> Path:
    """The path of a text or a pathlib.Path. Raises ValueError for anything else, and for a NUL character."""
    if (
        not isinstance(path, str | os.PathLike)
        or not isinstance(text := os.fspath(path), str)
        or "\0" in text
    ):
        raise ValueError(f"a path must be a text or a pathlib.Path without NUL, got {path!r:.60}.")
    return Path(text)


@contextmanager
def atomic(path: str | os.PathLike[str], mode: str = "wb", private: bool = False) -> Iterator[IO]:
    """Open a temporary file beside `path` and rename it to `path` when the block ends without an error.

    The temporary file is locked while it is written, so that `remove_leftovers` spares it. Only its owner
    reads a `private` file. An OSError of the block, such as that of a full disk, names `path`. Raises
    IsADirectoryError when `path` is a folder, and ValueError when it is no path.
    """
    target = as_path(path)
    if target.is_dir():
        raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), str(target))
    with named(target):
        target.parent.mkdir(parents=True, exist_ok=True)
        handle, temporary = _locked(target)
        try:
            with os.fdopen(handle, mode, encoding=None if "b" in mode else "utf-8") as file:
                yield file
                file.flush()
                os.fsync(file.fileno())
                os.chmod(temporary, 0o600 if private else 0o644)
                if fcntl is not None:
                    os.replace(temporary, target)  # before the lock ends
            if fcntl is None:
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
    for path in Path(folder).glob(".*"):
        if fcntl is not None and LEFT.fullmatch(path.name):
            with suppress(OSError), open(path, "rb") as file:  # an OSError: another process is writing it
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                path.unlink()


def _locked(target: Path) -> tuple[int, str]:
    """The handle and name of a new temporary file beside `target`, locked."""
    while True:
        try:
            handle, temporary = tempfile.mkstemp(dir=target.parent, prefix=f".{target.name[:200]}.")
        except OSError as error:  # the file that was asked for, not the temporary one
            error.filename = str(target)
            raise
        if fcntl is not None:
            with suppress(OSError):  # a file system without locks
                fcntl.flock(handle, fcntl.LOCK_EX)
        if os.fstat(handle).st_nlink:
            return handle, temporary
        os.close(handle)  # removed before it was locked


def parse_json(text: str | bytes, once: bool = False) -> Any:
    """The value of a JSON text.

    Raises ValueError when it is none, or nested too deep to be read; with `once`, when an object has a key
    twice.
    """
    try:
        return json.loads(text, object_pairs_hook=_once if once else None)
    except RecursionError:
        raise ValueError("it is nested too deep") from None
    except ValueError as error:
        if "set_int_max_str_digits" in str(error):
            raise ValueError("it holds a number of more than 4,000 digits") from None
        raise


def _once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise ValueError(f"the key {twice!r:.60} stands twice")
    return found


def read_npz(path: str | os.PathLike[str], what: str) -> dict[str, Any]:
    """The arrays of an .npz file by name, without unpickling; `what` names the expected content.

    Raises ValueError when the file is cut short, no .npz file, or far larger than its size on the disk, and
    FileNotFoundError when there is none.
    """
    path = as_path(path)
    if path.is_dir():
        raise ValueError(f"{path} is a folder, and {what} is needed: name a file.")
    try:
        with open(path, "rb") as file, zipfile.ZipFile(file) as archive:
            check_growth(sum(part.file_size for part in archive.infolist()), os.stat(path).st_size)
            file.seek(0)
            with np.load(file, allow_pickle=False) as arrays:
                found = {name: arrays[name] for name in arrays.files}
        if odd := [name for name, value in found.items() if not isinstance(value, np.ndarray)]:
            raise ValueError(f"{odd[0]!r:.60} is not an array")
        return found
    except FileNotFoundError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise many kinds on a damaged file
        why = f"{error}" or type(error).__name__
        raise ValueError(f"{path} is not {what}, or cut short ({why:.200}): make it again.") from None


def check_growth(content: int, stored: int) -> None:
    """Raises ValueError when `stored` bytes on the disk become far more bytes of `content` in memory."""
    if content > SMALL and content > GROWTH * stored:
        raise ValueError(
            f"its {stored / 2**20:.3g} MiB would take {content / 2**20:,.0f} MiB of memory, "
            f"{content // stored} times as much; save it uncompressed if it is meant to"
        )
