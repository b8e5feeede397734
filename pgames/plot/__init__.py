"""Figures in one style: functions that return a matplotlib Figure, and `save_figure`."""

from pgames.plot.bars import Bars, ratings
from pgames.plot.curves import convergence
from pgames.plot.matrix import heatmap, prompts
from pgames.plot.style import figure_bytes, save_figure
from pgames.plot.triangle import simplex

__all__ = ["Bars", "convergence", "figure_bytes", "heatmap", "prompts", "ratings", "save_figure", "simplex"]
