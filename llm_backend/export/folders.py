"""Folders that appear whole or not at all."""

from __future__ import annotations

import errno
import os
import re
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from safetensors import SafetensorError

OS_ERROR = re.compile(r"os error (\d+)")


@contextmanager
def new_folder(path: str | os.PathLike[str]) -> Iterator[Path]:
    """A temporary folder beside `path`, which becomes `path` when the block ends without an error.

    Otherwise it is removed, and an OSError, such as that of a full disk, names the file in `path`.
    Raises ValueError when `path` is a file, or a folder that is not empty.
    """
    target = Path(path)
    if target.exists() and not (target.is_dir() and not any(target.iterdir())):
        raise ValueError(f"{target} exists: pass the name of a new folder, or of an empty one.")
    target.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(dir=target.parent, prefix=f".{target.name}."))
    try:
        yield temporary
        for file in temporary.iterdir():
            file.chmod(0o644)
        temporary.chmod(0o755)
        if target.exists():
            target.rmdir()
        temporary.rename(target)
    except (OSError, SafetensorError) as error:
        raise _named(error, temporary, target) from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _named(error: OSError | SafetensorError, temporary: Path, target: Path) -> OSError:
    """The error as an OSError that names a file of the target."""
    if isinstance(error, OSError):
        number, said = error.errno, error.strerror or str(error)
    else:  # safetensors has its own class, with the system's number in its text
        found = OS_ERROR.search(str(error))
        number = int(found[1]) if found else errno.EIO
        said = os.strerror(number) if found else str(error)
        return OSError(number, said, str(target / "model.safetensors"))
    file = Path(str(error.filename)) if error.filename else None
    if file is None or not file.is_relative_to(temporary):
        written = sorted(temporary.rglob("*"), key=lambda file: file.stat().st_mtime_ns)
        file = written[-1] if written else temporary
    return OSError(number, said, str(target / file.relative_to(temporary)))
