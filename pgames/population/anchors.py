"""Anchors: pairs whose winner a rule or people know, and how far judges agree with them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from pgames.games.preference import PreferenceGame
from pgames.numerics import real
from pgames.votes.comparisons import Comparisons

Array = NDArray[np.float64]
Ints = NDArray[np.int64]
Z95 = 1.959963984540054  # of a 95 % interval


@dataclass(frozen=True, eq=False)
class Agreement:
    """How often each of J judges sides with the anchors.

    right : float64[..., J], the share of votes on the anchors that a judge sides with; 1/2 for a verdict of
        1/2.
    anchors : the effective number of anchors, (sum n)^2 / sum n^2 for n votes each. A judge answers once on
        an anchor, so more votes on the same pair tell little more about it.
    """

    right: Array
    anchors: float

    @property
    def interval(self) -> Array:
        """The 95 % Wilson interval of `right`, float64[..., J, 2]: lower and upper end."""
        n, z = self.anchors, Z95**2
        middle = (self.right * n + z / 2) / (n + z)
        half = np.sqrt(z * (self.right * (1 - self.right) * n + z / 4)) / (n + z)
        return np.clip(np.stack([middle - half, middle + half], axis=-1), 0.0, 1.0)

    @property
    def weights(self) -> Array:
        """The odds that a judge is right, (right n + 1) / (wrong n + 1), float64[..., J], above 0.

        1 for a judge at chance, n + 1 for one that always agrees: few anchors give nearly equal weights.
        """
        n = self.anchors
        return (self.right * n + 1) / ((1 - self.right) * n + 1)


@dataclass(frozen=True, init=False, eq=False)
class Anchors:
    """N pairs of responses whose winner is known, by a rule or by the votes of people.

    Parameters
    ----------
    prompt, first, second : int64[N], the number of the prompt and of the two responses.
    won : float64[N] in [0, 1], the share of the votes for the first; a tie is half a vote.
    votes : float64[N], above 0; 1 each when not given.

    Raises ValueError, naming the anchor, when there is none, nobody judged one, or a number is out of range.
    """

    prompt: Ints
    first: Ints
    second: Ints
    won: Array
    votes: Array

    def __init__(
        self,
        prompt: ArrayLike,
        first: ArrayLike,
        second: ArrayLike,
        won: ArrayLike,
        votes: ArrayLike | None = None,
    ):
        won = real("won", won)
        votes = np.ones_like(won) if votes is None else real("votes", votes)
        if won.ndim != 1 or not won.size:
            raise ValueError("there are no anchors: pass at least one pair whose winner is known.")
        columns = {"prompt": np.asarray(prompt), "first": np.asarray(first), "second": np.asarray(second)}
        for name, column in {**columns, "votes": votes}.items():
            if column.shape != won.shape:
                raise ValueError(f"{name} must have one entry per anchor, [{won.size}], got {column.shape}.")
            if name != "votes" and (column.dtype.kind not in "iu" or column.min() < 0):
                raise ValueError(f"{name} must be whole numbers, at least 0, got {column.tolist()[:5]}.")
        for n in range(won.size):
            pair = f"anchor {n} (responses {columns['first'][n]} and {columns['second'][n]})"
            if columns["first"][n] == columns["second"][n]:
                raise ValueError(f"{pair} compares a response with itself: remove it.")
            if not 0 < votes[n] < np.inf or np.isnan(won[n]):
                raise ValueError(f"nobody judged {pair}: collect a vote on it, or remove it.")
            if not 0 <= won[n] <= 1:
                raise ValueError(f"{pair} has won = {won[n]:g}: it is a share of votes, in [0, 1].")
        for name, column in {**columns, "won": won, "votes": votes}.items():
            object.__setattr__(self, name, column)

    def __len__(self) -> int:
        return self.won.size

    @classmethod
    def of_votes(
        cls, votes: Comparisons, responses: Sequence[str], prompts: Sequence[str] | None = None
    ) -> Anchors:
        """Every pair that people voted on, as one anchor each.

        `responses` and `prompts` are the names of the game's responses and prompts, in order; without
        `prompts` the votes are on the game's only prompt. Raises ValueError for a vote on anything else, and
        TypeError for what is not votes.
        """
        if not isinstance(votes, Comparisons):
            raise TypeError(f"of_votes needs Comparisons, got {type(votes).__name__}: pass the votes.")
        place = _places("item", votes.items, responses)
        row = np.zeros(1, np.int64) if prompts is None else _places("prompt", votes.prompts, prompts)
        if prompts is None and len(votes.prompts) > 1:
            raise ValueError(f"the votes are on {len(votes.prompts)} prompts: name the game's in `prompts`.")
        n = votes.counts.votes
        x, y, z = np.nonzero(np.triu(n))
        share = votes.counts.points[x, y, z] / n[x, y, z]
        return cls(row[x], place[y], place[z], share, n[x, y, z])

    @classmethod
    def of_rule(cls, rule: PreferenceGame, pairs: ArrayLike) -> Anchors:
        """Pairs int64[N, 3] of (prompt, first, second) that a rule decides: the winner is whom it prefers.

        Raises ValueError for pairs outside the game, and for one that the rule calls a tie, and TypeError
        for a rule that is not a game.
        """
        if not isinstance(rule, PreferenceGame):
            raise TypeError(
                f"of_rule needs a PreferenceGame, got {type(rule).__name__}: pass PreferenceGame(P)."
            )
        listed = np.asarray(pairs)
        if listed.ndim != 2 or listed.shape[1] != 3 or listed.dtype.kind not in "iu":
            raise ValueError(f"pairs must be whole numbers of shape [N, 3], got shape {list(listed.shape)}.")
        limits = (rule.prompts, rule.responses, rule.responses)
        if (listed < 0).any() or (listed >= limits).any():
            raise ValueError(
                f"pairs must be (prompt, first, second) below {limits}, got {listed.max(axis=0).tolist()}."
            )
        x, y, z = listed.T
        sides = np.sign(rule.skew[x, y, z])
        if (sides == 0).any():
            n = int(np.flatnonzero(sides == 0)[0])
            raise ValueError(f"the rule calls anchor {n}, {listed[n].tolist()}, a tie: choose another pair.")
        return cls(x, y, z, (1 + sides) / 2)

    def agreement(self, verdicts: ArrayLike) -> Agreement:
        """How often judges side with the anchors, from P(first > second) float64[..., J, N] of each judge.

        Raises ValueError for another number of anchors, and for a verdict that is missing or not in [0, 1].
        """
        given = real("verdicts", verdicts)
        if given.ndim < 2 or given.shape[-1] != len(self):
            raise ValueError(
                f"verdicts must have shape [..., J, {len(self)}], one per judge and anchor, got "
                f"{list(given.shape)}."
            )
        if not (valid := (given >= 0) & (given <= 1)).all():
            *_, judge, n = (int(k) for k in np.argwhere(~valid)[0])
            raise ValueError(f"judge {judge} gave {given[~valid][0]:g} on anchor {n}: it must be in [0, 1].")
        sides = np.sign(np.where(np.abs(given - 0.5) <= 1e-12, 0.0, given - 0.5))
        right = np.clip(
            0.5 + (sides * ((self.won - 0.5) * self.votes)).sum(axis=-1) / self.votes.sum(), 0.0, 1.0
        )
        return Agreement(right, float(self.votes.sum() ** 2 / (self.votes**2).sum()))


def _places(what: str, names: Sequence[str], known: Sequence[str]) -> Ints:
    if known is None or isinstance(known, str):
        raise ValueError(f"{what}s must be a list of names, got {known!r:.40}.")
    place = {name: i for i, name in enumerate(known)}
    if unknown := [name for name in names if name not in place]:
        raise ValueError(f"the votes name the {what} {unknown[0]!r}, which is not among {list(known)[:8]}.")
    return np.array([place[name] for name in names], dtype=np.int64)
