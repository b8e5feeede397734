"""The page of `pgames report`: the numbers of `analyse`, told to a newcomer."""

from __future__ import annotations

from html import escape
from typing import Any

import numpy as np

from pgames import plot
from pgames.games.preference import PreferenceGame
from pgames.report.html import cards, grid, heading, page, paragraph, picture

RATINGS = {"elo": "Elo", "bradley_terry": "Bradley-Terry", "win_rate": "mean win rate"}
MOST = 60  # items in a figure
FRAMED = 4  # cycles in the matrix


def report_page(numbers: dict[str, Any], title: str) -> str:
    """The HTML page for the numbers of `pgames.report.analyse.analyse`."""
    top = [f"<h1>{escape('Preference report: ' + title)}</h1>", *report_parts(numbers)]
    return page(f"Preference report: {title}", top)


def report_parts(numbers: dict[str, Any]) -> list[str]:
    """The pieces of that page, for pages that say more."""
    return [
        *_summary(numbers),
        *_ratings(numbers),
        *_top_rated(numbers),
        *_matrix(numbers),
        *(_prompts(numbers) if numbers["prompts"] else []),
        *_method(numbers),
    ]


def _summary(numbers: dict[str, Any]) -> list[str]:
    votes, share, best = numbers["votes"], numbers["transitive_share"], numbers["items"][0]
    low, high = share["under_a_perfect_ranking"]
    top = numbers["top_rated"][0]
    prompts = f"{votes['prompts']} prompts" if votes["prompts"] > 1 else "one prompt"
    facts = [
        (
            f"{best['name']}: {percent(best['nash']['probability'])}",
            f"of the Nash mixture, which plays {numbers['nash']['played']} of {votes['items']} items and is "
            "not beaten by any of them",
        ),
        (
            f"{percent(share['value'], 1)} transitive",
            "of the estimated preferences follow one ranking; votes on a perfect ranking would show "
            f"{percent(low, 1)} to {percent(high, 1)}",
        ),
        (
            f"{top['item']}: {top['exploitability']:.4f} exploitable",
            f"though first by Elo: {top['beaten_by']} is estimated to win {percent(top['win_rate'], 1)} "
            f"against it ({top['votes']:,} votes on that pair)"
            if top["beaten_by"]
            else "first by Elo, and no item is estimated to beat it",
        ),
    ]
    return [
        paragraph(
            f"{votes['count']:,} votes, {votes['items']} items, {prompts}, "
            f"{percent(votes['ties'] / votes['count'])} ties; {votes['pairs_compared']:,} of "
            f"{votes['pairs']:,} pairs were compared.",
            "lead",
        ),
        cards(facts),
    ]


def _ratings(numbers: dict[str, Any]) -> list[str]:
    items = numbers["items"]
    order = sorted(range(len(items)), key=lambda y: -items[y]["bradley_terry"]["score"])[:MOST]
    bars = {
        "Nash mixture": _bars(items, "nash", "probability", 0.0),
        "Elo": _bars(items, "elo", "score", 1000.0),
        "Bradley-Terry (Elo points)": _bars(items, "bradley_terry", "score", 0.0),
    }
    figure = plot.ratings(bars, [item["name"] for item in items], order)
    level = percent(numbers["settings"]["level"])
    cut = f" The first {MOST} of {len(items)} are drawn." if len(items) > MOST else ""
    return [
        heading("Ratings side by side"),
        picture(
            figure,
            "Bar chart of the Nash mixture, Elo and Bradley-Terry ratings of every item",
            f"Items in the order of Bradley-Terry, with {level} intervals.{cut} Elo and Bradley-Terry give "
            "one number to each item. The Nash mixture says how often to play each item so that no choice "
            "wins more than half the time against it; an item with a high rating can be absent, because "
            "another does its work, and one with a modest rating can be in it, because it beats the "
            "favourites. The mixture jumps when a preference crosses one half, so its intervals are wide and "
            "may miss the estimate. Elo depends on the order of the votes, which resampling shuffles: a bar "
            "that ends outside its interval owes its length to that order.",
        ),
        grid(
            ["item", "votes", "Nash", level, "played in", "Elo", level, "Bradley-Terry", level],
            [
                [
                    item["name"],
                    f"{item['votes']:,}",
                    f"{item['nash']['probability']:.3f}",
                    interval(item["nash"]["interval"], 3),
                    percent(item["nash"]["share_of_resamples"]),
                    f"{item['elo']['score']:.0f}",
                    interval(item["elo"]["interval"]),
                    f"{item['bradley_terry']['score']:+.0f}",
                    interval(item["bradley_terry"]["interval"], sign="+"),
                ]
                for item in items
            ],
        ),
        paragraph(
            "“Played in”: the share of resampled votes whose Nash mixture plays the item at all.", "quiet"
        ),
    ]


def _bars(items: list[dict[str, Any]], rating: str, value: str, baseline: float) -> plot.Bars:
    low, high = np.array([item[rating]["interval"] for item in items]).T
    return plot.Bars(np.array([item[rating][value] for item in items]), low, high, baseline)


def _top_rated(numbers: dict[str, Any]) -> list[str]:
    rows = [
        [
            RATINGS[top["rating"]],
            top["item"],
            f"{top['exploitability']:.4f}",
            top["beaten_by"] or "nobody",
            percent(top["win_rate"], 1) if top["beaten_by"] else "–",
            str(top["votes"]) if top["beaten_by"] else "–",
        ]
        for top in numbers["top_rated"]
    ]
    certificate = numbers["nash"]["exploitability"]
    rows.append(["Nash", "the mixture", f"{certificate:.1e}", "nobody", "–", "–"])
    return [
        heading("Is it safe to always pick the top-rated item?"),
        paragraph(
            "Exploitability is how far above one half the best answer wins. It is 0 for an item that nobody "
            "beats, and 0 up to rounding for the Nash mixture; that last number is the certificate of the "
            "solution, computed from the mixture itself."
        ),
        grid(
            ["rating", "top item", "exploitability", "best answer", "which wins", "votes on that pair"],
            rows,
            names=(0, 1, 3),
        ),
    ]


def _matrix(numbers: dict[str, Any]) -> list[str]:
    """Who beats whom; `win_rates` are in the order of the file, items in that of the mixture."""
    names = numbers["names"]
    game = PreferenceGame(numbers["win_rates"], labels=names)
    strength = {item["name"]: item["bradley_terry"]["score"] for item in numbers["items"]}
    order = sorted(range(len(names)), key=lambda y: -strength[names[y]])[:MOST]
    shown = {names[y] for y in order}
    framed = [c for c in numbers["cycles"] if set(c["items"]) <= shown][:FRAMED]
    place = {name: y for y, name in enumerate(names)}
    figure = plot.heatmap(game, order, [[place[name] for name in cycle["items"]] for cycle in framed])
    share = numbers["transitive_share"]
    low, high = share["under_a_perfect_ranking"]
    beyond = (
        "That is less than noise alone would leave: part of what a ranking cannot explain is real."
        if share["value"] < low
        else "Noise alone can leave as little: these votes are no evidence of cycles."
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
            f"One ranking explains {percent(share['value'], 1)} of the estimated preferences (the transitive "
            f"share of the Hodge decomposition). Asked as often as here, voters who follow a perfect ranking "
            f"would show {percent(low, 1)} to {percent(high, 1)}. {beyond}"
        ),
    ]
    if numbers["cycles"]:
        parts += [
            grid(
                ["cycle", "win rates", "votes", "weakest margin", "held in resamples"],
                [
                    [
                        " > ".join([*cycle["items"], cycle["items"][0]]),
                        ", ".join(f"{rate:.2f}" for rate in cycle["win_rates"]),
                        ", ".join(map(str, cycle["votes"])),
                        f"{cycle['strength']:.3f}",
                        percent(cycle["share_of_resamples"]),
                    ]
                    for cycle in numbers["cycles"]
                ],
            ),
            paragraph(
                "The cycles with the largest weakest margin. They are picked from many, so even the "
                "strongest would look weaker on new votes.",
                "quiet",
            ),
        ]
    return parts


def _prompts(numbers: dict[str, Any]) -> list[str]:
    prompts, names = numbers["prompts"], numbers["names"]
    each = prompts["each"]
    policies = np.array([[prompt["nash"].get(name, 0.0) for name in names] for prompt in each])
    policies /= policies.sum(axis=1, keepdims=True)
    figure = plot.prompts(policies[:MOST], names, [prompt["name"] for prompt in each][:MOST])
    cut = f" The first {MOST} of {len(each)} prompts are drawn." if len(each) > MOST else ""
    return [
        heading("Prompt by prompt"),
        picture(
            figure,
            "Matrix of the Nash mixture of every prompt",
            "The Nash mixture of each prompt (a column); items that no prompt plays are left out." + cut,
        ),
        paragraph(
            f"With the prompt in view the game is solved to {prompts['worst_exploitability']:.1e} on its "
            "worst prompt. Playing the one mixture above on every prompt can be beaten by "
            f"{prompts['pooled_mixture_exploitability']:.4f} on average: that is what knowing the prompt is "
            "worth, noise of few votes included."
        ),
        grid(
            ["prompt", "votes", "most played", "probability", "items played", "the one mixture loses"],
            [
                [
                    prompt["name"],
                    f"{prompt['votes']:,}",
                    next(iter(prompt["nash"])),
                    f"{next(iter(prompt['nash'].values())):.3f}",
                    str(len(prompt["nash"])),
                    f"{prompt['pooled_mixture_exploitability']:.4f}",
                ]
                for prompt in each[:MOST]
            ],
            names=(0, 2),
        ),
    ]


def _method(numbers: dict[str, Any]) -> list[str]:
    settings = numbers["settings"]
    finite = (
        f" Scores would be infinite without a prior, so every item won and lost "
        f"{settings['bradley_terry_prior']:g} votes more against an average one."
        if settings["bradley_terry_prior"]
        else ""
    )
    return [
        heading("How this was computed"),
        paragraph(
            "Win rates: the votes on each pair (a tie is half a vote), plus the prediction of Bradley-Terry "
            f"worth {settings['ranking_worth']:.3g} votes, a weight chosen by likelihood (empirical Bayes), "
            "so that pairs with few votes stay close to the ranking and pairs without votes follow it. On "
            f"each prompt, these rates are worth {settings['pooling']:g} votes."
        ),
        paragraph(
            "Nash mixture: the exact equilibrium of the symmetric game of those win rates, without "
            "regularisation, found by an interior-point method; where there are several equilibria, their "
            "centre, which plays every item that some equilibrium plays."
        ),
        paragraph(
            "Elo: online, in the order of the votes, start 1000, k = 30. Bradley-Terry: maximum likelihood, "
            f"with a robust covariance, in Elo points around 0.{finite}"
        ),
        paragraph(
            f"Intervals: {percent(settings['level'])}; of the mixture and of Elo over "
            f"{settings['resamples']} resamples of the votes (which also shuffles them), seed "
            f"{settings['seed']}. All numbers of this page are in report.json. Made by pgames "
            f"{numbers['pgames']}."
        ),
    ]


def percent(share: float, digits: int = 0) -> str:
    return f"{100 * share:.{digits}f}%"


def interval(ends: list[float], digits: int = 0, sign: str = "") -> str:
    low, high = ends
    return f"{low:{sign}.{digits}f} to {high:{sign}.{digits}f}"
