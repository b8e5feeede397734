"""Curves over rounds, for all runs of a solver: the class, its files, and the statistics read off it."""

from pgames.curves.curve import Curve

__all__ = ["Curve"]
