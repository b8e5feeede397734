"""Mutated files for the readers of tables: `python -m tests.support.mutants COUNT [SEED]`.

Every file is damaged at random and read. A reader may return, or raise ValueError in one line. Anything else,
a dead process and a reading of more than 20 seconds are printed with the number that makes the file again.
"""

from __future__ import annotations

import gzip
import io
import json
import resource
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

SECONDS = 20  # that a reading may take
MEMORY = 8 * 2**30  # bytes of address space of a process
BATCH = 4000  # files a process reads

VOTES = [
    ("gpt", "llama", "model_a"),
    ("llama", "qwen", "tie"),
    ("qwen", "gpt", "both_bad"),
    ("gpt", "qwen", "1"),
]
NAMES = ("model_a", "model_b", "winner")
MATRIX = [[0.5, 0.75, 0.25], [0.25, 0.5, 0.875], [0.75, 0.125, 0.5]]
TOKENS = (
    *(
        b"null",
        b"NaN",
        b"[",
        b"]",
        b"{",
        b"}",
        b'"',
        b",",
        b";",
        b"\t",
        b"\n",
        b"\r",
        b"\x00",
        b"\xff",
        b"\xef\xbb\xbf",
    ),
    *(
        b"1e999",
        b"-1",
        b"9" * 400,
        b"\\ud800",
        b"winner",
        b"model_a",
        b"prompt",
        b"[[" * 500,
        b"PAR1",
        b"PK\x03\x04",
    ),
)


def _csv(separator: str) -> bytes:
    return "\n".join(separator.join(row) for row in [NAMES, *VOTES * 3, ""]).encode()


def _lines() -> bytes:
    rows = [
        dict(zip(NAMES, row, strict=True)) | {"prompt": n, "x": [None, 1.5]}
        for n, row in enumerate(VOTES * 3)
    ]
    return "".join(json.dumps(row) + "\n" for row in rows).encode()


def _array() -> bytes:
    return json.dumps([dict(zip(NAMES, row, strict=True)) for row in VOTES], indent=1).encode()


def _parquet(**options: Any) -> bytes:
    import pyarrow as pa
    from pyarrow import parquet

    out = io.BytesIO()
    columns = {name: list(column) for name, column in zip(NAMES, zip(*VOTES * 20, strict=True), strict=True)}
    parquet.write_table(pa.table({**columns, "prompt": list(range(80))}), out, **options)
    return out.getvalue()


def _results() -> bytes:
    rows = [("match", *NAMES), *((str(n), *row) for n, row in enumerate(VOTES))]
    return "\n".join([*map(",".join, rows), ""]).encode()


def _saved(save: Callable[..., None], *values: Any, **named: Any) -> bytes:
    out = io.BytesIO()
    save(out, *values, **named)
    return out.getvalue()


def _curve() -> bytes:
    from pgames.curves import Curve

    curve = Curve("S", np.arange(1, 8), {"gap": np.ones((2, 7)), "policy": np.ones((2, 7, 3))}, np.arange(7))
    with tempfile.TemporaryDirectory() as folder:
        curve.save(Path(folder) / "c.npz")
        return (Path(folder) / "c.npz").read_bytes()


def _matrix(separator: str, names: bool = False) -> bytes:
    rows = [separator.join(map(str, row)) for row in MATRIX]
    if names:
        rows = [
            separator.join(["", "r", "p", "s"]),
            *(f"{n}{separator}{row}" for n, row in zip("rps", rows, strict=True)),
        ]
    return "\n".join([*rows, ""]).encode()


def seeds() -> list[tuple[str, str, bytes]]:
    """(reader, end of the name, content) of whole files."""
    P = np.array(MATRIX)
    return [
        ("votes", ".csv", _csv(",")),
        ("votes", ".csv", _csv(";")),
        ("votes", ".tsv", _csv("\t")),
        ("votes", ".jsonl", _lines()),
        ("votes", ".json", _array()),
        ("votes", ".json", json.dumps({"n_items": 3, "data": [[0, 1], [2, [0, 1]], [1, 2, 0]]}).encode()),
        ("votes", ".csv.gz", gzip.compress(_csv(","))),
        ("votes", ".jsonl.gz", gzip.compress(_lines())),
        ("votes", ".parquet", _parquet()),
        ("votes", ".parquet", _parquet(row_group_size=7, compression="none")),
        ("votes", ".parquet", _parquet(use_dictionary=False, data_page_version="2.0", compression="gzip")),
        ("drop", ".csv", _csv(",")),
        ("drop", ".jsonl", _lines()),
        ("drop", ".parquet", _parquet(compression="none")),
        ("game", ".csv", _matrix(",")),
        ("game", ".csv", _matrix(";", names=True)),
        ("game", ".txt", _matrix(" ")),
        ("game", ".json", json.dumps(MATRIX).encode()),
        ("game", ".npy", _saved(np.save, P)),
        ("game", ".npz", _saved(np.savez, P=P, labels=np.array(["r", "p", "s"]))),
        ("game", ".npz", _saved(np.savez_compressed, P=P)),
        ("success", ".csv", _matrix(",")),
        ("success", ".npz", _saved(np.savez, A=P)),
        ("results", ".csv", _results()),
        ("curve", ".npz", _curve()),
    ]


def readers() -> dict[str, Callable[[Path], object]]:
    """The readers by name."""
    from pgames.cli.game_files import read_source, read_success
    from pgames.cli.results import read_results
    from pgames.curves import Curve
    from pgames.votes.comparisons import Comparisons

    return {
        "votes": Comparisons.read,
        "drop": lambda path: Comparisons.read(path, drop=True),
        "game": lambda path: read_source(path, symmetrise=False),
        "success": read_success,
        "results": read_results,
        "curve": Curve.load,
    }


def mutated(content: bytes, rng: np.random.Generator) -> bytes:
    """The content after one to four random edits."""
    data = bytearray(content)
    for _ in range(rng.integers(1, 5)):
        at = int(rng.integers(len(data) + 1))
        size = int(rng.integers(1, 17))
        kind = rng.integers(7)
        if kind == 0 and at < len(data):
            data[at] ^= 1 << int(rng.integers(8))
        elif kind == 1 and at < len(data):
            data[at] = int(rng.integers(256))
        elif kind == 2:
            del data[at : at + size]
        elif kind == 3:
            data[at:at] = TOKENS[rng.integers(len(TOKENS))]
        elif kind == 4:
            data[at:at] = data[at : at + size] * int(rng.integers(1, 4))
        elif kind == 5:
            other = int(rng.integers(len(data) + 1))
            data[at : at + size] = data[other : other + size]
        elif rng.random() < 0.3:
            del data[at:]
    return bytes(data)


def fault(read: Callable[[Path], object], path: Path) -> str | None:
    """What is wrong with how `read` takes a file, or None."""
    begun = time.perf_counter()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            read(path)
    except ValueError as error:
        if type(error) is not ValueError or "\n" in str(error) or len(str(error)) > 2000:
            return f"{type(error).__name__} of {len(str(error))} characters: {error!s:.300}"
    except Exception as error:
        return f"{type(error).__name__}: {error!s:.300}"
    if time.perf_counter() - begun > SECONDS:
        return "it takes too long"
    return None


def run(first: int, last: int, folder: Path, progress: Path | None = None) -> list[str]:
    """The faults of mutants first to last - 1; before each its number is written to `progress`."""
    files, take, faults = seeds(), readers(), []
    for number in range(first, last):
        reader, end, content = files[number % len(files)]
        path = folder / f"mutant{end}"
        path.write_bytes(mutated(content, np.random.default_rng([number, 7])))
        if progress is not None:
            progress.write_text(str(number))
            signal.alarm(3 * SECONDS)  # ends the process
        if (said := fault(take[reader], path)) is not None:
            faults.append(f"mutant {number} ({reader}{end}): {said}")
            if progress is not None:
                print(faults[-1], flush=True)
    return faults


def main(count: int, first: int = 0) -> None:
    """Read `count` mutants in processes of their own, and print the faults."""
    begun, at, dead = time.time(), first, 0
    with tempfile.TemporaryDirectory() as folder:
        progress = Path(folder) / "progress"
        while at < first + count:
            last = min(at + BATCH, first + count)
            child = [sys.executable, "-m", "tests.support.mutants", "--child", str(at), str(last), folder]
            done = subprocess.run(child, check=False)
            if done.returncode:
                dead += 1
                number = int(progress.read_text())
                print(f"mutant {number}: the process ended with {done.returncode}", flush=True)
                last = number + 1
            at = last
            print(f"{at - first} mutants, {dead} dead processes, {time.time() - begun:.0f} s", flush=True)


if __name__ == "__main__":
    if sys.argv[1] == "--child":
        resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
        where = Path(sys.argv[4])
        run(int(sys.argv[2]), int(sys.argv[3]), where, where / "progress")
    else:
        main(*map(int, sys.argv[1:]))
