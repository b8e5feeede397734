"""Figures in one style: functions that return a matplotlib Figure, and `save_figure`."""

from pgames.plot.bars import Bars, ratings
from pgames.plot.convergence import convergence
from pgames.plot.look import use_style
from pgames.plot.matrix import heatmap, prompts
from pgames.plot.regret import compare
from pgames.plot.style import figure_bytes, save_figure
from pgames.plot.triangle import simplex

__all__ = [
    "Bars",
    "compare",
    "convergence",
    "figure_bytes",
    "heatmap",
    "prompts",
    "ratings",
    "save_figure",
    "simplex",
    "use_style",
]
