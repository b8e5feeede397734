"""The members of a league under way, and the pool that they form."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from llm_backend.league.settings import PAST, Kind
from llm_backend.policies.handles import Policy
from pgames.meetings import Meetings
from pgames.solver import State


@dataclass(frozen=True, eq=False)
class Member:
    """One member.

    kind : what it is; a past member is frozen.
    home : the number of the base that it is trained on; -1 of an outside player.
    state : its solver's state; of a frozen member only the policy counts; None of an outside player.
    since : the round in which it started, or started again. parent : whom it was copied from, or "".
    elo : its rating in Elo's stream.
    """

    name: str
    kind: Kind
    home: int
    state: State | None
    since: int = 0
    parent: str = ""
    resets: int = 0
    elo: float = 0.0

    @property
    def learns(self) -> bool:
        """Whether a solver trains it."""
        return self.kind in ("learner", "exploiter")

    @property
    def policy(self) -> Policy:
        """Its policy. Raises ValueError for an outside player, which has none here."""
        if self.state is None:
            raise ValueError(f"{self.name} is an outside player: its replies are known, its policy is not.")
        return self.state.policy

    def frozen(self, t: int) -> Member:
        """Its policy as a past member, kept in round t."""
        assert self.state is not None
        state = State(0, self.state.policy)
        return Member(f"{self.name}{PAST}{t}", "frozen", self.home, state, t, self.name, 0, self.elo)


@dataclass(frozen=True, eq=False)
class Pool:
    """The members after t rounds, and what they won against each other.

    `met` holds the results of the present policies, in which older games count less.
    """

    t: int
    members: tuple[Member, ...]
    met: Meetings

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the members."""
        return tuple(one.name for one in self.members)

    @property
    def own(self) -> list[int]:
        """The places of the members that have a policy here: those that can answer."""
        return [i for i, one in enumerate(self.members) if one.state is not None]

    def index(self, name: str) -> int:
        """The place of a member. Raises ValueError when there is none of that name."""
        if name not in self.names:
            raise ValueError(f"no member is named {name!r}: there are {', '.join(self.names)}.")
        return self.names.index(name)

    def joined(self, new: Member, twin: int) -> Pool:
        """With one more member, whose results are those of the member at `twin`, whose policy it has."""
        rates, games = (table[0, twin].copy() for table in (self.met.rates, self.met.games))
        rates[twin], games[twin] = 0.5, np.inf
        return replace(self, members=(*self.members, new), met=self.met.grown(rates[None], games[None]))

    def without(self, names: set[str]) -> Pool:
        """Without some members."""
        kept = [i for i, one in enumerate(self.members) if one.name not in names]
        return replace(self, members=tuple(self.members[i] for i in kept), met=self.met.among(kept))

    def aged(self, memory: float, changed: set[str]) -> Pool:
        """With old games of members that changed counting `memory` as much; exact results are forgotten."""
        moved = np.array([one.name in changed for one in self.members])
        touched = moved[:, None] | moved[None, :]
        np.fill_diagonal(touched, False)
        games = self.met.games[0]
        games = np.where(touched, np.where(np.isinf(games), 0.0, np.nan_to_num(games) * memory), games)
        rates = np.where(games > 0, self.met.rates[0], np.nan)
        return replace(self, met=Meetings(rates[None], games[None]))

    def forgotten(self, name: str) -> Pool:
        """With the results of a member that started again forgotten."""
        return self.aged(0.0, {name})


def described(one: Member) -> dict[str, Any]:
    """A member without its state, as JSON values."""
    return {
        "name": one.name,
        "kind": one.kind,
        "home": one.home,
        "since": one.since,
        "parent": one.parent,
        "resets": one.resets,
        "elo": one.elo,
    }
