"""The leaderboard: Elo's stream and its limit, Bradley-Terry with intervals, Nash average, win rates."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np

from llm_backend.league.players import Pool
from llm_backend.spaces.draws import Floats
from pgames.exact.equilibrium import nash
from pgames.games.preference import PreferenceGame
from pgames.ratings import settled

ELO = 400 / math.log(10)  # points per unit of log-strength
PRIOR = 0.5  # games won and lost against an average opponent, which keep ratings finite
Z95 = 1.959963984540054


class Standing(NamedTuple):
    """A member's row of the leaderboard.

    elo : of the stream. settled : where the stream would end, under the games that were played; +- margin.
    win_rate : the mean over the others. answer : its weight in the answer of the league, by `meta`.
    nash : its weight in the Nash of all members that has the largest entropy. skill : its win rate against
    that Nash, less 1/2 (Nash averaging).
    """

    name: str
    kind: str
    elo: float
    settled: float
    margin: float
    win_rate: float
    answer: float
    nash: float
    skill: float


def standings(pool: Pool, weights: Floats) -> list[Standing]:
    """A row per member, best first by its settled rating; `weights` float64[K] are those of the answer.

    Games of pairs that never met count as none. Raises ValueError naming a pair that never met.
    """
    rates = pool.met.known(pool.names)[0]
    games = np.where(np.isinf(pool.met.games[0]), 0.0, pool.met.games[0])
    if not np.triu(games, 1).any():  # exact play
        games = np.ones_like(games)
    score, margin = fitted(rates, games, pool.names)
    average = nash(PreferenceGame(rates, symmetrise=True), select="max_entropy").policy[0]
    K = len(rates)
    rows = [
        Standing(
            one.name,
            one.kind,
            one.elo,
            float(score[i]),
            float(margin[i]),
            float((rates[i].sum() - 0.5) / max(K - 1, 1)) if K > 1 else 0.5,
            float(weights[i]),
            float(average[i]),
            float(rates[i] @ average - 0.5),
        )
        for i, one in enumerate(pool.members)
    ]
    return sorted(rows, key=lambda row: -row.settled)


def fitted(rates: Floats, games: Floats, names: Sequence[str]) -> tuple[Floats, Floats]:
    """Settled ratings and half their 95 % intervals, float64[K] each, in Elo points.

    Intervals are those of the Bradley-Terry fit, and valid where it is wrong: its sandwich covariance.
    """
    K = len(rates)
    games = games * (1 - np.eye(K))
    if K == 1:
        return np.zeros(1), np.zeros(1)
    score = settled(rates, games, PRIOR, names).scores
    theta = score / ELO
    fit = 1 / (1 + np.exp(theta[None] - theta[:, None]))
    spread = games * fit * (1 - fit)
    own = 1 / (1 + np.exp(-theta))
    H = np.diag(spread.sum(axis=1) + 2 * PRIOR * own * (1 - own)) - spread
    noise = games * (rates * (1 - rates) + (rates - fit) ** 2)  # of a game's score about the fit, at most
    J = np.diag(noise.sum(axis=1)) - noise
    cover = np.linalg.pinv(H) @ J @ np.linalg.pinv(H)
    return score, Z95 * ELO * np.sqrt(np.maximum(np.diagonal(cover), 0.0))


def row(standings: Sequence[Standing]) -> list[dict[str, Any]]:
    """The leaderboard as JSON values."""
    return [{name: _plain(value) for name, value in one._asdict().items()} for one in standings]


def _plain(value: object) -> object:
    return round(value, 6) if isinstance(value, float) else value
