"""The page of a league: one self-contained file with its ratings, lineage, matches and transcripts."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

import numpy as np

from llm_backend.judges.base import name_of
from llm_backend.league import ratings
from llm_backend.league.figures import over_rounds, who_beats_whom
from llm_backend.league.final import Final
from llm_backend.league.ground import Ground
from llm_backend.league.players import Pool
from llm_backend.runs.logs import Row
from llm_backend.spaces.draws import Draws
from pgames.files import atomic

SHOWN = 8  # prompts with transcripts
PROMPTS = 24  # rows of the table of prompts
FACED = 4  # members whose replies stand beside each other


def write_page(folder: Path, land: Ground, pool: Pool, log: Sequence[Row], final: Final) -> None:
    """Write FOLDER/page.html, one self-contained file, and its numbers as FOLDER/page.json."""
    from pgames.report.html import heading, page, paragraph, picture

    numbers, title = summary(final), f"League {folder.name}"
    about = f"{len(pool.members)} members, {pool.t} rounds, judged by {name_of(land.parts.measured.judge)}"
    names = list(final.rated.names)
    parts = [
        f"<h1>{escape(title)}</h1>",
        paragraph(about, "lead"),
        _cards(numbers),
        heading("Ratings on the measured prompts"),
        _leaderboard(final),
        paragraph(
            "Elo is the stream over all rounds of training. Settled is where such a stream ends under the "
            "games on the measured prompts, with a 95 % interval. Nash is a member's weight in the Nash of "
            "all members, and Nash averaging its win rate against that Nash, less one half. Answer is its "
            "weight in the mixture that the league's meta-solver makes. Best is its weight in the mixture "
            "that plays best against every reply.",
            "quiet",
        ),
        heading("Round by round"),
        picture(
            over_rounds(log),
            "Elo, its limit, and the mean distance of learners, over the rounds",
            "Ratings before the fits of a round, on the games of training. The limit is under the games of "
            "the round. Distance is the mean total variation between learners, estimated from one reply of "
            "each to two prompts.",
        ),
        heading("Who beats whom"),
        picture(
            who_beats_whom(final.rated.met.known(names)[0], names),
            "The win rate of the row against the column",
            f"Games on the measured prompts, {_games(final)} a pair.",
        )
        if len(names) > 1
        else paragraph("A league of one has no matches."),
        *_by_prompt(land, final),
        heading("Lineage"),
        lineage(pool),
        *_missing(final),
        heading("Best responses"),
        _responses(final),
        heading("Transcripts"),
        paragraph("The first reply that each drew; none was chosen.", "quiet"),
        _transcripts(land, final),
    ]
    with atomic(folder / "page.json", "w") as file:
        json.dump(numbers, file, indent=1)
    with atomic(folder / "page.html", "w") as file:
        file.write(page(title, parts))


def summary(final: Final) -> dict[str, Any]:
    """The numbers of the page as JSON values."""
    names = final.rated.names
    return {
        "standings": ratings.row(final.standings),
        "members": list(names),
        "win_rates": np.round(final.rated.met.rates[0], 4).tolist(),
        "best": {name: float(w) for name, w in zip(names, final.best, strict=True) if w > 0},
        "answer": {name: float(w) for name, w in zip(names, final.weights, strict=True) if w > 0},
        "exploitability": final.exploitability,
        "best_responses": {
            one.opponent: {"mean": one.rate.mean, "margin": one.rate.margin, "reached": one.reached}
            for one in final.responses
        },
        "win_rate_base": final.over_base and final.over_base._asdict(),
    }


def _cards(numbers: dict[str, Any]) -> str:
    from pgames.report.html import cards, percent

    gaps, found = numbers["exploitability"], numbers["best_responses"]
    first = numbers["standings"][0]
    facts = [(first["name"], f"leads, rated {first['settled']:.0f} ± {first['margin']:.0f}")]
    if (over := numbers["win_rate_base"]) is not None:
        facts.append(
            (
                percent(over["mean"], 1),
                f"win rate of the best mixture over the base (± {percent(over['margin'], 1)})",
            )
        )
    if gaps:
        facts.append(
            (
                f"{gaps['best']:.3f}",
                f"exploitability of the best mixture among all replies; best member {gaps['member']:.3f}",
            )
        )
    for name, label in (
        ("final", "the best mixture"),
        ("base", "the base"),
    ):
        if name in found:
            one = found[name]
            facts.append(
                (
                    percent(one["mean"], 1),
                    f"win rate of a best response trained against {label} (± {percent(one['margin'], 1)})",
                )
            )
    return cards(facts)


def _leaderboard(final: Final) -> str:
    from pgames.report.html import grid, percent

    best = dict(zip(final.rated.names, final.best, strict=True))
    return grid(
        ["member", "kind", "Elo", "settled", "win rate", "Nash", "Nash averaging", "answer", "best"],
        [
            [
                one.name,
                one.kind,
                f"{round(one.elo)}",
                f"{round(one.settled)} ± {one.margin:.0f}",
                percent(one.win_rate, 1),
                f"{one.nash:.2f}",
                f"{one.skill:+.3f}",
                f"{one.answer:.2f}",
                f"{best[one.name]:.2f}",
            ]
            for one in final.standings
        ],
        names=(0, 1),
    )


def _by_prompt(land: Ground, final: Final) -> list[str]:
    """The mean win rate of every member on each prompt."""
    from pgames.report.html import grid, heading, paragraph, percent

    names = final.rated.names
    if len(names) < 2:
        return []
    rates = final.results.by_prompt  # float64[X, K, K]
    played = (~np.isnan(rates)).sum(axis=2)
    mean = np.nansum(rates, axis=2) / np.maximum(played, 1)
    some = np.unique(np.linspace(0, len(mean) - 1, min(PROMPTS, len(mean))).round().astype(int))
    prompts = land.homes[0].measured.prompts
    rows = [[prompts[x], *(percent(v) for v in mean[x])] for x in some]
    return [
        heading("Who wins on which prompt"),
        grid(["prompt", *names], rows),
        paragraph(
            f"{len(some)} of {len(mean)} prompts, at equal distances; win rates over all others.", "quiet"
        ),
    ]


def _missing(final: Final) -> list[str]:
    """A line where verdicts are missing."""
    from pgames.report.html import paragraph

    if not final.missing:
        return []
    return [
        paragraph(
            f"The judge gave no verdict on {final.missing} pairs of replies, so the game of all replies is "
            "not known, nor the mixture that plays best in it. The answer of the league stands in its place."
        )
    ]


def lineage(pool: Pool) -> str:
    """The members with whom they come from, as a table of HTML."""
    from pgames.report.html import grid

    return grid(
        ["member", "kind", "from", "since round", "started again"],
        [[one.name, one.kind, one.parent or "–", str(one.since), str(one.resets)] for one in pool.members],
        names=(0, 1, 2),
    )


def _responses(final: Final) -> str:
    from pgames.report.html import grid, paragraph, percent

    if not final.responses:
        return paragraph("None was trained: the best mixture has no member of the first base.")
    rows = [
        [
            {"final": "the best mixture of the league", "base": "the base"}[one.opponent],
            f"{percent(one.rate.mean, 1)} ± {percent(one.rate.margin, 1)}",
            "–" if one.reached is None else f"{one.reached:.2f}",
        ]
        for one in final.responses
    ]
    table = grid(["best response to", "its win rate against it", "reached of its target"], rows)
    return table + paragraph(
        "Both are trained from the base with one step on as many draws, and measured on fresh replies to the "
        "measured prompts. The intervals cover the choice of prompts.",
        "quiet",
    )


def _transcripts(land: Ground, final: Final) -> str:
    """Replies of the members with the largest weights in the best mixture, then of the best rated."""
    from pgames.report.html import grid

    order = [final.rated.index(one.name) for one in final.standings]
    weighted = sorted((i for i in order if final.best[i] > 0), key=lambda i: -final.best[i])
    faced = list(dict.fromkeys([*weighted, *order]))[:FACED]
    prompts = land.homes[0].measured.prompts
    some = np.unique(np.linspace(0, len(prompts) - 1, min(SHOWN, len(prompts))).round().astype(int))
    rows = [[prompts[x], *(_first(final.draws[i], int(x)) for i in faced)] for x in some]
    return grid(["prompt", *(final.rated.names[i] for i in faced)], rows, names=tuple(range(len(faced) + 1)))


def _games(final: Final) -> str:
    """The games of a pair: one number, or the fewest and the most."""
    games = final.results.met.games[0]
    found = games[np.triu_indices(len(games), 1)].astype(int)
    return f"{found.min()}" if found.min() == found.max() else f"{found.min()} to {found.max()}"


def _first(draws: Draws, x: int) -> str:
    rows = np.flatnonzero(draws.prompt == x)
    if not len(rows):
        return "–"
    return draws.texts[rows[0]] + (" […]" if draws.truncated[rows[0]] else "")
