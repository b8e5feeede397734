"""Equilibria to double precision, each with a certificate computed from its policy alone."""

from pgames.exact.certificates import best_response, duality_gap, exploitability
from pgames.exact.equilibrium import Equilibrium, nash
from pgames.exact.zero_sum import ZeroSumEquilibrium, nash_zero_sum

__all__ = [
    "Equilibrium",
    "ZeroSumEquilibrium",
    "best_response",
    "duality_gap",
    "exploitability",
    "nash",
    "nash_zero_sum",
]
