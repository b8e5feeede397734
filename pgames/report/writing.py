"""The files of a report: one page that needs no network, and one file of numbers."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pgames.files import atomic
from pgames.folders import held
from pgames.report.analyse import analyse
from pgames.report.numbers import Analysis
from pgames.report.page import report_page
from pgames.votes.comparisons import Comparisons


def write_report(
    votes: Comparisons, out: str | os.PathLike[str], title: str = "votes", resamples: int = 200, seed: int = 0
) -> tuple[Path, Path]:
    """Analyse the votes and write report.html and report.json into the folder; return their paths.

    Raises ValueError when `out` is a file or another process writes to it, and OSError when it cannot be
    written.
    """
    with held(out) as folder:
        return write_numbers(analyse(votes, resamples, seed), folder, title)


def write_numbers(numbers: Analysis, folder: Path, title: str) -> tuple[Path, Path]:
    """Write report.html and report.json into the folder; return their paths."""
    page = report_page(numbers, title).encode()
    text = json.dumps(numbers.plain(), indent=1, ensure_ascii=False, allow_nan=False).encode()
    targets = folder / "report.html", folder / "report.json"
    for target, content in zip(targets, (page, text), strict=True):
        with atomic(target) as file:
            file.write(content)
    return targets
