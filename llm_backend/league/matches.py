"""The matches of a round: which pairs meet, what they won, and Elo's stream."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from llm_backend.judges.base import Judge
from llm_backend.league.players import Pool
from llm_backend.league.settings import LeagueSettings
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.verbs import meet
from pgames.files import atomic
from pgames.meetings import Meetings
from pgames.population import Matchmaker, Meta, next_matches

ELO = 400.0  # points for odds of ten to one
UNKNOWN = 0.5  # stands for a rate that is not known, to choose who meets; never in a result


class Results(NamedTuple):
    """The games of a round: the meetings they make, and who won on which prompt.

    by_prompt : float64[X, K, K], the row's share of its games against the column; NaN where none was played.
    """

    games: meet.Games
    met: Meetings
    by_prompt: Floats


def times(
    pool: Pool, how: LeagueSettings, match: Matchmaker, meta: Meta, key: Sequence[int]
) -> NDArray[np.int64]:
    """Which pairs meet in a round, int64[K, K]: 0 or 1 above the diagonal.

    With `how.matches`, pairs that never met, and then those that tell most by
    `pgames.population.next_matches`: about the answer of the league, and about those from whom `match` lets a
    learner learn. They are drawn without repetition, in proportion to their shares.
    """
    K = len(pool.members)
    pairs = np.triu(np.ones((K, K), dtype=np.int64), 1)
    if not how.matches or pairs.sum() <= how.matches:
        return pairs
    known = pool.met.games[0] > 0
    rates = np.where(known, pool.met.rates[0], UNKNOWN)
    learns = np.array([one.learns for one in pool.members])
    meets = match(rates[None]) * learns[:, None]  # of two that are frozen nobody learns
    wanted = next_matches(pool.met, _Answering(meta, pool.own), meets)[0]
    wanted[(pairs > 0) & ~known] = np.inf
    # the largest of log w - log(exponential) are draws without repetition in proportion to w
    noise = np.log(np.random.default_rng([*key, *b"matches"]).exponential(size=(K, K)))
    with np.errstate(divide="ignore"):
        rank = np.where(np.isinf(wanted), np.inf, np.log(wanted) - noise)
    count = max(how.matches, int(np.isinf(wanted).sum()))
    chosen = np.argsort(-rank, axis=None, kind="stable")[:count]
    out = np.zeros(K * K, dtype=np.int64)
    out[chosen] = wanted.ravel()[chosen] > 0  # exact rates need no games
    return out.reshape(K, K)


@dataclass(frozen=True)
class _Answering:
    """A meta-solver among the members that can answer, `own`; the others weigh 0."""

    meta: Meta
    own: list[int]

    def __call__(self, rates: Floats) -> Floats:
        """Weights float64[S, K] for win rates float64[S, K, K]."""
        weights = np.zeros(rates.shape[:2])
        weights[:, self.own] = self.meta(rates[:, self.own][:, :, self.own])
        return weights


def judged(
    judge: Judge, prompts: Sequence[str], draws: Sequence[Draws | None], times: NDArray[np.int64]
) -> Results:
    """The matches of a round, judged in one batch; `times` int64[K, K] are those of each pair.

    Draws of members are independent, also of equal ones.
    """
    K = len(draws)
    games = meet.play(judge, prompts, draws, times, np.zeros((K, K), np.bool_))
    won, played = np.zeros((2, len(prompts), K, K))
    for (i, j), share in ((games.pair.T, games.won), (games.pair.T[::-1], 1 - games.won)):
        np.add.at(won, (games.prompt, i, j), share)
        np.add.at(played, (games.prompt, i, j), 1.0)
    by_prompt = np.divide(won, played, out=np.full(won.shape, np.nan), where=played > 0)
    return Results(games, meet.meetings(games, K), by_prompt)


def streamed(pool: Pool, games: meet.Games, k: float, key: Sequence[int]) -> Pool:
    """The pool with Elo's stream moved by these games, in an order that the key gives."""
    scores = [one.elo for one in pool.members]
    order = np.random.default_rng([*key, *b"elo"]).permutation(len(games.won))
    for g in order:
        i, j = (int(n) for n in games.pair[g])
        change = k * (float(games.won[g]) - 1 / (1 + 10 ** ((scores[j] - scores[i]) / ELO)))
        scores[i], scores[j] = scores[i] + change, scores[j] - change
    members = tuple(replace(one, elo=float(score)) for one, score in zip(pool.members, scores, strict=True))
    return replace(pool, members=members)


def shares(pool: Pool, match: Matchmaker, exploits: Sequence[str]) -> Floats:
    """Whom each member meets, float64[K, K]: rows of `match`, but for exploiters those of `_prey`.

    exploits : per member the name that it exploits, "all" or "".

    Raises ValueError naming a pair that never met.
    """
    rates = pool.met.known(pool.names)
    out = match(rates)[0].copy()
    for i, target in enumerate(exploits):
        if target and target != "all":
            out[i] = _prey(pool, i, target, rates[0])
    return out


def _prey(pool: Pool, i: int, target: str, rates: Floats) -> Floats:
    """An exploiter's opponents, float64[K]: its target while it wins a tenth of their games, and otherwise
    the target and its past in proportion to P (1 - P) (AlphaStar's main exploiter)."""
    row: Floats = np.zeros(len(pool.members))
    main = pool.index(target)
    row[main] = 1.0
    if rates[i, main] < 0.1:
        past = [j for j, one in enumerate(pool.members) if one.parent == target or j == main]
        weight = rates[i, past] * (1 - rates[i, past])
        even = np.full(len(past), 1 / len(past))
        row[past] = weight / weight.sum() if weight.sum() > 0 else even
    return row


def write(
    path: Path, pool: Pool, results: Results, played: Sequence[int], of: Sequence[dict[str, Any]]
) -> None:
    """Write the matches of a round to one JSON file, atomically: NaN as null.

    played : the numbers of the prompts. of : a description of each member.
    """
    rates = results.by_prompt[list(played)]
    told = {
        "round": pool.t,
        "members": list(of),
        "prompts": list(played),
        "pairs": [
            {
                "members": [int(i), int(j)],
                "games": int(results.met.games[0, i, j]),
                "rate": float(results.met.rates[0, i, j]),
                "by_prompt": [None if math.isnan(v) else float(v) for v in rates[:, i, j]],
            }
            for i, j in np.argwhere(np.triu(results.met.games[0] > 0, 1))
        ],
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic(path, "w") as file:
        json.dump(told, file)
