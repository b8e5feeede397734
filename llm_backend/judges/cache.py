"""Cached: answers on disk, so that no question is asked twice and a killed run resumes exactly."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llm_backend.data import identity
from llm_backend.judges.base import Judge, JudgeError, antisymmetric, ask, check_batch, fair, name_of
from pgames.files import named, parse_json


class Cached:
    """A judge whose answers are kept in `path`, an append-only JSONL file.

    A line is {"key": sha256 of prompt and both responses in a fixed order, "p": answer, "check": a digest of
    the two}. Both orders of a
    pair share one line, so P(y, z) + P(z, y) = 1 even for a judge that is not deterministic; a judge with
    `antisymmetric = False` has a line for each order. Answers are on the disk (fsync) after every `chunk`
    pairs, and answers received before a failure are kept. A line torn by a kill is skipped, and its pair is
    asked again. The first line names the judge, and says that lines have a digest ("format": 2).

    Raises ValueError for chunk < 1, a judge without a name, and a file that belongs to another judge or holds
    anything but answers. `prefer` raises JudgeError when the judge fails.
    """

    as_is = True

    def __init__(self, judge: Judge, path: str | os.PathLike[str], chunk: int = 64):
        if chunk < 1:
            raise ValueError(f"Cached: chunk must be at least 1, got {chunk}.")
        self.judge = fair(judge)
        self.name = name_of(self.judge)
        self.antisymmetric = antisymmetric(self.judge)
        if "<" in self.name:  # <lambda>, <locals>, <the class of a judge without a name>
            raise ValueError(
                f"Cached: {self.name} does not identify what its answers depend on, so they could be "
                "read back for another function: give the judge a name, as in Rule(f, name='f, version 1'), "
                "or Chat a parse function defined in a module."
            )
        self.path = Path(path)
        self.chunk = chunk
        self.hits, self.misses = 0, 0
        self._answers: dict[str, float] = {}
        self._read()

    def __len__(self) -> int:
        """The number of answers in the file."""
        return len(self._answers)

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        check_batch(prompts, firsts, seconds)
        answers = np.full(len(prompts), 0.5)
        keys: dict[int, str] = {}
        unknown: dict[str, tuple[str, str, str]] = {}
        for i, (x, y, z) in enumerate(zip(prompts, firsts, seconds, strict=True)):
            if y != z:
                item = (x, z, y) if self._reversed(y, z) else (x, y, z)
                keys[i] = key = _key(*item)
                if key not in self._answers:
                    unknown[key] = item
        self.hits += len(keys) - len(unknown)
        self.misses += len(unknown)
        new = list(unknown.items())
        for start in range(0, len(new), self.chunk):
            self._learn(new[start : start + self.chunk])
        for i, key in keys.items():
            p = self._answers[key]
            answers[i] = 1 - p if self._reversed(firsts[i], seconds[i]) else p
        return answers

    def _reversed(self, first: str, second: str) -> bool:
        """Whether this pair is stored in its other order, as one minus the answer."""
        return self.antisymmetric and second < first

    def _learn(self, items: list[tuple[str, tuple[str, str, str]]]) -> None:
        x, y, z = ([texts[k] for _, texts in items] for k in range(3))
        try:
            answers = dict(enumerate(ask(self.judge, x, y, z)))
        except JudgeError as error:
            self._write({items[i][0]: float(p) for i, p in error.answered.items()})
            raise
        self._write({items[i][0]: float(p) for i, p in answers.items()})

    def _write(self, answers: dict[str, float]) -> None:
        if answers:
            _append(
                self.path,
                [json.dumps({"key": key, "p": p, "check": _check(key, p)}) for key, p in answers.items()],
            )
            self._answers.update(answers)

    def _read(self) -> None:
        lines = self.path.read_bytes().split(b"\n") if self.path.exists() else []
        records = [record for line in lines if (record := _record(line)) is not None]
        owners = [record["judge"] for record in records if "judge" in record]
        if not owners:
            if records:
                raise ValueError(
                    f"{self.path} does not name its judge, so it is not a judge cache: use another path."
                )
            _append(self.path, [json.dumps({"judge": self.name, "format": 2})])
        elif any(owner != self.name for owner in owners):
            raise ValueError(
                f"{self.path} holds answers of {owners[0]}, not of {self.name}: use another path, "
                "or delete the file."
            )
        formats = [record.get("format", 1) for record in records if "judge" in record]
        if strange := [one for one in formats if one not in (1, 2)]:
            raise ValueError(
                f"{self.path} has format {strange[0]!r:.20}, this program reads 1 and 2: use another path."
            )
        checked = any(record.get("format") == 2 for record in records if "judge" in record)
        for record in records:
            if "judge" in record:
                continue
            key, p = record.get("key"), record.get("p")
            if not isinstance(key, str) or not isinstance(p, int | float) or not 0 <= p <= 1:
                raise ValueError(f"{self.path} holds {record}, not an answer in [0, 1]: delete that line.")
            if record.get("check", None if checked else _check(key, p)) != _check(key, p):
                raise ValueError(
                    f"{self.path} holds {record}, which has changed since it was written: delete that line."
                )
            self._answers.setdefault(key, float(p))


def _key(prompt: str, first: str, second: str) -> str:
    content = json.dumps(
        [identity(prompt), first, second]
    )  # ASCII, so that unpaired surrogates have a key too
    return hashlib.sha256(content.encode()).hexdigest()


def _check(key: str, p: float) -> str:
    """A digest of an answer, which shows a line that was changed."""
    return hashlib.sha256(f"{key} {float(p)!r}".encode()).hexdigest()[:8]


def _record(line: bytes) -> dict | None:
    """The JSON object of a line, or None if the line is torn: no proper prefix of an object is JSON."""
    try:
        record = parse_json(line)
    except ValueError:
        return None
    return record if isinstance(record, dict) else None


def _append(path: Path, lines: list[str]) -> None:
    """Append the lines in one write, after a line break if the last line is torn."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with named(path), open(path, "ab+", buffering=0) as file:
        torn = b""
        if file.seek(0, os.SEEK_END):
            file.seek(-1, os.SEEK_END)
            torn = b"" if file.read(1) == b"\n" else b"\n"
        block = memoryview(torn + "".join(line + "\n" for line in lines).encode())
        while block:
            block = block[file.write(block) :]
        os.fsync(file.fileno())
