"""A disc with a ranking: how populations close the gap, which strategies are on one level, and how the
schedule of matches decides Elo."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, DASHES, new_figure, style
from pgames.population import Latest, Uniform

if TYPE_CHECKING:
    from matplotlib.figure import Figure

CALLS = 12
SOLVERS = {
    "PSRO": pg.PSRO(),
    "anytime PSRO": pg.AnytimePSRO(),
    "uniform": pg.PSRO(meta=Uniform()),
    "self-play": pg.PSRO(meta=Latest()),
}
RPS = np.array([[0.5, 0.9, 0.1], [0.1, 0.5, 0.9], [0.9, 0.1, 0.5]])
MET = (1 / 3, 0.5, 0.65, 0.8, 0.9)  # share of the games that the first pair plays
K = 16.0  # step of online Elo
SEEDS = {"toy": 1, "quick": 6, "full": 20}
GAMES = {"toy": 2000, "quick": 60_000, "full": 60_000}


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    figure, checks = new_figure(11.0, 3.8), []
    gaps, clusters, schedule = figure.subplots(1, 3)
    seeds = range(SEEDS[size])

    for i, (name, solver) in enumerate(SOLVERS.items()):
        curves = np.array([gaps_of(solver, seed) for seed in seeds])
        median = np.maximum(np.median(curves, axis=0), 1e-16)
        gaps.plot(range(CALLS + 1), median, color=COLOURS[i], ls=DASHES[i], label=name)
        checks.append(Check(f"{name}: median gap after {CALLS} calls", float(median[-1]), None))
    gaps.set(xlabel="calls of the oracle", ylabel="duality gap", yscale="log", title="Populations")

    found = pg.ratings.nash_clusters(pg.games.disc_and_skill(60))
    points = points_of(60)
    for depth, cluster in enumerate(found):
        ring = cluster[np.argsort(np.arctan2(*points[cluster].T))]
        shade = str(0.15 + 0.7 * depth / len(found))
        label = "Nash clusters, the strongest darkest" if depth == 0 else None
        clusters.plot(*points[[*ring, ring[0]]].T, "o-", ms=3, lw=1, color=shade, label=label)
    members = members_of_psro()
    clusters.plot(*points[members].T, "o", ms=9, mfc="none", color=COLOURS[1], label="members of PSRO")
    clusters.set(xlabel="", aspect="equal", title="Strategies on the disc", ylim=(-1.1, 1.45))
    clusters.axis("off")
    sizes = [len(one) for one in found]
    checks.append(Check("Nash clusters of the 60 strategies", len(sizes), None))
    checks.append(Check("strategies in the strongest cluster", sizes[0], None))
    checks.append(Check("strategies in a cluster, mean", float(np.mean(sizes)), None))
    checks.append(Check("members of PSRO at the Nash", len(members), None))

    grid = np.linspace(1 / 3, 0.95, 40)
    limit = [pg.ratings.settled(RPS, shares_of(met)).scores[0] for met in grid]
    schedule.plot(grid, limit, color=COLOURS[0], label="limit of Elo")
    online = np.array([[online_elo(met, GAMES[size], seed) for seed in seeds] for met in MET])
    middle, spread = online[..., 0].mean(axis=1), online[..., 1].mean(axis=1)
    schedule.errorbar(MET, middle, spread, fmt="o", ms=4, color=COLOURS[1], label=f"online, k = {K:g}")
    schedule.axhline(0, color=COLOURS[2], ls=DASHES[1], label="Nash averaging")
    schedule.set(
        xlabel="share of games of one pair", ylabel="rating of an equal player", title="Elo and its schedule"
    )
    checks.append(Check("limit of Elo where a pair has 80 % of the games", limit_at(0.8), 135.74, "design"))
    checks.append(Check("online Elo there", float(middle[MET.index(0.8)]), 138.4, "design"))
    for axes in (gaps, schedule):
        axes.grid()
    for axes in (gaps, clusters, schedule):
        axes.legend(loc="upper center" if axes is clusters else "best")
    return figure, checks


def gaps_of(solver: pg.PSRO | pg.AnytimePSRO, seed: int) -> list[float]:
    """The duality gap from the first strategy on."""
    arena = pg.TableArena(pg.games.disc_and_skill(60, seed=seed))
    start = solver.starting(arena, [arena.policy(np.eye(60)[0])])
    states = [start, *pg.iterate(solver, arena, CALLS, start)]
    return [2 * float(arena.exploitability(state.policy)[0]) for state in states]


def points_of(n: int, seed: int = 0) -> np.ndarray:
    """The points of `pg.games.disc_and_skill` on the disc, float64[n, 2]: its first random numbers."""
    rng = np.random.default_rng(seed)
    angle, radius = 2 * np.pi * rng.random(n), np.sqrt(rng.random(n))
    return np.stack([radius * np.cos(angle), radius * np.sin(angle)], axis=1)


def members_of_psro() -> list[int]:
    """The strategies that PSRO has added when it arrives at the Nash."""
    arena = pg.TableArena(pg.games.disc_and_skill(60))
    state = pg.PSRO().starting(arena, [arena.policy(np.eye(60)[0])])
    while arena.exploitability(state.policy)[0] > 1e-12:
        state = pg.PSRO().step(arena, state)
    return sorted({int(member.argmax()) for member in state.memory[0]})


def shares_of(met: float) -> np.ndarray:
    """The schedule in which the first pair has the share `met` and the two others the rest."""
    rest = (1 - met) / 2
    return np.array([[0, met, rest], [met, 0, rest], [rest, rest, 0]])


def limit_at(met: float) -> float:
    """Where the rating of the first player settles."""
    return float(pg.ratings.settled(RPS, shares_of(met)).scores[0])


def online_elo(met: float, games: int, seed: int) -> tuple[float, float]:
    """Mean and deviation of the first player's rating over the second half of the games."""
    rng = np.random.default_rng([seed, round(1000 * met)])
    pair = rng.choice(3, size=games, p=[met, (1 - met) / 2, (1 - met) / 2])
    left, right = np.array([0, 0, 1])[pair], np.array([1, 2, 2])[pair]
    won = (rng.random(games) < RPS[left, right]).astype(float)
    R, seen = [0.0, 0.0, 0.0], np.empty(games)
    for n, (i, j, w) in enumerate(zip(left.tolist(), right.tolist(), won.tolist(), strict=True)):
        change = K * (w - 1 / (1 + 10 ** ((R[j] - R[i]) / 400)))
        R[i] += change
        R[j] -= change
        seen[n] = R[0]
    late = seen[games // 2 :]
    return float(late.mean()), float(late.std())


if __name__ == "__main__":
    main("fig14_league", draw)
