"""Many policies in one question: every member is drawn once per prompt, and the judge sees pairs of draws."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from llm_backend.arguments import answers_of
from llm_backend.context import Context
from llm_backend.judges.base import Judge, antisymmetric
from llm_backend.policies.handles import Policy, digest_of
from llm_backend.spaces.draws import Draws, Floats, Ints
from llm_backend.verbs.verdicts import judged, judged_both_ways, rates, win_rate
from pgames.arena import AgainstAll
from pgames.exact.shared_row import shared_row
from pgames.meetings import Meetings, matches, no_meetings


class Games(NamedTuple):
    """Judged games between members.

    pair : int64[G, 2], the numbers of the members. prompt : int64[G].
    row : int64[G, 2], the rows of their draws. won : float64[G] in [0, 1], by the first member.
    """

    pair: Ints
    prompt: Ints
    row: Ints
    won: Floats


def win_rates(context: Context, firsts: Sequence[Policy], seconds: Sequence[Policy]) -> Floats:
    """P(first > second) of every pair, float64[1, K, L], averaged over the prompts of the round.

    In exact play it is a sum over the list. Otherwise every policy is drawn once, in shared batches, and each
    pair plays `samples` games per prompt. A policy against itself is 1/2; a pair without a verdict is NaN.
    """
    if context.exact:
        p, q = _probabilities(context, firsts), _probabilities(context, seconds)
        skew = rates(context) - 0.5
        return np.clip(0.5 + np.einsum("kxy,xyz,lxz->kl", p, skew, q) / len(skew), 0.0, 1.0)[None]
    members = [*firsts, *seconds]
    K, L = len(firsts), len(seconds)
    times = np.zeros((K + L, K + L), dtype=np.int64)
    times[:K, K:] = 1
    games = play(context.judge, context.prompts, context.draw_members(members), times, _same(members))
    total = np.zeros((K + L, K + L))
    np.add.at(total, (games.pair[:, 0], games.pair[:, 1]), games.won)
    played = np.zeros((K + L, K + L))
    np.add.at(played, (games.pair[:, 0], games.pair[:, 1]), 1.0)
    return np.divide(total, played, out=np.full_like(total, np.nan), where=played > 0)[None, :K, K:]


def meet(context: Context, members: Sequence[Policy], pairs: NDArray[np.int64]) -> Meetings:
    """What members won in the matches int64[B, 2], exactly or in `samples` games per prompt and match.

    Every member is drawn once, in shared batches. Further matches of a pair put other draws of the two
    together, so that a pair has at most `samples` matches.
    Raises ValueError when `pairs` does not name members by their numbers, or a pair has more matches.
    """
    times = matches(len(members), pairs)
    times = np.triu(times, 1)
    if context.exact:
        return _exact(context, members, times)
    met = sorted({int(i) for pair in np.argwhere(times) for i in pair})
    draws: list[Draws | None] = [None] * len(members)
    for i, drawn in zip(met, context.draw_members([members[i] for i in met]), strict=True):
        draws[i] = drawn
    return meetings(play(context.judge, context.prompts, draws, times, _same(members)), len(members))


def play(
    judge: Judge,
    prompts: Sequence[str],
    draws: Sequence[Draws | None],
    times: NDArray[np.int64],
    same: NDArray[np.bool_],
) -> Games:
    """Judge games between draws of members, in one batch, without prompts on which a member has no draws.

    Games on which a partial judge has no verdict are left out. In match m of a pair the k-th draw of the
    first meets the (k + m)-th of the second, to every prompt. Pairs of the `same` policy bool[K, K] are
    1/2 without asking.

    times : int64[K, K], the matches of each pair of members (row, column).

    Raises ValueError when a pair has more matches than draws to a prompt.
    """
    of = [{} if one is None else _by_prompt(one) for one in draws]
    pair, prompt, row = [], [], []
    for i, j in np.argwhere(times):
        for x in sorted(of[i].keys() & of[j].keys()):
            ours, theirs = of[i][x], of[j][x]
            if times[i, j] > len(theirs):
                raise ValueError(
                    f"members {i} and {j} have {times[i, j]} matches and {len(theirs)} draws to a prompt: "
                    "give each pair at most `samples` matches, or draw more."
                )
            for match in range(times[i, j]):
                at = np.arange(len(ours))
                pair.append(np.broadcast_to([i, j], (len(ours), 2)))
                prompt.append(np.full(len(ours), x))
                row.append(np.stack([ours, theirs[(at + match) % len(theirs)]], axis=1))
    if not pair:
        none = np.empty((0, 2), np.int64)
        return Games(none, np.empty(0, np.int64), none, np.empty(0))
    found = Games(np.concatenate(pair), np.concatenate(prompt), np.concatenate(row), np.empty(0))
    starts = np.cumsum([0, *(0 if one is None else len(one) for one in draws)])
    everything = Draws.join([one for one in draws if one is not None])
    won = np.full(len(found.prompt), 0.5)
    asked = np.flatnonzero(~same[found.pair[:, 0], found.pair[:, 1]])
    ours, theirs = ((starts[found.pair[:, k]] + found.row[:, k])[asked] for k in range(2))
    won[asked] = _fairly(judge, prompts, everything.take(ours), everything.take(theirs))
    told = ~np.isnan(won)  # a judge of some pairs has no verdict on the others
    return Games(found.pair[told], found.prompt[told], found.row[told], won[told])


def meetings(games: Games, members: int) -> Meetings:
    """The meetings of games between `members` members; each game counts once."""
    total, played = np.zeros((members, members)), np.zeros((members, members))
    for (i, j), sign in ((games.pair.T, 1), (games.pair.T[::-1], -1)):
        np.add.at(total, (i, j), games.won if sign > 0 else 1 - games.won)
        np.add.at(played, (i, j), 1.0)
    none = no_meetings(members)
    share = np.divide(total, played, out=none.rates[0].copy(), where=played > 0)
    return Meetings(share[None], np.where(played > 0, played, none.games[0])[None])


def against_all(context: Context, members: Sequence[Policy]) -> AgainstAll[Policy]:
    """The least exploitable mixture of the members, and who holds it to its value, in an enumerable game.

    Raises AttributeError when responses are free text.
    """
    p, listed = _probabilities(context, members), context.listing
    X = len(context.prompts)
    payoff = np.einsum("kxy,xyz->xkz", p, rates(context) - 0.5)
    found = shared_row(payoff, np.full(X, 1 / X), listed.support)
    return AgainstAll(
        found.row[None],
        answers_of(found.columns, X, listed),
        np.array([max(0.0, -found.guaranteed)]),
    )


def _probabilities(context: Context, policies: Sequence[Policy]) -> Floats:
    """float64[K, X, Y]. Raises ValueError when there is none."""
    if len(policies) == 0:
        raise ValueError("a population needs at least one member.")
    return np.stack([context.listing.probs(policy) for policy in policies])


def _exact(context: Context, members: Sequence[Policy], times: NDArray[np.int64]) -> Meetings:
    """The exact rates of the pairs that meet; the bits of a rate depend on its two members alone."""
    none = no_meetings(len(members))
    share, games = none.rates[0].copy(), none.games[0].copy()
    for i, j in np.argwhere(times):
        share[i, j] = np.clip(win_rate(context, members[i], members[j]), 0.0, 1.0)
        share[j, i], games[i, j], games[j, i] = 1 - share[i, j], np.inf, np.inf
    return Meetings(share[None], games[None])


def _same(members: Sequence[Policy]) -> NDArray[np.bool_]:
    """Which members are the same policy, bool[K, K]: their draws are the same, so they are not compared."""
    ids = np.array([digest_of(policy) for policy in members], dtype=np.int64)
    return ids[:, None] == ids


def _by_prompt(draws: Draws) -> dict[int, Ints]:
    """The rows of each prompt that has some."""
    return {int(x): np.flatnonzero(draws.prompt == x) for x in np.unique(draws.prompt)}


def _fairly(judge: Judge, prompts: Sequence[str], first: Draws, second: Draws) -> Floats:
    """P(first > second), float64[B]; of a judge whose two answers to a pair need not sum to 1, their mean."""
    if antisymmetric(judge):
        return judged(judge, prompts, first, second, some=True)
    ours, theirs = judged_both_ways(judge, prompts, first, second, some=True)
    return (ours + 1 - theirs) / 2
