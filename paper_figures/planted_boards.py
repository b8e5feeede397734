"""Boards of votes with one planted fault each, and a clean one, for the audit."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np

import pgames as pg

ITEMS, VOTES, PEOPLE, PROMPTS = 6, 2400, 12, 8
STRENGTH = np.linspace(1.5, -1.5, ITEMS)
NAMES = tuple("ABCDEF")


class Planted(NamedTuple):
    """Votes with their annotators and times, as `pgames.audit` takes them."""

    votes: pg.Comparisons
    annotator: np.ndarray
    time: np.ndarray


class Draft(NamedTuple):
    """The columns of a board before its outcomes are drawn; logit is the left item's lead."""

    rng: np.random.Generator
    left: np.ndarray
    right: np.ndarray
    logit: np.ndarray
    tie: np.ndarray
    person: np.ndarray
    prompt: np.ndarray
    time: np.ndarray
    names: tuple[str, ...] = tuple(f"person {i}" for i in range(PEOPLE))

    def vote(self) -> Planted:
        """Draw the outcomes."""
        win = 1 / (1 + np.exp(-self.logit))
        tie = np.minimum(self.tie, 2 * np.minimum(win, 1 - win))
        u = self.rng.random(len(win))
        winner = np.where(u < win - tie / 2, 1, np.where(u < win + tie / 2, 0, -1))
        prompts = [f"prompt {x}" for x in range(PROMPTS)]
        votes = pg.Comparisons(self.left, self.right, winner, NAMES, self.prompt, prompts)
        return Planted(votes, np.array(self.names)[self.person], self.time)


def draft(seed: int, votes: int = VOTES, strength: np.ndarray = STRENGTH) -> Draft:
    """The columns of a clean board."""
    rng = np.random.default_rng([seed, 99])
    left = rng.integers(ITEMS, size=votes)
    right = (left + rng.integers(1, ITEMS, size=votes)) % ITEMS
    return Draft(
        rng,
        left,
        right,
        strength[left] - strength[right],
        np.full(votes, 0.15),
        rng.integers(PEOPLE, size=votes),
        rng.integers(PROMPTS, size=votes),
        np.sort(rng.random(votes)),
    )


def clean(seed: int) -> Planted:
    """A perfect ranking, well separated, with ties."""
    return draft(seed).vote()


def two_groups(seed: int) -> Planted:
    """Items of the first half meet those of the second in three votes."""
    plan = draft(seed)
    half = ITEMS // 2
    right = (plan.left % half + plan.rng.integers(1, half, size=VOTES)) % half + half * (plan.left // half)
    left = plan.left.copy()
    left[:3], right[:3] = (0, 1, half), (half, half + 1, 2)
    return plan._replace(left=left, right=right, logit=STRENGTH[left] - STRENGTH[right]).vote()


def left_side(seed: int) -> Planted:
    """The left item gains .35 in log-odds."""
    plan = draft(seed)
    return plan._replace(logit=plan.logit + 0.35).vote()


def judges_of_themselves(seed: int) -> Planted:
    """The annotators are the items, and prefer their own answers by .8."""
    plan = draft(seed)
    person = plan.rng.integers(ITEMS, size=VOTES)
    own = (person == plan.left).astype(float) - (person == plan.right)
    return plan._replace(logit=plan.logit + 0.8 * own, person=person, names=NAMES).vote()


def lazy_annotators(seed: int) -> Planted:
    """Two annotators tie half of what they see."""
    plan = draft(seed)
    return plan._replace(tie=np.where(plan.person < 2, 0.5, plan.tie)).vote()


def tastes(seed: int) -> Planted:
    """Every annotator has tastes of a standard deviation of .6."""
    plan = draft(seed)
    taste = plan.rng.normal(0, 0.6, size=(PEOPLE, ITEMS))
    return plan._replace(
        logit=plan.logit + taste[plan.person, plan.left] - taste[plan.person, plan.right]
    ).vote()


def prompts_that_disagree(seed: int) -> Planted:
    """Items differ by prompt, with a standard deviation of .6."""
    plan = draft(seed)
    skill = plan.rng.normal(0, 0.6, size=(PROMPTS, ITEMS))
    return plan._replace(
        logit=plan.logit + skill[plan.prompt, plan.left] - skill[plan.prompt, plan.right]
    ).vote()


def equal_neighbours(seed: int) -> Planted:
    """C and D are equally strong."""
    strength = STRENGTH.copy()
    strength[2:4] = 0.0
    return draft(seed, strength=strength).vote()


def cycle(seed: int) -> Planted:
    """C beats A, A beats B and B beats C by .8, beside the ranking of the others."""
    plan = draft(seed)
    logit = plan.logit.copy()
    for winner, loser in ((0, 1), (1, 2), (2, 0)):
        logit[(plan.left == winner) & (plan.right == loser)] = 0.8
        logit[(plan.left == loser) & (plan.right == winner)] = -0.8
    return plan._replace(logit=logit).vote()


def pasted_twice(seed: int) -> Planted:
    """The last quarter of the rows repeats the first."""
    board = clean(seed)
    rows = np.concatenate([np.arange(3 * VOTES // 4), np.arange(VOTES // 4)])
    v = board.votes
    votes = pg.Comparisons(v.left[rows], v.right[rows], v.winner[rows], v.items, v.prompt[rows], v.prompts)
    return Planted(votes, board.annotator[rows], board.time)


def drifting(seed: int) -> Planted:
    """A falls and F rises by .8 from the first vote to the last."""
    plan = draft(seed)
    trend = np.zeros(ITEMS)
    trend[0], trend[-1] = -0.8, 0.8
    moved = (trend[plan.left] - trend[plan.right]) * (2 * plan.time - 1)
    return plan._replace(logit=plan.logit + moved).vote()


BOARDS: dict[str, Callable[[int], Planted]] = {  # by the probe that each is made for
    "connectivity": two_groups,
    "position": left_side,
    "self-votes": judges_of_themselves,
    "ties by annotator": lazy_annotators,
    "annotators": tastes,
    "prompts": prompts_that_disagree,
    "neighbours": equal_neighbours,
    "cyclic triads": cycle,
    "duplicates": pasted_twice,
    "drift": drifting,
}
