"""The voters of a file of votes, kept on the disk: names, shown pairs, and what can be undone."""

from __future__ import annotations

import json
import secrets
import unicodedata
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import NamedTuple

from pgames.files import atomic, parse_json

LONGEST_NAME = 40  # characters
MOST = 200  # voters of a file
UNDOABLE = 50  # last votes and skips of a voter that can be undone


class Shown(NamedTuple):
    """A pair on a voter's page. swapped : the second text stands left. repeat : it was voted on before."""

    pair: str
    ticket: str
    swapped: bool
    repeat: bool
    since: float


class Done(NamedTuple):
    """A vote ("vote", "repeat") or a skip ("skip") of a shown pair."""

    kind: str
    shown: Shown


@dataclass
class Voter:
    """A voter: the name as first written, the shown pair, and what was done last."""

    name: str
    current: Shown | None = None
    done: list[Done] = field(default_factory=list)
    skipped: list[str] = field(default_factory=list)
    number: int = 0  # of pairs shown so far


class Voters:
    """Voters by the `identity` of their names, and the key that admits a page; kept in a file.

    Raises ValueError when the file is damaged.
    """

    def __init__(self, path: Path):
        self._path = path
        self.key = secrets.token_urlsafe(18)
        self.all: dict[str, Voter] = {}
        if path.exists():
            self._read()
        self.save()

    def save(self) -> None:
        """Write the file, atomically and readable by its owner alone."""
        voters = {name: asdict(voter) for name, voter in self.all.items()}
        with atomic(self._path, "w", private=True) as file:
            json.dump({"format": 1, "key": self.key, "voters": voters}, file)

    def _read(self) -> None:
        try:
            there = parse_json(self._path.read_text(encoding="utf-8"))
            if there["format"] != 1:
                raise ValueError(f"its format is {there['format']!r:.20}, not 1")
            self.key = str(there["key"])
            self.all = {name: _voter(row) for name, row in there["voters"].items()}
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            why = f"{type(error).__name__}: {error}"
            raise ValueError(
                f"{self._path} is damaged ({why:.100}): remove it. Votes are not in it; voters enter again."
            ) from None


def identity(name: str) -> str:
    """The name without differences of case, spaces and code: one voter has one."""
    return " ".join(unicodedata.normalize("NFKC", name).casefold().split())


def _voter(row: dict) -> Voter:
    current = None if row["current"] is None else Shown(*row["current"])
    done = [Done(kind, Shown(*shown)) for kind, shown in row["done"]]
    return Voter(str(row["name"]), current, done, list(row["skipped"]), int(row["number"]))
