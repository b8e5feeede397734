"""The folder of a command's files: it can be written, and one process writes to it at a time."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from pgames.files import remove_leftovers

try:
    import fcntl
except ImportError:  # a system without locks
    fcntl = None

LOCK = ".pgames.lock"  # in the folder, while a process holds it


def check_writable(folder: str | os.PathLike[str]) -> None:
    """Try to write to a folder, before the work whose files it takes.

    Raises OSError naming the folder when no file can be made there.
    """
    try:
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        error.filename = str(folder)
        raise


def made(folder: str | os.PathLike[str]) -> Path:
    """The folder, which is made if need be and can be written.

    Raises ValueError when it or a folder above it is a file, and OSError naming the folder when no file can
    be made there.
    """
    target = Path(folder)
    if file := next((one for one in (target, *target.parents) if one.exists() and not one.is_dir()), None):
        raise ValueError(f"{file} is a file, and a folder is needed: pass another --out.")
    target.mkdir(parents=True, exist_ok=True)
    check_writable(target)
    return target


@contextmanager
def used(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """The folder, as `made` makes it; at the end, folders made here that hold nothing are removed.

    Raises ValueError when it or a folder above it is a file, and OSError when no file can be made there.
    """
    target = Path(folder)
    fresh = [one for one in (target, *target.parents) if not one.exists()]
    try:
        yield made(target)
    finally:
        for one in fresh:
            with suppress(OSError):  # it holds files
                one.rmdir()


@contextmanager
def held(folder: str | os.PathLike[str]) -> Iterator[Path]:
    """Hold a folder inside the block: it is made if need be, and no other process holds it.

    The system gives the lock back when the process ends, however it ends. Temporary files that a killed
    process left are removed, and so are folders made here that hold nothing in the end.

    Raises ValueError when the folder is a file or another process holds it, and OSError when no file can be
    made there.
    """
    with used(folder) as target:
        handle = _locked(target / LOCK)
        remove_leftovers(target)
        try:
            yield target
        finally:
            if handle is not None:
                with suppress(OSError):
                    (target / LOCK).unlink()  # before the lock ends
                os.close(handle)


def _locked(lock: Path) -> int | None:
    """The handle of the locked file; None where the system has no locks.

    Raises ValueError when another process holds it.
    """
    while fcntl is not None:
        handle = os.open(lock, os.O_RDWR | os.O_CREAT, 0o644)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            number = os.read(handle, 40).decode(errors="replace").strip()
            os.close(handle)
            holder = f"process {number}" if number else "another process"
            raise ValueError(
                f"{lock.parent} is in use by {holder}: wait until it ends, or pass another --out."
            ) from None
        except OSError:  # a file system without locks
            return handle
        if os.fstat(handle).st_nlink:
            os.truncate(handle, 0)
            os.write(handle, f"{os.getpid()}\n".encode())
            return handle
        os.close(handle)  # removed by the process that held it
    return None
