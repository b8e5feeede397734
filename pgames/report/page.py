"""The page of `pgames report`: the numbers of `analyse`, explained to a newcomer."""

from __future__ import annotations

from html import escape

from pgames.report.audited import audit_section
from pgames.report.html import cards, grid, heading, page, paragraph, percent
from pgames.report.numbers import Analysis
from pgames.report.sections import matrix_section, prompts_section, ratings_section

RATINGS = {"elo": "Elo", "bradley_terry": "Bradley-Terry", "win_rate": "mean win rate"}


def report_page(numbers: Analysis, title: str) -> str:
    """The HTML page for the numbers of `pgames.report.analyse.analyse`."""
    top = [f"<h1>{escape('Preference report: ' + title)}</h1>", *report_parts(numbers)]
    return page(f"Preference report: {title}", top)


def report_parts(numbers: Analysis) -> list[str]:
    """The sections of that page, for use in larger pages."""
    return [
        *_summary(numbers),
        *audit_section(numbers.audit),
        *ratings_section(numbers),
        *_top_rated(numbers),
        *matrix_section(numbers),
        *(prompts_section(numbers.prompts, numbers.names) if numbers.prompts else []),
        *_method(numbers),
    ]


def _summary(numbers: Analysis) -> list[str]:
    votes, share, best = numbers.votes, numbers.transitive_share, numbers.items[0]
    low, high = share.under_a_perfect_ranking
    top = numbers.top_rated[0]
    prompts = f"{votes.prompts} prompts" if votes.prompts > 1 else "one prompt"
    facts = [
        (
            f"{best.name}: {percent(best.nash.probability)}",
            f"of the Nash mixture, which plays {numbers.nash.played} of {votes.items} items and is "
            "not beaten by any of them",
        ),
        (
            f"{percent(share.value, 1)} transitive",
            "of the estimated preferences follow one ranking; votes on a perfect ranking would show "
            f"{percent(low, 1)} to {percent(high, 1)}",
        ),
        (
            f"{top.item}: {top.exploitability:.4f} exploitable",
            f"though first by Elo: {top.beaten_by} is estimated to win {percent(top.win_rate, 1)} "
            f"against it ({top.votes:,} votes on that pair)"
            if top.win_rate is not None
            else "first by Elo, and no item is estimated to beat it",
        ),
    ]
    return [
        paragraph(
            f"{votes.count:,} votes, {votes.items} items, {prompts}, "
            f"{percent(votes.ties / votes.count)} ties; {votes.pairs_compared:,} of "
            f"{votes.pairs:,} pairs were compared.",
            "lead",
        ),
        *(paragraph(f"Note: {note}", "note") for note in numbers.notes),
        cards(facts),
    ]


def _top_rated(numbers: Analysis) -> list[str]:
    rows = [
        [
            RATINGS[top.rating],
            top.item,
            f"{top.exploitability:.4f}",
            top.beaten_by or "none",
            percent(top.win_rate, 1) if top.win_rate is not None else "–",
            str(top.votes) if top.beaten_by else "–",
        ]
        for top in numbers.top_rated
    ]
    certificate = numbers.nash.exploitability
    rows.append(["Nash", "the mixture", f"{certificate:.1e}", "none", "–", "–"])
    return [
        heading("Exploitability of the top-rated item"),
        paragraph(
            "Exploitability is the win rate of the best answer minus one half. It is 0 for an item that no "
            "item beats, and 0 up to rounding for the Nash mixture; that last number is the certificate of "
            "the solution, computed from the mixture itself."
        ),
        grid(
            ["rating", "top item", "exploitability", "best answer", "its win rate", "votes on that pair"],
            rows,
            names=(0, 1, 3),
        ),
    ]


def _method(numbers: Analysis) -> list[str]:
    settings = numbers.settings
    finite = (
        f" Scores would be infinite without a prior, so every item won and lost "
        f"{settings.bradley_terry_prior:g} votes more against an average one."
        if settings.bradley_terry_prior
        else ""
    )
    return [
        heading("How this was computed"),
        paragraph(
            "Win rates (pgames.estimate, as in pgames solve): the votes on each pair (a tie is half a vote), "
            "plus the prediction of Bradley-Terry "
            f"worth {settings.ranking_worth:.3g} votes, a weight chosen by likelihood (empirical Bayes), "
            "so that pairs with few votes stay close to the ranking and pairs without votes follow it. On "
            f"each prompt, these rates are worth {settings.pooling:g} votes."
        ),
        paragraph(
            "Nash mixture: the exact equilibrium of the symmetric game of those win rates, without "
            "regularisation, found by an interior-point method; where there are several equilibria, their "
            "centre, which plays every item that some equilibrium plays."
        ),
        paragraph(
            f"Elo: online, in the order of the votes, start {settings.elo_initial:g}, "
            f"k = {settings.elo_k:g}. Bradley-Terry: maximum likelihood, in Elo points, with "
            f"{settings.anchor or 'the mean of the items'} at 0.{finite}"
            + (
                " Votes have weights, which count in the game, the mixture and Bradley-Terry; Elo and mean "
                "win rates take every vote alike."
                if settings.weighted
                else ""
            )
        ),
        paragraph(
            f"Intervals: {percent(settings.level)}. Those of Bradley-Terry are of the profile likelihood "
            "with a weak prior and half a vote of continuity correction, and hold for few votes. Those of "
            f"the mixture and of Elo are percentiles over {settings.resamples} resamples of the votes (which "
            f"also shuffles them), seed {settings.seed}; in a resample, votes on pairs with few votes get "
            "new outcomes, so that three votes that agree are not certainty. All numbers of this page are in "
            "report.json. Made by pgames "
            f"{numbers.pgames}."
        ),
    ]
