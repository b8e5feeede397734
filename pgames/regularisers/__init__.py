"""Regularisers of a game: small frozen values with their mirror map, its inverse and its divergence."""

from pgames.regularisers.contract import Regulariser, check_regulariser
from pgames.regularisers.values import KL, L2, ChiSquare, ReverseKL, Tsallis

__all__ = [
    "KL",
    "L2",
    "ChiSquare",
    "Regulariser",
    "ReverseKL",
    "Tsallis",
    "check_regulariser",
]
