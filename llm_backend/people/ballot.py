"""The rules of voting: who sees which pair, what counts as a vote, and what is taken back."""

from __future__ import annotations

import hashlib
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llm_backend.people.agreement import repeats_of
from llm_backend.people.choose import Chooser, Matches, telling
from llm_backend.people.pairs import Asked, Question
from llm_backend.people.sources import Source
from llm_backend.people.voters import LONGEST_NAME, MOST, UNDOABLE, Done, Shown, Voter, Voters, identity
from llm_backend.people.votes import BAD, LEFT, RIGHT, TIE, Vote, VoteFile

SKIP = "skip"
CHOICES = (LEFT, RIGHT, TIE, BAD, SKIP)
REST = 10  # votes of a voter, at least, between a pair and its repeat


class Refused(Exception):
    """What a page asked is refused; `reason` is one word for the page, the message one line for people."""

    def __init__(self, reason: str, message: str):
        super().__init__(message)
        self.reason = reason


class View(NamedTuple):
    """What a voter's page shows. texts : the prompt, left and right, or None while there is no pair."""

    name: str
    ticket: str
    texts: tuple[str, str, str] | None
    mine: int
    left: int
    everyone: int
    voters: int
    undo: bool
    growing: bool
    again: str


class Ballot:
    """Votes on the pairs of a source, by voters with names.

    path : the file of votes. Beside it lie the voters (.voters.json) and votes on repeated pairs
        (.repeats.jsonl), which measure how far voters agree with themselves and do not count as votes.
    repeat : the share of shown pairs that the voter has voted on before, in [0, 1).
    seed : of the sides and of the order of the pairs.

    Raises ValueError when an argument is out of its range or a file is damaged.
    """

    def __init__(
        self,
        source: Source,
        path: Path,
        repeat: float = 0.0,
        seed: int = 0,
        rule: Matches = telling,
        now: Callable[[], float] = time.time,
    ):
        if not 0 <= repeat < 1:
            raise ValueError(f"repeat must be at least 0 and below 1, got {repeat}: a share of the pairs.")
        if seed < 0:
            raise ValueError(f"seed must be at least 0, got {seed}.")
        self._source, self._repeat, self._seed, self._rule, self._now = source, repeat, seed, rule, now
        self.votes = VoteFile(path)
        self.repeats = VoteFile(path.with_suffix(".repeats.jsonl"))
        self.voters = Voters(path.with_suffix(".voters.json"))
        self._voted: dict[str, dict[str, int]] = {}  # voter -> pair -> the place among the voter's votes
        for vote in self.votes.votes:
            self._mark(vote)
        rule(np.zeros((2, 2)), np.zeros((2, 2)))  # compiled now, not while somebody waits
        self._asked = Asked(())
        self._known: dict[str, Question] = {}  # every pair that was asked since the start
        self._refresh()

    def enter(self, name: str, sure: bool) -> str:
        """The identity of the voter of this name, who is admitted.

        A name that somebody has is refused unless `sure`: the two are then one voter. Raises Refused.
        """
        shown = " ".join(name.split())
        if not 1 <= len(shown) <= LONGEST_NAME or not shown.isprintable():
            raise Refused("name", f"A name has 1 to {LONGEST_NAME} printable characters.")
        who = identity(shown)
        if not sure and (who in self.voters.all or who in self._voted):
            cast = len(self._voted.get(who, {}))
            raise Refused(
                "taken",
                f"{self._name(who, shown)} is voting here already (votes so far: {cast}). If that is you, "
                "go on under this name; otherwise take another one.",
            )
        if who not in self.voters.all:
            if len(self.voters.all) >= MOST:
                raise Refused("full", f"There are {MOST} voters, and no more are admitted.")
            self.voters.all[who] = Voter(self._name(who, shown))
            self.voters.save()
        return who

    def view(self, who: str) -> View:
        """What the voter's page shows; a pair stays until it is voted on. Raises Refused for a stranger."""
        voter = self._voter(who)
        self._refresh()
        if voter.current is None or voter.current.pair not in self._known:
            voter.current = self._next(who, voter)
            if voter.current is not None:
                self.voters.save()
        shown = voter.current
        texts, mine = None, self._voted.get(who, {})
        if shown is not None:
            one = self._known[shown.pair]
            texts = (str(one.prompt), *_sides(one.texts, shown.swapped))
        return View(
            voter.name,
            shown.ticket if shown else "",
            texts,
            len(mine),
            len(self._open(who, voter)),
            len(self.votes.votes),
            len({vote.voter for vote in self.votes.votes}),
            bool(voter.done),
            self._source.growing,
            repeats_of(self.repeats.votes, self.votes.votes, voter.name).line(),
        )

    def vote(self, who: str, ticket: str, choice: str) -> None:
        """Record a vote on the shown pair, on the disk, or skip it.

        The same vote sent twice counts once. Raises Refused for a pair that is not the one shown.
        """
        voter = self._voter(who)
        if choice not in CHOICES:
            raise Refused("choice", f"A vote is one of {', '.join(CHOICES)}.")
        if any(done.shown.ticket == ticket for done in voter.done[-1:]):
            return  # the answer to it was lost, and the page has sent it again
        shown = voter.current
        if shown is None or shown.ticket != ticket or shown.pair not in self._known:
            raise Refused("shown", "This pair is not the one shown to you now, so the vote does not count.")
        if choice == SKIP:
            if not shown.repeat:
                voter.skipped.append(shown.pair)
        elif shown.repeat or shown.pair not in self._voted.get(who, {}):  # else a kill came before save
            self._record(voter, shown, choice)
        kind = SKIP if choice == SKIP else "repeat" if shown.repeat else "vote"
        voter.done = [*voter.done, Done(kind, shown)][-UNDOABLE:]
        voter.current = None
        self.voters.save()

    def undo(self, who: str) -> None:
        """Take the voter's last vote or skip back; its pair is shown again.

        Raises Refused when there is nothing to undo.
        """
        voter = self._voter(who)
        if not voter.done:
            raise Refused("undo", "There is nothing to undo.")
        kind, shown = voter.done[-1]
        if kind == SKIP:
            voter.skipped = [pair for pair in voter.skipped if pair != shown.pair]
        elif kind == "repeat":
            self.repeats.remove(shown.ticket)
        else:
            for vote in [vote for vote in self.votes.votes if vote.ticket == shown.ticket]:
                self.votes.remove(shown.ticket)
                self._voted[who].pop(vote.pair, None)
                if vote.pair in self._known:
                    self._chooser.count(self._known[vote.pair], vote, -1)
        voter.done.pop()
        voter.current = shown if shown.pair in self._known else None
        self.voters.save()

    # -- inside -----------------------------------------------------------------------------------------

    def _voter(self, who: str) -> Voter:
        if who not in self.voters.all:
            raise Refused("stranger", "Enter a name first.")
        return self.voters.all[who]

    def _name(self, who: str, shown: str) -> str:
        """The name of a voter as it was first written."""
        if who in self.voters.all:
            return self.voters.all[who].name
        return next((vote.voter for vote in self.votes.votes if identity(vote.voter) == who), shown)

    def _refresh(self) -> None:
        """Read the source again; pairs that are asked no more stay known, for pages that show them."""
        asked = self._source.asked()
        if asked is self._asked and self._known:
            return
        self._asked = asked
        self._known.update((one.key, one) for one in asked.questions)
        self._chooser = Chooser(list(self._known.values()), self._rule)
        for vote in self.votes.votes:
            if vote.pair in self._known:
                self._chooser.count(self._known[vote.pair], vote)

    def _open(self, who: str, voter: Voter) -> list[Question]:
        """The pairs that the voter has neither voted on nor skipped."""
        away = {*self._voted.get(who, {}), *voter.skipped}
        return [one for one in self._asked.questions if one.key not in away]

    def _next(self, who: str, voter: Voter) -> Shown | None:
        """The next pair of a voter, or None where there is none."""
        number = voter.number + 1
        draw = np.random.default_rng([self._seed, *_digest(who), number])
        repeat = bool(draw.random() < self._repeat)
        if repeat and (old := self._rested(who, voter)):
            one = self._known[old[draw.integers(len(old))]]
        elif left := self._open(who, voter):
            one, repeat = self._chooser.choose(left, draw), False
        else:
            return None
        voter.number, swapped = number, bool(draw.random() < 0.5)
        ticket = hashlib.sha256(f"{self.voters.key} {who} {number}".encode()).hexdigest()[:16]
        return Shown(one.key, ticket, swapped, repeat, self._now())

    def _rested(self, who: str, voter: Voter) -> list[str]:
        """Pairs that the voter voted on at least REST votes ago and that were not repeated yet."""
        mine = self._voted.get(who, {})
        again = {vote.pair for vote in self.repeats.votes if identity(vote.voter) == who}
        return [
            pair
            for pair, place in mine.items()
            if place <= len(mine) - REST and pair in self._known and pair not in again
        ]

    def _record(self, voter: Voter, shown: Shown, choice: str) -> None:
        one = self._known[shown.pair]
        left, right = _sides(one.names, shown.swapped)
        left_text, right_text = _sides(one.texts, shown.swapped)
        now = self._now()
        vote = Vote(
            str(one.prompt),
            left,
            right,
            choice,
            voter.name,
            left_text,
            right_text,
            one.key,
            shown.ticket,
            round(now, 3),
            round(now - shown.since, 3),
        )
        if shown.repeat:
            if not any(known.ticket == shown.ticket for known in self.repeats.votes):
                self.repeats.add(vote)
            return
        self.votes.add(vote)
        self._mark(vote)
        self._chooser.count(one, vote)

    def _mark(self, vote: Vote) -> None:
        mine = self._voted.setdefault(identity(vote.voter), {})
        mine.setdefault(vote.pair, len(mine))


def _sides(pair: tuple[str, str], swapped: bool) -> tuple[str, str]:
    return (pair[1], pair[0]) if swapped else pair


def _digest(text: str) -> list[int]:
    return list(hashlib.sha256(text.encode()).digest()[:8])
