"""The leaderboard of `pgames league`, printed and as JSON."""

from __future__ import annotations

import sys
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.table import Table

import pgames as pg
from pgames.cli.league_play import Exact
from pgames.ratings.leaderboard import Leaderboard
from pgames.terminal import printable


def print_board(title: str, board: Leaderboard, exact: Exact | None) -> None:
    """Print the ratings from results and, for a league that was played, what is known exactly."""
    console = Console(width=None if sys.stdout.isatty() else 160)
    table = _table(
        title, "member", "games", "rating", "95 %", "Elo stream", "even schedule", "Nash average", "share"
    )
    for i in board.order:
        low, high = board.intervals[i]
        table.add_row(
            escape(printable(board.items[i])),
            f"{board.games[i]:.0f}",
            f"{board.limit[i]:.0f}",
            f"{low:.0f} to {high:.0f}",
            f"{board.elo[i]:.0f}",
            f"{board.even[i]:.0f}",
            f"{board.nash[i]:.3f}",
            f"{board.share[i]:.2f}",
        )
    console.print(table)
    for note in board.notes:
        console.print(printable(note), highlight=False, markup=False, soft_wrap=True)
    console.print(
        "rating: where Elo settles under the schedule of these games; Nash average: margin against the Nash "
        "of the members, at most 0.",
        highlight=False,
        soft_wrap=True,
    )
    if exact is None:
        return
    table = _table(
        "Exact win rates at the end",
        *("member", "Elo while learning", "its limit", "Nash average", "share"),
        *("against all", "gap"),
    )
    for i in board.order:
        table.add_row(
            escape(printable(exact.items[i])),
            f"{exact.elo[i]:.0f}",
            f"{exact.limit[i]:.0f}",
            f"{exact.nash[i]:.4f}",
            f"{exact.share[i]:.2f}",
            f"{exact.best[i]:.2f}",
            f"{exact.gap[i]:.4f}",
        )
    console.print(table)
    console.print(
        f"gap of the Nash of the members {exact.of_nash:.4f}, of the mixture that is best against all "
        f"responses {exact.of_best:.4f}, of the best member {exact.gap.min():.4f}",
        highlight=False,
        soft_wrap=True,
    )


def written(board: Leaderboard, exact: Exact | None, configuration: dict[str, Any]) -> dict[str, Any]:
    """The leaderboard in numbers and lists, best member first."""
    members = []
    for i in board.order.tolist():
        one: dict[str, Any] = {"name": board.items[i], "games": float(board.games[i])}
        one |= {"rating": float(board.limit[i]), "interval": board.intervals[i].tolist()}
        one |= {"elo": float(board.elo[i]), "even_schedule": float(board.even[i])}
        one |= {"nash_average": float(board.nash[i]), "nash_share": float(board.share[i])}
        if exact is not None:
            names = ("elo", "limit", "nash", "share", "best", "gap")
            one["exact"] = {name: float(getattr(exact, name)[i]) for name in names}
        members.append(one)
    content = {"pgames": pg.__version__, **configuration, "members": members, "notes": list(board.notes)}
    if exact is not None:
        content |= {"gap_of_nash": exact.of_nash, "gap_against_all": exact.of_best}
    return content


def _table(title: str, first: str, *headings: str) -> Table:
    table = Table(title=escape(printable(title)), title_justify="left")
    table.add_column(first)
    for heading in headings:
        table.add_column(heading, justify="right")
    return table
