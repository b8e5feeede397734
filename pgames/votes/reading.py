"""Votes from files and from names: the columns are recognised, read as they are written, and settled."""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from pgames.extras import need
from pgames.numerics import check_bool
from pgames.rows.coded import GAP, ODD, Coded, Text, coded, text_of
from pgames.rows.delimited import DelimitedTable
from pgames.rows.opening import open_table
from pgames.rows.table import Table, reading
from pgames.votes.faults import Faults, Read, refuse_cut_end
from pgames.votes.growing import Growing
from pgames.votes.names import alike, sorted_names
from pgames.votes.recognise import Layout, recognise
from pgames.votes.settling import UNKNOWN, settle
from pgames.votes.words import SYSTEMS, WORDS, Word, number_words, plain, winner_words

MANY_PROMPTS = 1000  # prompts from which a reading says what they cost


NO_NUMBERS = np.empty(0, np.int32)


class Vocabulary(dict[str, int]):
    """Numbers of names in order of appearance."""

    def numbers(self, column: Coded) -> NDArray[np.int32]:
        """int32[K]: the number of each text of a column, -1 for one that is not a name."""
        found = [self.setdefault(text, len(self)) if isinstance(text, str) else -1 for text in column.texts]
        return np.array(found, dtype=np.int32)


class Encoder:
    """Encodes pieces of named votes; who won is settled at the end, from all rows."""

    def __init__(self, layout: Layout, rows: int | None = None):
        room = rows or 0
        self.layout = layout
        self.items, self.winners, self.prompts = Vocabulary(), Vocabulary(), Vocabulary()
        self.left, self.right = Growing(np.int32, room), Growing(np.int32, room)
        self.won = Growing(np.int8, room)  # becomes the winner
        self.prompt = Growing(np.int32, room if layout.prompt else 0)
        self.rows = 0
        self._last: dict[int, tuple[list[Text], NDArray[np.int32]]] = {}

    def add(self, columns: Sequence[Coded]) -> None:
        """Add a piece: left, right, the columns of the winner, and the prompt where there is one.

        Raises ValueError when the columns differ in length, or hold what is not a name.
        """
        sizes = [len(column.codes) for column in columns]
        if len(set(sizes)) > 1:
            lengths = ", ".join(map(str, sizes))
            raise ValueError(f"columns must have one entry per vote, got lengths {lengths}.")
        for name, column in zip(self.layout.columns, columns, strict=True):
            if ODD in column.texts:
                self._refuse_odd(name, column)
        left, right, *rest = columns
        hot = rest[: len(self.layout.winner)]
        prompt = rest[len(hot) :]
        won = hot[0] if len(hot) == 1 else _one_hot(hot, sizes[0])
        self._append(self.left, self.items, left)
        self._append(self.right, self.items, right)
        self._append(self.won, self.winners, won)
        if prompt:
            self._append(self.prompt, self.prompts, prompt[0])
        self.rows += sizes[0]

    def _append(self, column: Growing, names: Vocabulary, piece: Coded) -> None:
        """Add a piece to a column; pieces of one dictionary share their numbers."""
        texts, numbers = self._last.get(id(column), (None, NO_NUMBERS))
        if texts is not piece.texts:
            numbers = names.numbers(piece)
            self._last[id(column)] = piece.texts, numbers
        column.add(piece.codes, numbers)

    def settled(self, drop: bool, ragged: Sequence[int] = (), fault: str = "") -> Read:
        """All votes, with names in order; `ragged` are numbers of rows that were left out for a `fault`.

        Raises ValueError when a row is not a vote and `drop` is false, when no vote is left, or when a winner
        can be read in two ways.
        """
        items, place = sorted_names(self.items)
        prompts, prompt_place = sorted_names(self.prompts)
        left, right = self.left.values, self.right.values
        prompt = self.prompt.values if self.layout.prompt else np.zeros(self.rows, np.int32)
        won = self.won.values
        winner = won if won.dtype == np.int8 else np.empty(self.rows, np.int8)
        seen = np.zeros((2, 2 * SYSTEMS), np.int64)  # of words, and of words that are items in another case
        if self.layout.prompt and not prompts:
            prompt_place = np.zeros(1, np.int32)  # no row has a prompt
        tables = (np.append(place, np.int32(0)), *self._meanings(), prompt_place)
        faults = settle(left, right, won, prompt, tables, winner, seen)
        self._refuse_doubt(seen)
        found = Read(left, right, winner, items, prompt, prompts or None)
        if faults or ragged:
            bad = Faults(self.layout, found, ragged, fault, self.winners)
            if not drop:
                raise ValueError(bad.refusal())
            found = bad.left_out()
        for column in (found.left, found.right, found.winner, found.prompt):
            column.setflags(write=False)
        return found._replace(notes=(*found.notes, *alike(found.items)))

    def _meanings(self) -> tuple[NDArray, NDArray, NDArray]:
        """For each winner: its outcome and its system as a word, and the number of the item of that name."""
        others = {plain(name) for name in self.winners if name not in self.items}
        words = number_words(others) | winner_words(self.layout.left, self.layout.right)
        unknown = Word(UNKNOWN, 0)
        said = [words.get(plain(name), unknown) for name in self.winners]
        if len(self.layout.winner) != 1:  # columns of 0 and 1 name no item
            words, said = WORDS, [WORDS.get(name, unknown) for name in self.winners]
        named = [self.items.get(name, -1) if words is not WORDS else -1 for name in self.winners]
        items = {name.casefold(): number for name, number in self.items.items() if words is not WORDS}
        for k, (name, word) in enumerate(zip(self.winners, said, strict=True)):
            if named[k] < 0 and word != unknown and name.casefold() in items:
                named[k], said[k] = items[name.casefold()], Word(word.outcome, SYSTEMS + word.system)
        outcome, system = np.array(said or [unknown], dtype=np.int8).T.copy()
        return outcome, system, np.array(named or [-1], dtype=np.int32)

    def _refuse_doubt(self, seen: NDArray[np.int64]) -> None:
        """Raises ValueError when a winner that names an item is a word too, and other rows use such words."""
        both = seen[:, :SYSTEMS] + seen[:, SYSTEMS:]
        if seen[0, SYSTEMS:].any() or ((both[0] > 0) & (both[1] > 0)).any():
            words = winner_words(self.layout.left, self.layout.right) | number_words(())
            names = sorted(name for name in self.items if plain(name) in words)
            raise ValueError(
                f"winners can be read in two ways: {', '.join(map(repr, names[:4]))} are names of items and "
                "words for the side that won. Name the winner in every row, or rename these items."
            )

    def _refuse_odd(self, name: str, column: Coded) -> None:
        odd = [i for i, text in enumerate(column.texts) if text is ODD]
        if not (rows := np.flatnonzero(np.isin(column.codes, odd))).size:
            return
        remedy = "write a name or a number"
        if name == self.layout.prompt:
            remedy = (
                "pass prompt=False (--no-prompt) to read the votes without prompts, or name another column"
            )
        row = self.rows + int(rows[0]) + 1
        raise ValueError(f"column {name!r} must hold names, got {ODD.value} in row {row}: {remedy}.")


def _one_hot(columns: Sequence[Coded], rows: int) -> Coded:
    """The winner by columns of 0 and 1 for left, right and tie; by none where the left item always won."""
    if not columns:
        return Coded(np.zeros(rows, np.int32), ["left"])
    bits = [
        np.array([{"1": 1, "true": 1, "0": 0, "false": 0}.get(plain(str(t)), 9) for t in c.texts], np.int32)[
            c.codes
        ]
        for c in columns
    ]
    left, right = bits[:2]
    tie = bits[2] if len(bits) > 2 else (left + right == 0).astype(np.int32)
    good = (left + right + tie == 1) & (left < 2) & (right < 2)
    texts: list[Text] = ["left", "right", "tie", "not one column of 1"]
    return Coded(np.where(good, right + 2 * tie, 3).astype(np.int32), texts)


def read_votes(
    path: str | os.PathLike[str],
    left: str | None,
    right: str | None,
    winner: str | None,
    prompt: str | bool | None,
    drop: bool,
) -> Read:
    """The votes of a file.

    Raises ValueError, in one line that begins with the path, when the file is not readable as votes, and
    ModuleNotFoundError when a package of the extra `votes` is not installed.
    """
    need("pyarrow", "votes")
    check_bool("drop", drop)
    path = Path(path)
    table = open_table(path, drop)
    with reading(path):
        if not table.columns:
            raise ValueError("the file holds no votes: it needs at least one row.")
        layout = recognise(table.columns, left, right, winner, prompt)
        encoder, ragged = Encoder(layout, table.rows), list[int]()
        for columns in table.pieces(layout.columns, ragged if drop else None):
            encoder.add(columns)
        if not encoder.rows:
            raise ValueError("the file holds no votes: it needs at least one row.")
        if isinstance(table, DelimitedTable) and path.suffix.lower() != ".gz":
            refuse_cut_end(path, encoder.items, encoder.left.values, encoder.right.values)
        read = encoder.settled(drop, sorted(ragged), table.fault)
        return read._replace(recognised=_recognised(path, table, layout, read))


def named_votes(
    left: Sequence[Any],
    right: Sequence[Any],
    winner: Sequence[Any],
    prompt: Sequence[Any] | None,
    drop: bool,
) -> Read:
    """The votes of columns of names. Raises ValueError when a row is not a vote and `drop` is false."""
    check_bool("drop", drop)
    layout = Layout("left", "right", ("winner",), None if prompt is None else "prompt", "votes")
    encoder = Encoder(layout)
    columns = [left, right, winner, *([] if prompt is None else [prompt])]
    encoder.add([_column(column) for column in columns])
    if not encoder.rows:
        raise ValueError("there are no votes: at least one comparison is needed.")
    return encoder.settled(drop)


def _column(values: Any) -> Coded:
    """A column of Python, NumPy, pandas or pyarrow values."""
    if hasattr(values, "to_pylist"):
        values = values.to_pylist()
    elif isinstance(values, np.ndarray) or hasattr(values, "detach"):  # also a tensor of torch
        values = values.tolist()
    if isinstance(values, str | bytes):
        raise ValueError(f"a column must be a list of names, got the text {values!r:.40}.")
    table = hasattr(values, "columns") or isinstance(values, set | frozenset | dict)
    if table or not isinstance(values, Iterable):
        raise ValueError(f"a column must be a list of names, got {type(values).__name__}.")
    texts = list(values)
    if set(map(type, texts)) != {str}:  # equal values of other types, such as 1 and True, differ in text
        texts = [text_of(value) for value in texts]
    return coded(texts, lambda text: text or GAP)


def _recognised(path: Path, table: Table, layout: Layout, read: Read) -> str:
    """A line on what was recognised and read."""
    votes, items, prompts = read.winner.size, len(read.items), len(read.prompts or ())
    line = f"{path.name}: {table.kind}, {layout}: {votes} votes on {items} items"
    if not prompts:
        return f"{line}."
    return f"{line}, {prompts} prompts."
