"""Annotators who call ties more, or less, than others."""

from __future__ import annotations

import numpy as np

from pgames.audits.board import Board
from pgames.audits.finding import LEVEL, Finding, not_asked
from pgames.ratings.bradley_terry import bradley_terry
from pgames.ratings.likelihood import chances

EXPECTED = 5.0  # the variance below which annotators are tested together
NAMED = 8


def ties_by_annotator(board: Board) -> Finding:
    """Whether the share of ties differs between annotators, beyond chance and how close their pairs are."""
    probe = "ties by annotator"
    if board.annotator is None:
        return not_asked(probe, "the votes have no column of annotators.")
    votes = board.votes
    tied = votes.winner == 0
    if not tied.any() or tied.all():
        return Finding(probe, False, None, "no vote is a tie." if not tied.any() else "every vote is a tie.")
    fit = bradley_terry(votes, ties="davidson", prior=0.5, level=None)
    expected = chances(fit.scores, fit.tie)[1][votes.left, votes.right]
    people = len(board.annotators)
    excess = np.bincount(board.annotator, tied - expected, people)
    variance = np.bincount(board.annotator, expected * (1 - expected), people)
    cast = np.bincount(board.annotator, minlength=people)
    enough = variance >= EXPECTED
    groups = list(zip(excess[enough], variance[enough], strict=True))
    if (~enough).any() and variance[~enough].sum() >= EXPECTED:
        groups.append((excess[~enough].sum(), variance[~enough].sum()))
    if len(groups) < 2:
        return not_asked(probe, f"{people} annotators with too few votes each to compare their ties.")
    from scipy.stats import chi2

    p = float(chi2.sf(sum(a**2 / v for a, v in groups), len(groups) - 1))
    z = np.where(enough, excess / np.sqrt(np.maximum(variance, 1e-12)), 0.0)
    order = [int(a) for a in np.argsort(-np.abs(z), kind="stable")[:NAMED] if enough[a]]
    worst = order[0]
    share = np.bincount(board.annotator, tied, people) / np.maximum(cast, 1)
    fires = p < LEVEL
    line = (
        f"annotators differ in ties: {board.annotators[worst]} ties {share[worst]:.0%} of {cast[worst]} "
        f"votes, all annotators {tied.mean():.0%}; look at these annotators, or leave ties out (ties='drop')."
        if fires
        else f"the shares of ties of {people} annotators differ no more than by chance."
    )
    details = tuple((board.annotators[a], float(share[a])) for a in order)
    return Finding(probe, fires, p, line, details, "share of ties")
