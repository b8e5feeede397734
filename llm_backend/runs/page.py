"""The page of a run: curves, the last policy beside the reference, and pairs of replies to read."""

from __future__ import annotations

import json
from collections.abc import Sequence
from html import escape
from pathlib import Path

import numpy as np

from llm_backend import constraints
from llm_backend.evaluate import over_prompts
from llm_backend.people.pairs import Question, write_questions
from llm_backend.people.sources import REPLIES
from llm_backend.runs.logs import Row
from llm_backend.runs.plot import curves
from llm_backend.runs.replies import Replies
from llm_backend.spaces.draws import Draws
from pgames.files import atomic

SHOWN = 12  # pairs of replies
BOTH = ["reference", "policy"]


def write_page(folder: Path, about: str, log: Sequence[Row], replies: Replies) -> None:
    """Write FOLDER/page.html, one self-contained file, and its numbers as FOLDER/page.json.

    The replies are written to FOLDER/replies.jsonl, pairs on which people can vote.
    """
    from pgames.report.html import heading, page, paragraph, picture

    numbers, title = summary(replies), f"Run {folder.name}"
    parts = [
        f"<h1>{escape(title)}</h1>",
        paragraph(about, "lead"),
        _cards(numbers),
        heading("Round by round"),
        picture(
            curves({folder.name: log}),
            "A panel per quantity of the log, over the rounds",
            "Bands are 95 % intervals over the draws of that round; they do not cover the choice of prompts.",
        ),
        *_by_kind(replies),
        heading("Replies"),
        _replies(replies),
        heading("Pairs to read"),
        paragraph("The first reply that each side drew; none was chosen.", "quiet"),
        _pairs(replies),
        paragraph(
            f"{len(replies.prompts)} prompts, {replies.duels} judged pairs, fresh replies of both sides. "
            "The intervals at the top of the page are 95 % and cover the choice of prompts.",
            "quiet",
        ),
    ]
    write_questions(folder / REPLIES, _questions(replies, folder.name))
    with atomic(folder / "page.json", "w") as file:
        json.dump(numbers, file, indent=1)
    with atomic(folder / "page.html", "w") as file:
        file.write(page(title, parts))


def _questions(replies: Replies, name: str) -> list[Question]:
    """The n-th reply of the reference beside the n-th of the policy, which has the name of the run."""
    ours = name if name != "reference" else "policy"
    return [
        Question.of(replies.prompts[x], (theirs, mine), ("reference", ours))
        for x, theirs, mine in zip(replies.ours.prompt, replies.theirs.texts, replies.ours.texts, strict=True)
    ]


def summary(replies: Replies) -> dict[str, object]:
    """The numbers of the page: means with the margins of their 95 % intervals, and shares by kind."""
    rate = over_prompts(replies.wins[~np.isnan(replies.wins)])
    out: dict[str, object] = {
        "win_rate_reference": {"mean": rate.mean, "margin": rate.margin},
        "duels": replies.duels,
    }
    if replies.kl is not None:
        out["kl_reference"] = {"mean": replies.kl.mean, "margin": replies.kl.margin}
    sides = {"reference": replies.theirs, "policy": replies.ours}
    out["repeats"] = {side: replies.mean(draws, _repeats) for side, draws in sides.items()}
    out["length"] = {side: _length(draws) for side, draws in sides.items()}
    out["truncated"] = {side: float(draws.truncated.mean()) for side, draws in sides.items()}
    if replies.kinds:
        out["met"] = {side: replies.mean(draws, constraints.met) for side, draws in sides.items()}
        out["on_topic"] = {side: replies.mean(draws, constraints.on_topic) for side, draws in sides.items()}
        out["met_by_kind"] = {
            kind: {side: replies.mean(draws, constraints.met, kind) for side, draws in sides.items()}
            for kind in dict.fromkeys(replies.kinds)
        }
    return out


def _cards(numbers: dict) -> str:
    from pgames.report.html import cards, interval, percent

    rate = numbers["win_rate_reference"]
    ends = max(rate["mean"] - rate["margin"], 0.0), min(rate["mean"] + rate["margin"], 1.0)
    facts = [(percent(rate["mean"], 1), f"win rate over the reference (95 %: {interval(ends, 3)})")]
    if "met" in numbers:
        met = numbers["met"]
        facts.append(
            (f"{percent(met['reference'])} → {percent(met['policy'])}", "replies that meet their constraint")
        )
    if "kl_reference" in numbers:
        kl = numbers["kl_reference"]
        facts.append((f"{kl['mean']:.2f} ± {kl['margin']:.2f}", "nats of KL to the reference"))
    facts.append((percent(numbers["repeats"]["policy"], 1), "of neighbouring words repeat"))
    return cards(facts)


def _by_kind(replies: Replies) -> list[str]:
    from pgames.report.html import grid, heading, paragraph, percent

    if not replies.kinds:
        return []
    new = {kind.name for kind in constraints.NEW}
    rows = []
    for kind in (*dict.fromkeys(replies.kinds), None):
        name = "all" if kind is None else f"{kind} (never trained)" if kind in new else kind
        at = [x for x in range(len(replies.prompts)) if kind is None or replies.kinds[x] == kind]
        shares = [
            percent(replies.mean(side, constraints.met, kind)) for side in (replies.theirs, replies.ours)
        ]
        wins = [rate for rate in replies.wins[at] if not np.isnan(rate)]
        rate = percent(float(np.mean(wins))) if wins else ""
        rows.append([name, str(len(at)), *shares, rate])
    return [
        heading("Constraints met, by kind"),
        grid(["constraint", "prompts", *BOTH, "win rate"], rows),
        paragraph("Met: a program finds the constraint met in full, by words that do not repeat.", "quiet"),
    ]


def _replies(replies: Replies) -> str:
    from pgames.report.html import grid, percent

    sides = (replies.theirs, replies.ours)
    rows = [
        ["length (tokens)", *(f"{_length(side):.1f}" for side in sides)],
        ["cut short", *(percent(float(side.truncated.mean())) for side in sides)],
        ["words that repeat", *(percent(replies.mean(side, _repeats), 1) for side in sides)],
    ]
    if replies.kinds:
        rows.append(["on the topic", *(percent(replies.mean(side, constraints.on_topic)) for side in sides)])
    return grid(["of all replies", *BOTH], rows)


def _pairs(replies: Replies) -> str:
    """One prompt of each kind, or prompts at equal distances, with the first reply of each side."""
    from pgames.report.html import grid

    X = len(replies.prompts)
    at = [replies.kinds.index(kind) for kind in dict.fromkeys(replies.kinds)] or list(range(X))
    at = [at[i] for i in np.unique(np.linspace(0, len(at) - 1, min(SHOWN, len(at))).round().astype(int))]
    rows = [[replies.prompts[x], _first(replies.theirs, x), _first(replies.ours, x)] for x in at]
    return grid(["prompt", *BOTH], rows, names=(0, 1, 2))


def _first(draws: Draws, x: int) -> str:
    i = int(np.flatnonzero(draws.prompt == x)[0])
    return draws.texts[i] + (" […]" if draws.truncated[i] else "")


def _length(draws: Draws) -> float:
    return float(np.mean([len(tokens) for tokens in draws.tokens]))


def _repeats(prompt: str, reply: str) -> float:
    return constraints.repeats(reply)
