"""Generated files of votes: `python -m tests.support.vote_files COUNT [SEED]` compares CSV, JSON and Parquet.

A table has names of any kind, gaps, votes of an item against itself, other columns, any order and size of
pieces. All formats must give the votes that a plain reading of the table gives, or the same refusal.
"""

from __future__ import annotations

import csv
import json
import sys
import tempfile
import time
import warnings
from pathlib import Path
from typing import Any, NamedTuple
from unittest import mock

import pyarrow as pa
from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st
from pyarrow import parquet

from pgames.rows import delimited, objects
from pgames.rows import parquet as parquet_rows
from pgames.votes.comparisons import Comparisons

OUTCOMES = {1: "model_a", 0: "tie", -1: "model_b"}


class Table(NamedTuple):
    """Rows of (left, right, winner, prompt), whose winner is +1, 0, -1, None for a gap or "?" for no word."""

    rows: list[tuple[Any, Any, Any, Any]]
    style: str  # how winners are written: words, names, numbers, hot
    prompts: bool
    beside: list[Any]  # values of another column


class Layout(NamedTuple):
    """How a file is written and read."""

    order: list[int]
    piece: int
    separator: str
    escaped: bool
    absent: bool  # whether a gap of JSON is a key that is not there


texts = st.text(st.characters(exclude_categories=["Cs"]), max_size=8) | st.sampled_from(
    [
        "2024-05-13",
        "2024-05-13 00:00:00",
        "nan",
        "None",
        "null",
        "1.0",
        "1",
        "left",
        "Tie",
        "a",
        "b",
        "true",
        " a",
        "a ",
    ]
)
KINDS = {
    "text": texts,
    "int": st.integers(-(2**63), 2**63 - 1),
    "id": st.integers(2**53, 2**53 + 3),
    "float": st.floats(allow_nan=False, allow_infinity=False),
    "few": st.sampled_from(["x", "y", "z", "x y", "é", "e\u0301"]),
}


@st.composite
def tables(draw: Any) -> Table:
    """Tables of up to eight votes."""
    names = draw(st.lists(KINDS[draw(st.sampled_from(sorted(KINDS)))], min_size=2, max_size=5, unique=True))
    style = draw(st.sampled_from(["words", "names", "numbers", "hot"]))
    outcomes = st.sampled_from(
        [1, 0, -1, 1, 0, -1, 1, 0, -1, None, "?"] if draw(st.booleans()) else [1, 0, -1]
    )
    item = st.sampled_from([*names, None] if draw(st.integers(0, 4)) == 0 else names)
    kind = KINDS[draw(st.sampled_from(sorted(KINDS)))]
    prompt = st.none() | kind if draw(st.integers(0, 4)) == 0 else kind
    rows = draw(st.lists(st.tuples(item, item, outcomes, prompt), min_size=1, max_size=8))
    beside = draw(st.lists(st.none() | st.integers() | texts, min_size=len(rows), max_size=len(rows)))
    return Table(rows, style, draw(st.booleans()), beside)


@st.composite
def layouts(draw: Any, rows: int) -> Layout:
    """Layouts for a table of so many rows."""
    return Layout(
        draw(st.permutations(range(rows))),
        draw(st.sampled_from([40, 200, 2**20])),
        draw(st.sampled_from([",", ";", "\t"])),
        draw(st.booleans()),
        draw(st.booleans()),
    )


def named(value: Any) -> str | None:
    """The name of a value, None for a gap."""
    return None if value is None or value == "" else str(value)


def columns(table: Table) -> dict[str, list[Any]]:
    """The columns of the table, as a file has them."""
    left, right, won, prompt = (list(column) for column in zip(*table.rows, strict=True))
    out: dict[str, list[Any]] = {"model_a": left, "beside": table.beside, "model_b": right}
    if table.style == "hot":
        for name, outcome in (("winner_model_a", 1), ("winner_model_b", -1), ("winner_tie", 0)):
            out[name] = [None if w is None else 9 if w == "?" else int(w == outcome) for w in won]
    elif table.style == "numbers":
        out["winner"] = [7 if w == "?" else w for w in won]
    else:
        by_name = table.style == "names"
        words: list[Any] = []
        for i, j, w, _ in table.rows:
            named_winner = {1: i, -1: j}.get(w)
            word = "no word" if w == "?" else None if w is None else OUTCOMES[w]
            words.append(str(named_winner) if by_name and named_winner not in (None, "") else word)
        out["winner"] = words
    if table.prompts:
        out["prompt"] = prompt
    return out


def write(folder: Path, table: Table, layout: Layout) -> list[Path]:
    """The table as CSV, JSON lines, a JSON array and Parquet."""
    data = {name: [column[n] for n in layout.order] for name, column in columns(table).items()}
    rows = [dict(zip(data, row, strict=True)) for row in zip(*data.values(), strict=True)]
    paths = [folder / name for name in ("v.csv", "v.jsonl", "v.json", "v.parquet")]
    if layout.separator == "\t":
        paths[0] = folder / "v.tsv"
    with open(paths[0], "w", encoding="utf-8", newline="") as file:
        writer = csv.writer(
            file, delimiter=layout.separator, lineterminator="\n", quoting=csv.QUOTE_NONNUMERIC
        )
        writer.writerow(data)
        writer.writerows([["" if value is None else value for value in row.values()] for row in rows])
    if layout.absent:
        rows = [{name: value for name, value in row.items() if value is not None} for row in rows]
        rows[0] = {name: rows[0].get(name) for name in data}
    said = [json.dumps(row, ensure_ascii=layout.escaped) for row in rows]
    paths[1].write_text("\n".join([*said, ""]), encoding="utf-8")
    paths[2].write_text(f"[{', '.join(said)}]", encoding="utf-8")
    arrays = {
        name: [None if v is None else str(v) for v in c] if name == "beside" else c
        for name, c in data.items()
    }
    parquet.write_table(pa.table(arrays), paths[3], row_group_size=max(layout.piece // 50, 1))
    return paths


def outcome(path: Path, layout: Layout, drop: bool) -> object:
    """The votes of a file row by row, or the refusal without the path."""
    patches = [
        mock.patch.object(delimited, "PIECE", max(layout.piece, 200)),
        mock.patch.object(objects, "PIECE", layout.piece),
        mock.patch.object(parquet_rows, "PIECE_ROWS", max(layout.piece // 40, 1)),
    ]
    with patches[0], patches[1], patches[2], warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            votes = Comparisons.read(path, drop=drop)
        except ValueError as error:
            return str(error).removeprefix(f"{path}: ")
    sides = zip(votes.left, votes.right, votes.winner, votes.prompt, strict=True)
    seen = [(votes.items[i], votes.items[j], int(w), votes.prompts[x]) for i, j, w, x in sides]
    return seen, votes.items, votes.prompts, votes.notes


def plain(table: Table, order: list[int]) -> list[tuple[str, str, int, str]] | None:
    """The votes of the table by a plain reading; None where winners or rows need a decision of the reader."""
    out = []
    for n in order:
        left, right, won, prompt = table.rows[n]
        i, j, x = named(left), named(right), named(prompt) if table.prompts else "0"
        if i is None or j is None or won in (None, "?") or x is None or i == j:
            return None
        out.append((i, j, won, x))
    wins = {row[2] for row in table.rows}
    if table.style in ("words", "names", "numbers"):
        said = {str(name) for i, j, *_ in table.rows for name in (i, j)}
        if {word.strip().lower() for word in said} & {
            "model_a",
            "model_b",
            "tie",
            "1",
            "0",
            "-1",
            "1.0",
            "0.0",
            "-1.0",
        }:
            return None  # a name is a word too
    if table.style == "numbers" and 0 in wins and -1 not in wins:
        return None  # 1 and 0 are read as left and right
    return out


def check(table: Table, layout: Layout, folder: Path) -> None:
    """Raises AssertionError when two formats, or the plain reading, disagree."""
    paths = write(folder, table, layout)
    found: list[object] = [""]
    for drop in (False, True):
        if drop and not isinstance(found[0], str):
            break  # there is nothing to drop
        found = [outcome(path, layout, drop) for path in paths]
        assert found.count(found[0]) == len(found), dict(zip([p.name for p in paths], found, strict=True))
        expected = plain(table, layout.order)
        if expected is not None:
            assert isinstance(found[0], tuple) and found[0][0] == expected, (found[0], expected)


def search(count: int, folder: Path, key: int = 0) -> None:
    """Check `count` tables that follow from the seed `key`."""

    @seed(key)
    @settings(
        max_examples=count,
        deadline=None,
        database=None,
        suppress_health_check=list(HealthCheck),
        phases=[Phase.generate, Phase.shrink],
    )
    @given(st.data())
    def agree(data: Any) -> None:
        table = data.draw(tables())
        check(table, data.draw(layouts(len(table.rows))), folder)
        tried.append(1)

    tried: list[int] = []
    begun = time.time()
    try:
        agree()
    finally:
        print(f"{len(tried)} tables in four formats, {time.time() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as where:
        search(int(sys.argv[1]), Path(where), int(sys.argv[2]) if len(sys.argv) > 2 else 0)
