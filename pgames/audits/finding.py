"""What a probe of the audit found."""

from __future__ import annotations

from typing import NamedTuple

LEVEL = 0.01  # the false-alarm rate of a probe


class Finding(NamedTuple):
    """The answer of one probe.

    probe : its name. fires : whether something is wrong; None where the votes lack what the probe needs.
    p_value : the probability of as much by chance; None where the answer is a fact, without chance.
    line : the answer in one line, with what to do next where it fires.
    details : names with numbers, the most telling first; `measure` says what the numbers are.
    """

    probe: str
    fires: bool | None
    p_value: float | None
    line: str
    details: tuple[tuple[str, float], ...] = ()
    measure: str = ""


def not_asked(probe: str, why: str) -> Finding:
    """The finding of a probe whose columns are missing."""
    return Finding(probe, None, None, why)
