"""A league of solvers on a game, with the matches that rate it while it learns."""

from __future__ import annotations

import csv
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.files import atomic
from pgames.games.preference import PreferenceGame
from pgames.progress import progress
from pgames.ratings.elo import elo
from pgames.ratings.nash_average import nash_average
from pgames.ratings.settled import settled
from pgames.votes.comparisons import Comparisons

Array = NDArray[np.float64]

FINAL = 10  # times the matches of a round are played at the end, by members that no longer learn


class Exact(NamedTuple):
    """What is known exactly of the members at the end, in the order of their names.

    elo : float64[K], online Elo over the matches of all rounds; `limit`, where it would settle if the members
        stayed as they are, under the schedule of those matches.
    nash : float64[K], margins against the Nash of the members, `share` their probabilities there.
    best : float64[K], weights of the mixture of members that plays best against all responses.
    gap : float64[K], each member's duality gap; `of_nash` and `of_best` those of the two mixtures.
    """

    items: tuple[str, ...]
    elo: Array
    limit: Array
    nash: Array
    share: Array
    best: Array
    gap: Array
    of_nash: float
    of_best: float


class Played(NamedTuple):
    """A league at the end.

    stream : the matches of all rounds, and `rounds` int64[N] the round of each.
    final : matches of the members as they are at the end.
    rates : float64[K, K], their exact win rates.
    best, gap, of_nash, of_best : as in `Exact`, float64[K] and numbers.
    """

    stream: Comparisons
    rounds: NDArray[np.int64]
    final: Comparisons
    rates: Array
    best: Array
    gap: Array
    of_nash: float
    of_best: float

    def exact(self, k: float) -> Exact:
        """Ratings from the exact win rates, beside the stream of Elo with step k."""
        average = nash_average(PreferenceGame(self.rates, labels=self.stream.items, symmetrise=True))
        limit = settled(self.rates, self.stream.pooled_counts.votes, prior=0.5, items=self.stream.items)
        return Exact(
            self.stream.items,
            elo(self.stream, initial=0.0, k=k).scores,
            limit.scores,
            average.scores,
            average.policy[0],
            self.best,
            self.gap,
            self.of_nash,
            self.of_best,
        )

    def write(self, path: Path) -> None:
        """The matches as a file that `pgames league` and `pgames report` read, with their rounds."""
        names = self.stream.items
        with atomic(path, "w") as file:
            writer = csv.writer(file, lineterminator="\n")
            writer.writerow(["match", "round", "left", "right", "winner"])
            words = {1: "left", 0: "tie", -1: "right"}
            columns = (self.rounds, self.stream.left, self.stream.right, self.stream.winner)
            for n, (t, i, j, won) in enumerate(zip(*(c.tolist() for c in columns), strict=True)):
                writer.writerow([n, t, names[i], names[j], words[won]])


def play(members: list[str], game: PreferenceGame, rounds: int, games: int, match: str, seed: int) -> Played:
    """A league of the solvers named, rated by `games` matches a round in the schedule of its matchmaker.

    Raises ValueError when fewer than two members are given, one twice, or a text names none.
    """
    from pgames.cli.arguments import parse_matchmaker, parse_solver
    from pgames.population.meta import Nash
    from pgames.solvers.league import League
    from pgames.table.arena import TableArena

    if len(members) < 2:
        raise ValueError(f"a league needs at least two members, got {', '.join(members)}: add --solver.")
    if len(set(members)) < len(members):
        raise ValueError(f"a member is given twice, in {', '.join(members)}: name each once.")
    matchmaker = parse_matchmaker(match)
    arena = TableArena(game)
    solver = League(
        tuple(parse_solver(text) for text in members), match=matchmaker, meta=Nash(select="max_entropy")
    )
    try:
        state = solver.init(arena)
    except TypeError as error:
        raise ValueError(str(error)) from None
    rng, stream, when = np.random.default_rng(seed), [], []
    with progress("league", rounds) as bar:
        for t in range(rounds):
            state = solver.step(arena, state)
            rates = state.memory[1].known()
            shares = matchmaker(rates)[0]
            stream.append(_matches(rates[0], shares + shares.T, games, rng))
            when.append(np.full(games, t + 1))
            bar(t + 1)
    rates = state.memory[1].known()
    policies = [one.policy for one in state.memory[0]]
    best = arena.against_all(policies)
    return Played(
        Comparisons(*np.concatenate(stream, axis=1), items=members),
        np.concatenate(when),
        Comparisons(*_matches(rates[0], np.ones_like(rates[0]), FINAL * games, rng), items=members),
        rates[0],
        best.weights[0],
        2 * np.array([float(arena.exploitability(policy)[0]) for policy in policies]),
        2 * float(arena.exploitability(state.policy)[0]),
        2 * float(best.exploitability[0]),
    )


def _matches(rates: Array, shares: Array, games: int, rng: np.random.Generator) -> NDArray[np.int64]:
    """(left, right, winner) int64[3, games] of matches drawn in proportion to the shares of pairs."""
    pairs = np.argwhere(np.tri(len(rates), k=-1).T > 0)
    weights = shares[tuple(pairs.T)]
    if weights.sum() == 0:  # everybody plays itself, so every pair is rated equally
        weights = np.ones(len(pairs))
    left, right = pairs[rng.choice(len(pairs), games, p=weights / weights.sum())].T
    won = np.where(rng.random(games) < rates[left, right], 1, -1)
    return np.stack([left, right, won])
