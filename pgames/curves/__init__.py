"""Curves over rounds, for all runs of a solver: the class, its files and its statistics."""

from pgames.curves.curve import Curve
from pgames.curves.setting import Setting

__all__ = ["Curve", "Setting"]
