"""Speed of votes from a file to Bradley-Terry ratings, against pyarrow reading the same columns and no more.

The files are made here: votes between 200 items under names, one in five a tie. Every row is measured in
a process of its own, after a warm-up on a small file. "pyarrow" reads the columns by its own reader: Parquet
into dictionaries, CSV into texts, JSON with guessed types.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.ratings import ITEMS, simulate
from benchmarks.timing import ROOT, Row, folder_of, report, toy_asked

SIZES = {".parquet": (10**7, 10**8), ".csv": (10**6,), ".jsonl": (10**6,)}
WORDS = {1: "model_a", 0: "tie", -1: "model_b"}
COLUMNS = ("model_a", "model_b", "winner")
CHUNK = 10**7  # votes that are made at once
REPEATS = 3
WARM_UP = 20_000  # votes, enough for every score to be finite


def main(toy: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """Print the table and write votes.json."""
    with tempfile.TemporaryDirectory() as place:
        rows = measure(Path(place), {end: (WARM_UP,) if toy else sizes for end, sizes in SIZES.items()})
        title = f"Votes from a file to ratings of {ITEMS} items"
        return report("votes", [(title, rows)], folder_of(toy, folder))


def measure(place: Path, sizes: dict[str, tuple[int, ...]]) -> Iterator[Row]:
    """One row per file: CPU and wall seconds, peak memory, and the ratio to pyarrow alone."""
    for end, several in sizes.items():
        small = place / f"small{end}"
        make(small, WARM_UP)
        for size in several:
            path = place / f"votes{end}"
            make(path, size)
            command = [sys.executable, "-m", "benchmarks.votes", "--child", str(small), str(path)]
            done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
            found = json.loads(done.stdout.splitlines()[-1])
            ratio = found["cpu_s"] / found["pyarrow_cpu_s"]
            yield {"format": end[1:], "votes": size, "MB": path.stat().st_size / 1e6, **found, "ratio": ratio}
            path.unlink()


def make(path: Path, votes: int) -> None:
    """Write a file of so many votes, the same each time."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    names = pa.array([f"model-{i:03d}" for i in range(ITEMS)])
    words = pa.array([WORDS[won] for won in (-1, 0, 1)])
    writer: Any = None
    with open(path, "w", encoding="utf-8") as lines:
        for first in range(0, votes, CHUNK):
            left, right, winner = simulate(min(CHUNK, votes - first), seed=first // CHUNK)
            codes = (left, right, (winner + 1).astype(np.int32))
            arrays = [
                pa.DictionaryArray.from_arrays(c, v)
                for c, v in zip(codes, (names, names, words), strict=True)
            ]
            table = pa.table([array.cast(pa.string()) for array in arrays], names=list(COLUMNS))
            if path.suffix == ".jsonl":
                lines.writelines(json.dumps(row) + "\n" for row in table.to_pylist())
                continue
            if writer is None:
                kind = parquet.ParquetWriter if path.suffix == ".parquet" else csv.CSVWriter
                writer = kind(str(path), table.schema)
            writer.write_table(table)
    if writer is not None:
        writer.close()


def _child(small: Path, path: Path) -> Row:
    from pgames.ratings import bradley_terry
    from pgames.votes.comparisons import Comparisons

    def rate(file: Path) -> Any:
        return bradley_terry(Comparisons.read(file)).scores

    rate(small)
    _pyarrow(small)
    seconds = [_timed(rate, path) for _ in range(REPEATS)]
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    alone = [_timed(_pyarrow, path) for _ in range(REPEATS)]
    return {
        "cpu_s": statistics.median(cpu for cpu, _ in seconds),
        "wall_s": statistics.median(wall for _, wall in seconds),
        "peak_GB": peak / 1e9,
        "pyarrow_cpu_s": statistics.median(cpu for cpu, _ in alone),
        "cores": len(os.sched_getaffinity(0)),
    }


def _timed(call: Any, path: Path) -> tuple[float, float]:
    """(CPU seconds, wall seconds)."""
    cpu, wall = time.process_time(), time.perf_counter()
    call(path)
    return time.process_time() - cpu, time.perf_counter() - wall


def _pyarrow(path: Path) -> None:
    """Read the columns of a file and no more."""
    from pyarrow import csv, parquet
    from pyarrow import json as arrow_json

    if path.suffix == ".parquet":
        with parquet.ParquetFile(path, read_dictionary=list(COLUMNS)) as file:
            for _ in file.iter_batches(batch_size=2**20, columns=list(COLUMNS)):
                pass
    elif path.suffix == ".csv":
        csv.read_csv(path, convert_options=csv.ConvertOptions(include_columns=list(COLUMNS)))
    else:
        arrow_json.read_json(path)


if __name__ == "__main__":
    if "--child" in sys.argv:
        print(json.dumps(_child(*map(Path, sys.argv[2:]))))
    else:
        main(toy_asked())
