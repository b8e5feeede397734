"""How far voters agree with themselves on pairs that they saw twice, and how often the left side won."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from llm_backend.people.votes import LEFT, RIGHT, Vote


class Agreement(NamedTuple):
    """`same` of `total` repeated pairs got the same outcome again; both bad counts as a tie."""

    same: int
    total: int

    def line(self) -> str:
        """The share with its 95 % interval (Wilson), or nothing without a repeated pair."""
        from scipy.stats import binomtest

        if not self.total:
            return ""
        low, high = binomtest(self.same, self.total).proportion_ci(method="wilson")
        return (
            f"{self.same} of {self.total} repeated pairs got the same vote again "
            f"({self.same / self.total:.0%}; 95 %: {low:.0%} to {high:.0%})"
        )


def repeats_of(repeats: Sequence[Vote], votes: Sequence[Vote], voter: str) -> Agreement:
    """The agreement of a voter with the voter's own first votes."""
    first = {vote.pair: vote.points for vote in votes if vote.voter == voter}
    again = [vote for vote in repeats if vote.voter == voter and vote.pair in first]
    return Agreement(sum(vote.points == first[vote.pair] for vote in again), len(again))


def summary(votes: Sequence[Vote], repeats: Sequence[Vote]) -> list[str]:
    """A line per voter: votes, ties, how often left won of those with a winner, agreement with oneself."""
    lines = []
    for name in dict.fromkeys(vote.voter for vote in votes):
        mine = [vote for vote in votes if vote.voter == name]
        left, right = (sum(vote.winner == side for vote in mine) for side in (LEFT, RIGHT))
        line = f"{name}: {len(mine)} votes, {len(mine) - left - right} ties"
        if left + right:
            line += f", left won {left} of {left + right}"
        again = repeats_of(repeats, votes, name).line()
        lines.append(f"{line}; {again}" if again else line)
    return lines
