"""The terminal of a run: the phase under way on a bar, and a line per finished round."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from llm_backend.runs import board
from llm_backend.runs.logs import Row
from pgames.progress import progress

Show = Callable[[Row | None, str], None]  # (the row of a finished round, the phase under way)


@contextmanager
def shown(solver: str, rounds: int, done: int) -> Iterator[Show]:
    """Yield `show(row, phase)`, which moves the bar and prints a line for a row."""
    began = time.monotonic()
    with progress(solver, rounds, done) as bar:

        def show(row: Row | None, phase: str) -> None:
            nonlocal done
            if row is not None:
                done = row["round"]
                bar.print(f"round {done}/{rounds}  {numbers_of(row)}  {time.monotonic() - began:.1f} s")
                if row.get("leaderboard"):
                    bar.board(board.lines(row["leaderboard"]))
            bar(done, phase)

        yield show


def numbers_of(row: Row) -> str:
    """The numbers of a row that fit on a line."""
    values = ((name, read(row)) for name, read in COLUMNS.items())
    return "  ".join(f"{name} {value}" for name, value in values if value)


def _number(value: float | None) -> str:
    return "" if value is None else f"{value:.4g}"


def _estimate(value: Mapping[str, float] | None) -> str:
    return "" if value is None else f"{value['mean']:.3f} ± {value['margin']:.3f}"


def _gap(value: Mapping[str, Any] | None) -> str:
    """The bound, with the opponent that gives it, and how well the best response was trained."""
    if value is None:
        return ""
    trained = "".join(
        f", {label} {value['trained'][name]:.2g}"
        for name, label in (("share", "reached"), ("slope", "realised"))
        if name in value.get("trained", {})
    )
    by = value.get("opponent", "best response")
    return f"{_estimate(value)} by {by} (best response{trained or ' without a certificate'})"


def _share(seconds: Mapping[str, float]) -> str:
    """The share of the round's time that evaluation took."""
    whole = sum(seconds.values())
    return f"{100 * seconds['evaluate'] / whole:.0f} %" if whole and seconds.get("evaluate") else ""


COLUMNS: dict[str, Callable[[Row], str]] = {
    "success": lambda row: _number(row.get("success")),
    "attacks": lambda row: _estimate((row.get("attack_success") or {}).get("current")),
    "win rate": lambda row: _estimate(row.get("win_rate_reference")),
    "gap >=": lambda row: _gap(row.get("exploitability")),
    "KL": lambda row: _estimate(row.get("kl_reference")),
    "distance": lambda row: _number(row.get("distance")),
    "loss": lambda row: _number(row.get("loss")),
    "reached": lambda row: _number(row.get("share")),
    "realised": lambda row: _number(row.get("slope")),
    "tokens/s": lambda row: _number(row.get("tokens_per_second")),
    "length": lambda row: _number(row.get("length")),
    "truncated": lambda row: _number(row.get("truncated")),
    "evaluation": lambda row: _share(row.get("seconds") or {}),
}
