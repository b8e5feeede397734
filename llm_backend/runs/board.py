"""The leaderboard as lines of text."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

SHOWN = 16  # rows


def lines(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """A table of a league's leaderboard, best first."""
    width = max(len(str(one["name"])) for one in rows[:SHOWN])
    head = f"{'':>3} {'member':<{width}}  {'kind':<9}{'Elo':>7}{'settled':>14}"
    found = [f"{head}{'wins':>7}{'Nash':>7}{'answer':>8}"]
    for rank, one in enumerate(rows[:SHOWN], start=1):
        rating = f"{one['settled']:.0f} ± {one['margin']:.0f}"
        found.append(
            f"{rank:>3} {one['name']:<{width}}  {one['kind']:<9}{one['elo']:>7.0f}{rating:>14}"
            f"{100 * one['win_rate']:>6.0f}%{one['nash']:>7.2f}{one['answer']:>8.2f}"
        )
    if len(rows) > SHOWN:
        found.append(f"    and {len(rows) - SHOWN} more")
    return found
