"""What a benchmark promises of the rows that it writes."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable
from pathlib import Path
from typing import Any


def check_document(found: dict[str, Any], name: str, folder: Path) -> list[dict[str, Any]]:
    """The rows of a finished benchmark, after checking its file, its environment and every number in it."""
    assert json.loads((folder / f"{name}.json").read_text()) == json.loads(json.dumps(found, default=float))
    assert found["benchmark"] == name and found["complete"]
    assert {"processor", "threads", "versions", "commit", "date"} <= set(found["environment"])
    for row in found["rows"]:
        for key, value in row.items():
            assert not isinstance(value, float) or math.isfinite(value), (key, value)
    return found["rows"]


def check_columns(rows: Iterable[dict[str, Any]], *columns: str) -> None:
    """Each row has the columns, with positive numbers in them, or says which peer is not installed."""
    for row in rows:
        if "note" in row:
            assert row["note"].startswith(("not installed", "left out"))
            continue
        for column in columns:
            assert row[column] > 0, (column, row)
