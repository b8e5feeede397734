"""Many policies of a table at once: win rates in one product, matches, and the best mixture of members."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.exact.shared_row import shared_row
from pgames.games.preference import PreferenceGame
from pgames.kernels import streams
from pgames.kernels.elementary import njit
from pgames.meetings import Meetings
from pgames.mixing import check_members

Array = NDArray[np.float64]


class Draws(NamedTuple):
    """How duels are drawn: their number per prompt and match, and what keys their random numbers."""

    samples: int
    seed: int
    first_run: int
    round: int


def exact_rates(game: PreferenceGame, firsts: Sequence[Array], seconds: Sequence[Array]) -> Array:
    """P(first > second), float64[S, K, L] in [0, 1], for log-probabilities float64[S, X, Y] of each.

    Products are made run by run, so no bit depends on the number of runs.
    """
    ours, theirs = _stacked(firsts), _stacked(seconds)
    out = np.full((ours.shape[0], ours.shape[2], theirs.shape[2]), 0.5)
    for s in range(len(out)):
        for x, weight in enumerate(game.prompt_weights):
            out[s] += weight * ((ours[s, x] @ game.skew[x]) @ theirs[s, x].T)
    return np.clip(out, 0.0, 1.0, out=out)  # sums leave [0, 1] by rounding


def exact_meetings(game: PreferenceGame, members: Sequence[Array], times: NDArray[np.int64]) -> Meetings:
    """The exact rates of the pairs that meet, for log-probabilities float64[S, X, Y] and matches int64[K, K].

    The bits of a rate depend on its two members alone.
    """
    met = np.triu(times, 1) > 0
    pairs = np.argwhere(met)
    won = _pair_rates(game.skew, _stacked(members), game.prompt_weights, pairs)
    rates, games = _nobody_met(len(won), len(members))
    first, second = pairs.T
    rates[:, first, second] = np.clip(won, 0.0, 1.0)
    rates[:, second, first] = 1 - rates[:, first, second]
    games[:, first, second] = games[:, second, first] = np.inf
    return Meetings(rates, games)


@njit
def _pair_rates(skew, probs, weights, pairs):
    """float64[S, B]: the win rate of each pair int64[B, 2] of members probs float64[S, X, K, Y]."""
    S, X, K, Y = probs.shape
    out = np.full((S, len(pairs)), 0.5)
    against, known = np.empty((K, Y)), np.empty(K, np.bool_)
    for s in range(S):
        for x in range(X):
            known[:] = False
            for b in range(len(pairs)):
                i, j = pairs[b]
                if not known[j]:
                    known[j] = True
                    against[j] = 0.0
                    for z in range(Y):
                        q = probs[s, x, j, z]
                        if q > 0.0:
                            for y in range(Y):
                                against[j, y] -= q * skew[x, z, y]
                a0, a1, a2, a3 = 0.0, 0.0, 0.0, 0.0
                whole = Y - Y % 4
                for y in range(0, whole, 4):
                    a0 += probs[s, x, i, y] * against[j, y]
                    a1 += probs[s, x, i, y + 1] * against[j, y + 1]
                    a2 += probs[s, x, i, y + 2] * against[j, y + 2]
                    a3 += probs[s, x, i, y + 3] * against[j, y + 3]
                for y in range(whole, Y):
                    a0 += probs[s, x, i, y] * against[j, y]
                out[s, b] += weights[x] * ((a0 + a1) + (a2 + a3))
    return out


def _nobody_met(runs: int, members: int) -> tuple[Array, Array]:
    """(rates, games), float64[S, K, K], of members that have met only themselves."""
    own = np.broadcast_to(np.eye(members, dtype=bool), (runs, members, members))
    return np.where(own, 0.5, np.nan), np.where(own, np.inf, 0.0)


def sampled_meetings(
    game: PreferenceGame, members: Sequence[Array], times: NDArray[np.int64], draws: Draws
) -> Meetings:
    """`draws.samples` duels per prompt for each of the matches int64[K, K], between log-probabilities
    float64[S, X, Y]. Games of prompts of unequal weight count as fewer."""
    weights = game.prompt_weights
    rates, games = _nobody_met(len(members[0]), len(members))
    for i, j in np.argwhere(np.triu(times, 1)):
        duels = draws.samples * int(times[i, j])
        won = streams.sampled_win_rate(
            game.skew, members[i], members[j], duels, draws.seed, draws.first_run, draws.round
        )
        rates[:, i, j] = np.clip((won * weights).sum(axis=-1), 0.0, 1.0)
        rates[:, j, i] = 1 - rates[:, i, j]
        games[:, i, j] = games[:, j, i] = duels / float((weights**2).sum())
    return Meetings(rates, games)


def against_all(game: PreferenceGame, members: Sequence[Array]) -> tuple[Array, Array, Array]:
    """(weights float64[S, K], opponent float64[S, X, Y], exploitability float64[S]) of the mixture of the
    members, log-probabilities float64[S, X, Y], that is least exploitable, and who holds it to its value."""
    ours = _stacked(members)
    S, X, K, Y = ours.shape
    weights, opponent, gaps = np.empty((S, K)), np.empty((S, X, Y)), np.empty(S)
    for s in range(S):
        rates = np.stack([p @ skew for p, skew in zip(ours[s], game.skew, strict=True)])
        found = shared_row(rates, game.prompt_weights, game.support)
        weights[s], opponent[s], gaps[s] = found.row, found.columns, max(0.0, -found.guaranteed)
    return weights, opponent, gaps


def _stacked(policies: Sequence[Array]) -> Array:
    """Probabilities float64[S, X, K, Y] of K policies.

    Raises ValueError when there is none, or one has no shape [S, X, Y] or another shape than the first.
    """
    check_members(policies, "policies", "[S, X, Y]", "arena.policy")
    return np.exp(np.stack(policies, axis=2))
