"""Checkpoints: a folder per round that appears whole or not at all, and is told from one cut in the middle.

ROUNDS/00003/ holds what the writer put there and manifest.json, written last, with the size and SHA-256 of
every file. The folder is filled under another name and takes its own by one rename.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

MANIFEST = "manifest.json"


class Checkpoint(NamedTuple):
    """A whole checkpoint: rounds done, its folder, and what was noted with it."""

    t: int
    folder: Path
    about: dict[str, Any]


def save(
    rounds: Path, t: int, write: Callable[[Path], None], about: Mapping[str, Any], keep: int = 2
) -> Path:
    """Let `write` fill the folder of round t, then forget all but the last `keep` rounds up to t."""
    rounds.mkdir(parents=True, exist_ok=True)
    clear(rounds)
    target, temporary = rounds / f"{t:05d}", rounds / f".{t:05d}.new"
    temporary.mkdir()
    write(temporary)
    files = sorted(path for path in temporary.rglob("*") if path.is_file())
    noted = {str(path.relative_to(temporary)): [path.stat().st_size, _sha256(path)] for path in files}
    manifest = temporary / MANIFEST
    manifest.write_text(json.dumps({"round": t, "about": about, "files": noted}, indent=1), encoding="utf-8")
    for path in (*files, manifest, *{path.parent for path in (*files, manifest)}):
        _sync(path)
    if target.exists():  # a damaged one, done again
        target.rename(rounds / f".{t:05d}.old")
    temporary.rename(target)
    _sync(rounds)
    found = _numbered(rounds)
    for folder in found:  # later rounds were damaged, or the run would have gone on from them
        if int(folder.name) > t or folder in found[found.index(target) + keep :]:
            shutil.rmtree(folder)
    clear(rounds)
    return target


def clear(rounds: Path) -> None:
    """Remove what a kill left half-written."""
    for path in [*rounds.glob(".*.new"), *rounds.glob(".*.old")]:
        shutil.rmtree(path)


def whole(rounds: Path, say: Callable[[str], None]) -> Iterator[Checkpoint]:
    """The checkpoints that are as they were written, newest first; `say` is told of every one that is not."""
    for folder in _numbered(rounds):
        try:
            yield _read(folder)
        except ValueError as error:
            say(f"{folder} is damaged ({error}); going back to the round before.")


def _read(folder: Path) -> Checkpoint:
    try:
        manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        t, about, files = manifest["round"], manifest["about"], manifest["files"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{MANIFEST}: {error}") from None
    for name, (size, digest) in files.items():
        path = folder / name
        if not path.is_file():
            raise ValueError(f"{name} is missing")
        if path.stat().st_size != size:
            raise ValueError(f"{name} has {path.stat().st_size} of {size} bytes")
        if _sha256(path) != digest:
            raise ValueError(f"{name} is not what was written")
    return Checkpoint(t, folder, about)


def _numbered(rounds: Path) -> list[Path]:
    """The folders of rounds, newest first."""
    found = [path for path in rounds.glob("[0-9]*") if path.name.isdecimal() and path.is_dir()]
    return sorted(found, key=lambda path: int(path.name), reverse=True)


def _sha256(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(path: Path) -> None:
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
