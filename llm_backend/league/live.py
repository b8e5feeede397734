"""The page of a league while it is played: its state after the last round, in tables alone.

The page at the end (`page.py`) takes its place. Tables cost milliseconds, figures and fresh replies do not.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path
from typing import Any

from llm_backend.judges.base import name_of
from llm_backend.league.ground import Ground
from llm_backend.league.page import lineage
from llm_backend.league.players import Pool
from llm_backend.runs.logs import Row
from pgames.files import atomic

LATEST = 30  # rounds in the table of rounds
REFRESH = 20  # seconds after which an open page is read again


def write_live(folder: Path, land: Ground, rated: Pool, pool: Pool, log: Sequence[Row]) -> None:
    """Write FOLDER/page.html after a round: its leaderboard, who beats whom, the rounds so far and lineage.

    rated : the members that met in the round, with what they have won. pool : the members after it. log : the
    rows of the rounds, the last of which is this one.
    """
    from pgames.report.html import grid, heading, page, paragraph, percent

    title, names, rounds = f"League {folder.name}", list(rated.names), land.config.run.rounds
    rates = rated.met.rates[0]
    parts = [
        f"<h1>{escape(title)}</h1>",
        paragraph(
            f"Round {pool.t} of {rounds} so far, {len(names)} members, judged by "
            f"{name_of(land.parts.measured.judge)}. The page is written again after every round.",
            "lead",
        ),
        heading("Ratings on the games of training"),
        grid(
            ["member", "kind", "Elo", "settled", "win rate", "Nash", "Nash averaging", "answer"],
            [_standing(one) for one in log[-1]["leaderboard"]],
            names=(0, 1),
        ),
        paragraph(
            "Elo is the stream over all rounds. Settled is where it ends under the games of the pool, with a "
            "95 % interval. Nash is a member's weight in the Nash of all members, and Nash averaging its win "
            "rate against that Nash, less one half. Answer is its weight in the mixture that the league's "
            "meta-solver makes. Replies, best responses and the mixture that plays best are measured at the "
            "end.",
            "quiet",
        ),
        heading("Who beats whom"),
        grid(
            ["win rate of", *(f"over {name}" for name in names)],
            [
                [name, *("–" if i == j else percent(rates[i, j]) for j in range(len(names)))]
                for i, name in enumerate(names)
            ],
        )
        if len(names) > 1
        else paragraph("A league of one has no matches."),
        heading("Round by round"),
        grid(
            ["round", "leader", "settled", "mean distance of learners", "games", "what happened"],
            [_round(row) for row in reversed(log[-LATEST:])],
            names=(1, 5),
        ),
        heading("Lineage"),
        lineage(pool),
    ]
    with atomic(folder / "page.html", "w") as file:
        file.write(page(title, parts, REFRESH))


def _standing(one: Mapping[str, Any]) -> list[str]:
    return [
        one["name"],
        one["kind"],
        f"{round(one['elo'])}",
        f"{round(one['settled'])} ± {one['margin']:.0f}",
        f"{100 * one['win_rate']:.1f}%",
        f"{one['nash']:.2f}",
        f"{one['skill']:+.3f}",
        f"{one['answer']:.2f}",
    ]


def _round(row: Row) -> list[str]:
    first, apart = row["leaderboard"][0], row.get("distance")
    return [
        str(row["round"]),
        first["name"],
        f"{round(first['settled'])} ± {first['margin']:.0f}",
        "–" if apart is None else f"{apart:.3f}",
        str(row["games"]),
        " ".join(row["events"]),
    ]
