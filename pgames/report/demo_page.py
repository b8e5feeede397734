"""The output of the demo: the table for the terminal, and the page, which explains the figures."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from pgames.report.demo_runs import DUELS, ROUNDS, SAMPLED_RUNS, TAU, Line
from pgames.report.html import grid, heading, page, paragraph, picture
from pgames.report.numbers import Analysis
from pgames.report.page import report_parts

if TYPE_CHECKING:
    from rich.table import Table

COLUMNS = ("game", "solver", "tau", "rounds", "exploitability", "distance", "certificate", "CPU time")


def _rows(lines: list[Line]) -> list[list[str]]:
    return [
        [
            line.game,
            line.solver,
            f"{line.tau:g}",
            f"{ROUNDS:,}",
            f"{line.gap:.1e}",
            f"{line.distance:.1e}",
            f"{line.certificate:.1e}",
            f"{1000 * line.cpu_seconds:.0f} ms",
        ]
        for line in lines
    ]


def demo_table(lines: list[Line]) -> Table:
    """The table for the terminal: the name of each game above its solvers."""
    from rich import box
    from rich.table import Table

    table = Table(
        title="Five solvers, one loop, exact feedback",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        padding=(0, 1, 0, 0),
        pad_edge=False,
    )
    for i, column in enumerate(("game, solver", *COLUMNS[2:])):
        table.add_column(column, justify="right" if i else "left", no_wrap=True)
    game = ""
    for name, solver, *rest in _rows(lines):
        if name != game:
            table.add_row(name, style="bold")
        table.add_row(f"  {solver}", *rest)
        game = name
    return table


def demo_page(lines: list[Line], figures: dict[str, Any], numbers: Analysis, more: Sequence[str] = ()) -> str:
    """index.html, with the parts of a second half before the report."""
    parts = [
        "<h1>pgames: a tour in figures, and one report</h1>",
        paragraph(
            "A preference game is a table of the probability that one response beats another. Preferences "
            "can cycle, so there may be no best response, only a best mixture: the Nash "
            "equilibrium, which no other policy beats. Everything below was computed a moment ago on this "
            "machine.",
            "lead",
        ),
        heading("Where the solvers go"),
        picture(
            figures["simplex"],
            "Five triangles, each with the trajectory of one solver",
            "The game comal3: b beats a and c beats b nine times in ten, a beats c eight times in ten. Each "
            "corner is a policy that always gives that response. SPPO (multiplicative weights) circles "
            "outwards and ends far from the star however long it runs. Fictitious play, an average, moves "
            "slowly inwards. Nash-MD and EGPO reach the equilibrium of the game with a pull of tau = "
            f"{TAU:g} to their starting point. COMAL moves that starting point, so it reaches the "
            "equilibrium of the game itself.",
        ),
        heading("How fast"),
        picture(
            figures["convergence"],
            "Exploitability of five solvers against rounds",
            "The gain of a best response to the policy of each round, in the game that the solver solves. A "
            "straight line on these axes is a power of the number of rounds; a line that bends down is "
            "faster than any power.",
        ),
        grid(COLUMNS, _rows(lines), names=(0, 1)),
        paragraph(
            f"All after {ROUNDS:,} rounds. Exploitability and distance (total variation) refer to the game "
            "with the tau of the row; the exact equilibrium comes from a direct method that shares no "
            "code with the solvers, and the certificate is its own exploitability, computed from its policy. "
            "skill_and_cycles has 100 responses, blotto(5, 3) has 21.",
            "quiet",
        ),
        heading("With sampled win rates"),
        picture(
            figures["sampled"],
            "Exploitability with sampled feedback, with bands over runs",
            f"The same game when every win rate is the mean of {DUELS} duels: the median of {SAMPLED_RUNS} "
            "runs and the band from the 10 % to the 90 % quantile. Noise sets a floor for a constant step "
            "(EGPO); the shrinking steps of Nash-MD average it out.",
        ),
        heading("Theory and practice"),
        picture(
            figures["bound"],
            "Divergence from the equilibrium with the published bounds",
            "Kullback-Leibler divergence from the regularised equilibrium, and the bounds of the theorems. "
            "Nash-MD is far better than its bound; EGPO's bound has the right slope.",
        ),
        *more,
        "<h1>A report on votes</h1>",
        paragraph(
            "The same methods on data: simulated votes on eight invented assistants and three prompts. For "
            "votes of your own: pgames report votes.csv --out folder.",
            "lead",
        ),
        *report_parts(numbers),
    ]
    return page("pgames demo", parts)
