"""The file of votes: JSON lines that `pgames report` reads, appended one at a time."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from pgames.files import atomic, named, parse_json
from pgames.votes.words import WORDS, plain

LEFT, RIGHT, TIE, BAD = "left", "right", "tie", "tie (bothbad)"
OUTCOMES = (LEFT, RIGHT, TIE, BAD)


class Vote(NamedTuple):
    """A vote, as a line of the file.

    left, right : the names of the items as they stood on the page. winner : one of OUTCOMES.
    pair : the key of the question. ticket : the number under which the page showed it.
    time : seconds since 1970. seconds : from showing the pair to the vote.
    """

    prompt: str
    left: str
    right: str
    winner: str
    voter: str
    left_text: str
    right_text: str
    pair: str
    ticket: str
    time: float
    seconds: float

    @property
    def points(self) -> float:
        """1, 1/2 or 0: what the text wins that comes first in the order of texts."""
        won = (1 + WORDS[plain(self.winner)].outcome) / 2
        return won if self.left_text <= self.right_text else 1 - won


class VoteFile:
    """A file of votes that one process appends to. Each line is on the disk (fsync) before `add` returns.

    A line that a kill has cut at the end of the file is removed; `cut` says so. Raises ValueError naming the
    line that is not a vote, and OSError when the file cannot be written.
    """

    def __init__(self, path: str | os.PathLike[str]):
        self.path = Path(path)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.cut = self._mend()
        self.votes: list[Vote] = list(read_votes(self.path)) if self.path.exists() else []

    def add(self, vote: Vote) -> None:
        """Append a vote. After an error, such as that of a full disk, the file is as it was before."""
        line = memoryview((json.dumps(vote._asdict()) + "\n").encode())
        with named(self.path), open(self.path, "ab", buffering=0) as file:
            size = file.seek(0, os.SEEK_END)
            try:
                while line:
                    line = line[file.write(line) :]
                os.fsync(file.fileno())
            except BaseException:
                os.ftruncate(file.fileno(), size)
                raise
        self.votes.append(vote)

    def remove(self, ticket: str) -> None:
        """Take a vote back: the file is written again without it, atomically."""
        kept = [vote for vote in self.votes if vote.ticket != ticket]
        with atomic(self.path, "w") as file:
            for vote in kept:
                file.write(json.dumps(vote._asdict()) + "\n")
        self.votes = kept

    def _mend(self) -> bool:
        """Remove a last line without an end; True if there was one."""
        if not self.path.exists():
            return False
        with open(self.path, "rb+") as file:
            whole = file.read().rfind(b"\n") + 1
            if whole == file.seek(0, os.SEEK_END):
                return False
            file.truncate(whole)
            os.fsync(file.fileno())
        return True


class Tail:
    """The votes of a file that another process writes; `votes()` reads what is new.

    Raises ValueError naming the line that is not a vote.
    """

    def __init__(self, path: Path):
        self._path, self._votes = path, list[Vote]()
        self._file, self._end = -1, 0  # inode, bytes that were read

    def votes(self) -> list[Vote]:
        """The votes of whole lines; a file that was written again, as by an undo, is read anew."""
        try:
            with open(self._path, "rb") as file:
                there = os.fstat(file.fileno())
                if there.st_ino != self._file or there.st_size < self._end:
                    self._votes, self._file, self._end = [], there.st_ino, 0
                file.seek(self._end)
                new = file.read()
        except FileNotFoundError:
            self._votes, self._file, self._end = [], -1, 0
            return []
        new = new[: new.rfind(b"\n") + 1]
        at = len(self._votes)
        self._votes += [
            _vote(line, f"{self._path}, line {at + i}") for i, line in enumerate(new.splitlines(), 1)
        ]
        self._end += len(new)
        return self._votes


def read_votes(path: Path) -> Iterator[Vote]:
    """The votes of a file. Raises ValueError naming the line that is not a vote of this format."""
    with open(path, "rb") as file:
        for number, line in enumerate(file, 1):
            yield _vote(line, f"{path}, line {number}")


def _vote(line: bytes, place: str) -> Vote:
    try:
        row = parse_json(line)
        if not isinstance(row, dict) or set(row) != set(Vote._fields):
            raise ValueError(f"it needs the fields {', '.join(Vote._fields)}")
        vote = Vote(**row)
        if vote.winner not in OUTCOMES:
            raise ValueError(f"winner is {vote.winner!r:.40}, need one of {', '.join(OUTCOMES)}")
        if not all(isinstance(part, str) for part in vote[:9]):
            raise ValueError("a text is missing")
        if not all(isinstance(part, int | float) for part in vote[9:]):
            raise ValueError("a number is missing")
        return vote
    except ValueError as error:
        raise ValueError(
            f"{place} is not a vote of this page ({error}): repair the line, or name another file with "
            "--votes."
        ) from None
