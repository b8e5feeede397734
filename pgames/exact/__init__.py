"""Equilibria to double precision, each with a certificate computed from its policy alone."""

from pgames.exact.certificates import best_response, duality_gap, exploitability
from pgames.exact.equilibrium import Equilibrium, nash
from pgames.exact.extremes import extreme_equilibria
from pgames.exact.pair_path import ZeroSumPath
from pgames.exact.tau_path import TauPath
from pgames.exact.zero_sum import ZeroSumEquilibrium, nash_zero_sum

__all__ = [
    "Equilibrium",
    "TauPath",
    "ZeroSumEquilibrium",
    "ZeroSumPath",
    "best_response",
    "duality_gap",
    "exploitability",
    "extreme_equilibria",
    "nash",
    "nash_zero_sum",
]
