"""Votes from CSV, JSON lines and Parquet files, read in pieces."""

from __future__ import annotations

import csv as plain_csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgames.extras import need
from pgames.rows import READERS
from pgames.votes.words import winner_words

NAMED = 2  # marks a winner that is given by the item's name


class Encoder:
    """Encodes pieces of named votes as integer columns; names are sorted at the end."""

    def __init__(self, left: str, right: str, winner: str, prompt: str | None):
        self.names = (left, right, winner, prompt)
        self.items: dict[str, int] = {}
        self.prompts: dict[str, int] = {}
        self.pieces: list[tuple[NDArray, ...]] = []
        self.rows = 0

    def add(self, left: Any, right: Any, winner: Any, prompt: Any = None) -> None:
        """Add votes: sequences of str or pyarrow arrays of one length.

        Raises ValueError, naming the row, when a row is not a vote.
        """
        i = self._encode(self.names[0], left, self.items)
        j = self._encode(self.names[1], right, self.items)
        if not len(i) == len(j) == len(winner):
            raise ValueError(
                f"columns must have one entry per vote, got lengths {len(i)}, {len(j)} and {len(winner)}."
            )
        won = self._outcomes(winner, i, j)
        self._refuse_self_votes(i, j)
        if self.names[3] is None:
            x = np.zeros(len(i), np.int32)
        else:
            x = self._encode(self.names[3], prompt, self.prompts)
        self.pieces.append((i, j, won, x))
        self.rows += len(i)

    def columns(self) -> tuple[NDArray, NDArray, NDArray, tuple[str, ...], NDArray, tuple[str, ...] | None]:
        """The columns of Comparisons: left, right int32[N], winner int8[N], items, prompt int32[N], prompts.

        Raises ValueError when there are no votes.
        """
        if not self.rows:
            raise ValueError("there are no votes: at least one comparison is needed.")
        left, right, winner, prompt = (np.concatenate(column) for column in zip(*self.pieces, strict=True))
        self.pieces.clear()
        items, place = _sorted(self.items)
        prompts, prompt_place = _sorted(self.prompts)
        if not prompts:
            return place[left], place[right], winner, items, prompt, None
        return place[left], place[right], winner, items, prompt_place[prompt], prompts

    def _encode(self, name: str, values: Any, vocabulary: dict[str, int]) -> NDArray[np.int32]:
        codes, names = self._dictionary(name, values)
        numbers = [vocabulary.setdefault(value, len(vocabulary)) for value in names]
        return np.array(numbers, dtype=np.int32)[codes]

    def _dictionary(self, name: str, values: Any) -> tuple[NDArray, list[str]]:
        """(codes, distinct values) of a column of strings without gaps."""
        pa = need("pyarrow", "votes")
        column = values if isinstance(values, pa.Array) else pa.array([str(value) for value in values])
        try:
            column = column.cast(pa.string())
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            raise ValueError(f"column {name!r} must hold names, got {column.type}.") from None
        encoded = column.dictionary_encode()
        names = encoded.dictionary.to_pylist()
        codes = encoded.indices.fill_null(len(names)).to_numpy(zero_copy_only=False)
        empty = names.index("") if "" in names else len(names)
        if (missing := codes == empty).any():
            raise ValueError(f"column {name!r} is empty in row {self.rows + int(np.argmax(missing)) + 1}.")
        return codes, names

    def _outcomes(self, values: Any, left: NDArray, right: NDArray) -> NDArray[np.int8]:
        codes, names = self._dictionary(self.names[2], values)
        words = winner_words(*self.names[:2])
        outcome = np.array([words.get(name.strip().lower(), NAMED) for name in names], dtype=np.int8)[codes]
        named = np.flatnonzero(outcome == NAMED)
        if named.size:
            who = np.array([self.items.get(name, -1) for name in names], dtype=np.int32)[codes[named]]
            outcome[named[who == left[named]]] = 1
            outcome[named[who == right[named]]] = -1
            if (bad := np.flatnonzero(outcome == NAMED)).size:
                row = int(bad[0])
                item = list(self.items)
                raise ValueError(
                    f"winner in row {self.rows + row + 1} is unknown: got {names[codes[row]]!r}, "
                    f"need left, right, tie, {item[left[row]]!r} or {item[right[row]]!r}."
                )
        return outcome

    def _refuse_self_votes(self, left: NDArray, right: NDArray) -> None:
        if (bad := np.flatnonzero(left == right)).size:
            row = int(bad[0])
            name = list(self.items)[left[row]]
            raise ValueError(f"row {self.rows + row + 1} compares {name!r} with itself: drop that row.")


def read_votes(path: str | os.PathLike[str], left: str, right: str, winner: str, prompt: str | None) -> tuple:
    """The arguments of Comparisons, from a file.

    Raises ValueError, in one line that begins with the path, when the file is not readable as votes, and
    ModuleNotFoundError when pyarrow is not installed.
    """
    pa = need("pyarrow", "votes")
    path = Path(path)
    reader = READERS.get(path.suffix.lower())
    try:
        if reader is None:
            raise ValueError(f"cannot tell the format from {path.suffix!r}: need {', '.join(READERS)}.")
        if not path.is_file():
            raise ValueError("no such file.")
        if path.stat().st_size == 0:
            raise ValueError("the file is empty: it needs a header and at least one vote.")
        encoder = None
        for columns, piece in reader(path, _Columns([left, right, winner], prompt)):
            encoder = encoder or Encoder(left, right, winner, columns[3] if len(columns) > 3 else None)
            encoder.add(*piece)
        if encoder is None or not encoder.rows:
            raise ValueError("the file holds no votes: it needs at least one row.")
        if path.suffix.lower() == ".csv":
            _refuse_cut_end(path, encoder)
        return encoder.columns()
    except (pa.ArrowException, plain_csv.Error, UnicodeDecodeError, OSError) as error:
        message = " ".join(str(error).split())
        raise ValueError(f"{path}: not readable as {path.suffix[1:]}, cut or damaged? {message}") from None
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None


class _Columns:
    """The columns to read: those asked for, and "prompt" where the first piece has it."""

    def __init__(self, columns: list[str], prompt: str | None):
        self.wanted = [*columns, prompt] if prompt is not None else columns
        self.optional = prompt is None

    def __call__(self, found: Sequence[str]) -> list[str]:
        if twice := [name for name in self.wanted if list(found).count(name) > 1]:
            raise ValueError(f"column {twice[0]!r} is there twice: keep one of them.")
        if missing := [name for name in self.wanted if name not in found]:
            raise ValueError(f"no column {missing[0]!r}; the file has {', '.join(map(repr, found))}.")
        if self.optional and "prompt" in found:
            self.wanted = [*self.wanted, "prompt"]
        self.optional = False
        return self.wanted


def _refuse_cut_end(path: Path, encoder: Encoder) -> None:
    """Raises ValueError when the last line is cut.

    Such a line has no newline, and it ends inside quotes or in a name that occurs once and is a prefix of
    another.
    """
    with open(path, "rb") as file:
        file.seek(max(path.stat().st_size - 2**16, 0))
        last_line = file.read().splitlines(keepends=True)[-1]
    if last_line.endswith((b"\n", b"\r")):
        return
    if last_line.count(b'"') % 2:
        raise ValueError("the last row ends within quotes: the file is cut.")
    last = encoder.pieces[-1]
    for item in (int(last[0][-1]), int(last[1][-1])):
        seen = sum(np.count_nonzero(i == item) + np.count_nonzero(j == item) for i, j, _, _ in encoder.pieces)
        name = list(encoder.items)[item]
        if seen == 1 and any(other != name and other.startswith(name) for other in encoder.items):
            raise ValueError(
                f"the last row has no end of line and names {name!r}, which occurs nowhere else and begins "
                "another name: the file looks cut. End it with a newline if it is whole."
            )


def _sorted(vocabulary: dict[str, int]) -> tuple[tuple[str, ...], NDArray[np.int32]]:
    """The names in order (decimal names by value), and the place of each number among them."""
    numeric = all(name.isdecimal() for name in vocabulary)
    names = sorted(vocabulary, key=lambda name: (int(name), name) if numeric else (0, name))
    place = np.empty(len(names), dtype=np.int32)
    place[[vocabulary[name] for name in names]] = np.arange(len(names))
    return tuple(names), place
