"""log.jsonl: one row of numbers per round, also sent to the trackers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from llm_backend.runs.config import LogSettings
from llm_backend.runs.trackers import trackers
from pgames.files import atomic, named, parse_json

Row = dict[str, Any]  # JSON values by name; a dictionary inside groups several


class Log:
    """One row per round, in FOLDER/log.jsonl and in the trackers of `settings`.

    Rows of rounds after `t` are dropped: a kill lost these rounds, and they are played again. `missing` are
    the rounds up to `t` without a row.

    Raises ConfigError for a tracker that is not installed or does not start.
    """

    def __init__(self, folder: Path, settings: LogSettings, t: int, config: Mapping[str, object]):
        self.path = folder / "log.jsonl"
        kept = [row for row in rows(self.path) if row["round"] <= t]
        self.missing = sorted(set(range(1, t + 1)) - {row["round"] for row in kept})
        with atomic(self.path, "w") as file:
            file.writelines(json.dumps(row) + "\n" for row in kept)
        self._trackers = trackers(settings, folder, t, config)

    def write(self, row: Row) -> None:
        """Append a row; it is on the disk when this returns."""
        with named(self.path), open(self.path, "a", encoding="utf-8") as file:
            file.write(json.dumps(row) + "\n")
        numbers = {name: value for name, value in flattened(row).items() if name != "round"}
        for tracker in self._trackers:
            tracker.send(numbers, row["round"])

    def close(self) -> None:
        """Close the trackers, which may buffer."""
        for tracker in self._trackers:
            tracker.close()


def rows(path: Path) -> list[Row]:
    """The rows of a log by round, except lines that a kill tore and lines without the number of a round.

    Of several rows of a round the last one counts.
    """
    found: dict[int, Row] = {}
    for line in path.read_text(encoding="utf-8", errors="replace").splitlines() if path.is_file() else []:
        try:
            row = parse_json(line)
        except ValueError:
            continue
        if isinstance(row, dict) and type(row.get("round")) is int and row["round"] >= 1:
            found[row["round"]] = row
    return [found[t] for t in sorted(found)]


def flattened(row: Mapping[str, object], prefix: str = "") -> dict[str, float]:
    """Numbers by path, as in seconds/fit."""
    out: dict[str, float] = {}
    for name, value in row.items():
        if isinstance(value, Mapping):
            out |= flattened(value, f"{prefix}{name}/")
        elif isinstance(value, int | float):
            out[prefix + name] = value
    return out
