"""Regularisers of a game: small frozen values with their mirror map, its inverse and its divergence."""

from pgames.regularisers.contract import Regulariser, check_regulariser
from pgames.regularisers.values import KL, L2, ChiSquare, ReverseKL, Tsallis, check_kl

__all__ = [
    "KL",
    "L2",
    "ChiSquare",
    "Regulariser",
    "ReverseKL",
    "Tsallis",
    "check_kl",
    "check_regulariser",
]
