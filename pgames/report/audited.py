"""The section of a report on the audit of its votes."""

from __future__ import annotations

from collections.abc import Sequence

from pgames.report.html import grid, heading, paragraph
from pgames.report.numbers import Probe

SHOWN = 4  # details of a probe on the page
ANSWERS = {True: "look", False: "clear", None: "not asked"}


def audit_section(probes: Sequence[Probe]) -> list[str]:
    """The answer of every probe; those that fire first."""
    order = sorted(probes, key=lambda one: {True: 0, False: 1, None: 2}[one.fires])
    fired = [one for one in probes if one.fires]
    lead = (
        f"{len(fired)} of {len(probes)} probes found something to check before the ratings are used."
        if fired
        else f"None of {len(probes)} probes found anything to check."
    )
    rows = [
        [
            one.probe,
            ANSWERS[one.fires],
            "–" if one.p_value is None else f"{one.p_value:.2g}",
            one.line,
            _details(one) if one.fires else "",
        ]
        for one in order
    ]
    return [
        heading("Audit of the votes"),
        paragraph(lead),
        grid(["probe", "answer", "p", "in words", "most telling"], rows, names=(0, 1, 3, 4)),
        paragraph(
            "Each probe with a p-value answers “look” with a probability of about 1% when nothing is wrong. "
            "“Not asked” means that the votes lack a column that the probe needs.",
            "quiet",
        ),
    ]


def _details(probe: Probe) -> str:
    shown = list(probe.details.items())[:SHOWN]
    if not shown:
        return ""
    return f"{probe.measure}: " + ", ".join(f"{name} {value:.3g}" for name, value in shown)
