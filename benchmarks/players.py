"""Every number that the design of roles, populations and search measured, beside ours.

It needs a checkout with the extra [dev], because it asks the functions by which the tests measure.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.timing import Row, folder_of, report, toy_asked


def main(toy: bool = False, folder: Path | None = None) -> dict[str, Any]:
    """Print a table for each section and write players.json; a row that is not met keeps its reason."""
    from benchmarks.players_list import QUESTIONS

    tables = [(f"Section {name}", _rows(questions, toy)) for name, questions in QUESTIONS.items()]
    document = report("players", tables, folder_of(toy, folder))
    rows = document["rows"]
    met = sum(row["met"] == "yes" for row in rows)
    print(f"{met} of {len(rows)} numbers are met, in {sum(row['CPU s'] for row in rows):.0f} CPU seconds.")
    return document


def _rows(questions: tuple[Any, ...], toy: bool) -> Iterator[Row]:
    for question in questions:
        start = time.process_time()
        for one in question(toy):
            met = one.low <= one.ours <= one.high
            yield {
                "number": one.what,
                "design": one.design,
                "ours": one.ours,
                "met": "yes" if met else "no",
                "CPU s": time.process_time() - start,
                **({"why": one.note} if one.note and not met else {}),
            }
            start = time.process_time()


if __name__ == "__main__":
    main(toy_asked())
