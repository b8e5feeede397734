"""Checkpoints: a folder per round, published by a single rename and verified when it is read.

ROUNDS/00003/ holds the files of the writer and manifest.json, written last, with the size and SHA-256 of
every file. The folder is filled under another name first. If a checkpoint is damaged, the run says so and
resumes from the round before, so keep at least two.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from pgames.files import named, parse_json

MANIFEST = "manifest.json"


class Checkpoint(NamedTuple):
    """An intact checkpoint: rounds played, its folder, and the notes saved with it."""

    t: int
    folder: Path
    about: dict[str, Any]


def save(
    rounds: Path, t: int, write: Callable[[Path], None], about: Mapping[str, Any], keep: int = 2
) -> Path:
    """Let `write` fill the folder of round t, then delete all but the last `keep` rounds up to t."""
    rounds.mkdir(parents=True, exist_ok=True)
    clear(rounds)
    target, temporary = rounds / f"{t:05d}", rounds / f".{t:05d}.new"
    temporary.mkdir()
    write(temporary)
    files = sorted(path for path in temporary.rglob("*") if path.is_file())
    sizes = {str(path.relative_to(temporary)): [path.stat().st_size, _sha256(path)] for path in files}
    manifest = temporary / MANIFEST
    with named(manifest):
        content = json.dumps({"round": t, "about": about, "files": sizes}, indent=1)
        manifest.write_text(content, encoding="utf-8")
    for path in (*files, manifest, *{path.parent for path in (*files, manifest)}):
        _sync(path)
    if target.exists():  # it was damaged, and its round was played again
        target.rename(rounds / f".{t:05d}.old")
    temporary.rename(target)
    _sync(rounds)
    found = _numbered(rounds)
    for folder in found:  # later rounds are damaged, or the run would have resumed from them
        if int(folder.name) > t or folder in found[found.index(target) + keep :]:
            shutil.rmtree(folder)
    clear(rounds)
    return target


def clear(rounds: Path) -> None:
    """Remove the half-written folders that a kill left."""
    for path in [*rounds.glob(".*.new"), *rounds.glob(".*.old")]:
        shutil.rmtree(path)


def intact(rounds: Path, say: Callable[[str], None]) -> Iterator[Checkpoint]:
    """The undamaged checkpoints, newest first; `say` is called with a line for every damaged one."""
    for folder in _numbered(rounds):
        try:
            yield _read(folder)
        except ValueError as error:
            say(f"{folder} is damaged ({error}); going back to the round before.")


def _read(folder: Path) -> Checkpoint:
    try:
        manifest = parse_json((folder / MANIFEST).read_text(encoding="utf-8"))
        t, about, files = manifest["round"], manifest["about"], manifest["files"]
        listed = {str(name): (int(size), str(digest)) for name, (size, digest) in files.items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError, OverflowError) as error:
        raise ValueError(f"{MANIFEST}: {type(error).__name__}: {error}") from None
    if type(t) is not int or t != int(folder.name) or not isinstance(about, dict) or not listed:
        raise ValueError(f"{MANIFEST} is not that of round {int(folder.name)} with its files")
    there = {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}
    if more := sorted(there - {MANIFEST, *listed}):
        raise ValueError(f"{more[0]} is not in {MANIFEST}")
    for name, (size, digest) in listed.items():
        path = folder / name
        if not path.is_file():
            raise ValueError(f"{name} is missing")
        if path.stat().st_size != size:
            raise ValueError(f"{name} has {path.stat().st_size} of {size} bytes")
        if _sha256(path) != digest:
            raise ValueError(f"{name} differs from its SHA-256 in the manifest")
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
        with named(path):
            os.fsync(handle)
    finally:
        os.close(handle)
