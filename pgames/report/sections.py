"""The sections of a report that have figures."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pgames import plot
from pgames.games.preference import PreferenceGame
from pgames.report.html import grid, heading, interval, paragraph, percent, picture
from pgames.report.numbers import Analysis, Played, Prompts, Score

MOST = 60  # items in a figure
SHOWN = 8  # items named in a sentence
FRAMED = 4  # cycles in the matrix


def ratings_section(numbers: Analysis) -> list[str]:
    items = numbers.items
    order = sorted(range(len(items)), key=lambda y: -items[y].bradley_terry.score)[:MOST]
    nash, elo, strength = zip(*((item.nash, item.elo, item.bradley_terry) for item in items), strict=True)
    bars = {
        "Nash mixture": _bars([played.probability for played in nash], nash, 0.0),
        "Elo": _bars([score.score for score in elo], elo, numbers.settings.elo_initial),
        "Bradley-Terry (Elo points)": _bars([score.score for score in strength], strength, 0.0),
    }
    figure = plot.ratings(bars, [item.name for item in items], order)
    level = percent(numbers.settings.level)
    cut = f" The first {MOST} of {len(items)} are drawn." if len(items) > MOST else ""
    return [
        heading("Ratings side by side"),
        picture(
            figure,
            "Bar chart of the Nash mixture, Elo and Bradley-Terry ratings of every item",
            f"Items in the order of Bradley-Terry, with {level} intervals.{cut} Elo and Bradley-Terry give "
            "one number to each item. The Nash mixture says how often to play each item so that no choice "
            "wins more than half the time against it. An item with a high rating can be absent, because "
            "another item beats the same rivals, and one with a modest rating can be present, because it "
            "beats the favourites. The mixture jumps when a preference crosses one half, so its intervals "
            "are wide and may miss the estimate. Elo depends on the order of the votes, which resampling "
            "shuffles: where a bar ends outside its interval, its length comes from that order.",
        ),
        grid(
            ["item", "votes", "Nash", level, "played in", "Elo", level, "Bradley-Terry", level],
            [
                [
                    item.name,
                    f"{item.votes:,}",
                    f"{item.nash.probability:.3f}",
                    interval(item.nash.interval, 3),
                    percent(item.nash.share_of_resamples),
                    f"{item.elo.score:.0f}",
                    interval(item.elo.interval),
                    f"{item.bradley_terry.score:+.0f}",
                    interval(item.bradley_terry.interval, sign="+"),
                ]
                for item in items
            ],
        ),
        paragraph(
            "“Played in”: the share of resampled votes whose Nash mixture plays the item at all.", "quiet"
        ),
    ]


def _bars(values: list[float], rated: Sequence[Played | Score], baseline: float) -> plot.Bars:
    low, high = np.array([one.interval for one in rated]).T
    return plot.Bars(np.array(values), low, high, baseline)


def matrix_section(numbers: Analysis) -> list[str]:
    """The matrix of win rates, the share that one ranking explains, and the strongest cycles."""
    names = numbers.names
    game = PreferenceGame(numbers.win_rates, labels=names)
    strength = {item.name: item.bradley_terry.score for item in numbers.items}
    order = sorted(range(len(names)), key=lambda y: -strength[names[y]])[:MOST]
    shown = {names[y] for y in order}
    framed = [c for c in numbers.cycles if set(c.items) <= shown][:FRAMED]
    place = {name: y for y, name in enumerate(names)}
    figure = plot.heatmap(game, order, [[place[name] for name in cycle.items] for cycle in framed])
    share = numbers.transitive_share
    low, high = share.under_a_perfect_ranking
    beyond = (
        "The share is below that range: part of what the ranking leaves unexplained is real."
        if share.value < low
        else "The share is not below that range, so these votes are not evidence of cycles."
    )
    parts = [
        heading("Who beats whom"),
        picture(
            figure,
            "Matrix of estimated win rates, strongest items first",
            "Estimated probability that the item of the row beats that of the column, items in the order of "
            "Bradley-Terry. If one ranking explained everything, all blue would be above the diagonal and "
            "all red below; blue below the diagonal is an upset. "
            + ("Frames mark the strongest cycles." if framed else "There is no cycle of three items."),
        ),
        paragraph(
            f"One ranking explains {percent(share.value, 1)} of the estimated preferences (the transitive "
            f"share of the Hodge decomposition). With as many votes on every pair, a perfect ranking "
            f"would show {percent(low, 1)} to {percent(high, 1)}. {beyond}"
        ),
    ]
    if numbers.cycles:
        parts += [
            grid(
                ["cycle", "win rates", "votes", "weakest margin", "held in resamples"],
                [
                    [
                        " > ".join([*cycle.items, cycle.items[0]]),
                        ", ".join(f"{rate:.2f}" for rate in cycle.win_rates),
                        ", ".join(map(str, cycle.votes)),
                        f"{cycle.strength:.3f}",
                        percent(cycle.share_of_resamples),
                    ]
                    for cycle in numbers.cycles
                ],
            ),
            paragraph(
                "The cycles with the largest weakest margin. They are selected from many, so new votes would "
                "show smaller margins.",
                "quiet",
            ),
        ]
    return parts


def prompts_section(prompts: Prompts, names: Sequence[str]) -> list[str]:
    """The mixture of every prompt, and the loss of one mixture for all prompts."""
    each = prompts.each
    policies = np.array([[prompt.nash.get(name, 0.0) for name in names] for prompt in each])
    policies /= policies.sum(axis=1, keepdims=True)
    figure = plot.prompts(policies[:MOST], names, [prompt.name for prompt in each][:MOST])
    cut = f" The first {MOST} of {len(each)} prompts are drawn." if len(each) > MOST else ""
    return [
        heading("Prompt by prompt"),
        picture(
            figure,
            "Matrix of the Nash mixture of every prompt",
            "The Nash mixture of each prompt (a column); items that no prompt plays are left out." + cut,
        ),
        paragraph(
            f"With a mixture per prompt, exploitability is at most {prompts.worst_exploitability:.1e} on any "
            "prompt. With the one mixture above on every prompt it is "
            f"{prompts.pooled_mixture_exploitability:.4f} on average. This is the value of knowing the "
            "prompt, including the noise of few votes."
        ),
        paragraph(
            "Averaged over prompts, as pgames solve prints it, these mixtures play "
            + ", ".join(f"{name} {share:.3f}" for name, share in list(prompts.average.items())[:SHOWN])
            + ("." if len(prompts.average) <= SHOWN else f" and {len(prompts.average) - SHOWN} others.")
        ),
        grid(
            ["prompt", "votes", "most played", "probability", "items played", "the one mixture loses"],
            [
                [
                    prompt.name,
                    f"{prompt.votes:,}",
                    next(iter(prompt.nash)),
                    f"{next(iter(prompt.nash.values())):.3f}",
                    str(len(prompt.nash)),
                    f"{prompt.pooled_mixture_exploitability:.4f}",
                ]
                for prompt in each[:MOST]
            ],
            names=(0, 2),
        ),
    ]
