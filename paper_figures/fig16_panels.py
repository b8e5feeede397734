"""Members that judge each other: each remedy for self-preference, and where it fails.

Six members of a cycle of five learn by INPO. Some have the bias 1 to themselves, the others 0.1. The verdict
on a pair is that of oneself, of the members outside the pair, of those weighted by six anchors, or of a rule.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, new_figure, style
from pgames.population import Anchors, PanelLeague

if TYPE_CHECKING:
    from matplotlib.figure import Figure

GAME, TAU, ETA, MEMBERS = pg.games.cyclic(5, 0.7), 0.1, 0.5, 6
PAIRS = np.array([(0, y, z) for y in range(5) for z in range(y)])
SIX = Anchors.of_rule(GAME, PAIRS[np.random.default_rng(0).choice(len(PAIRS), 6, replace=False)])
BIASED = (1, 2, 3, 4, 5, 6)
SIZES = {"toy": (3, 1), "quick": (300, 4), "full": (300, 10)}  # rounds, seeds
EXPECTED = {  # of the members, by the number that are biased
    "oneself": {1: 0.12, 2: 0.16, 3: 0.21, 6: 0.35},
    "outside the pair": {1: 0.0001, 2: 0.005, 3: 0.18, 6: 0.39},
    "outside, by anchors": {2: 0.005, 3: 0.11, 6: 0.39},
    "a rule": {},
}


def league(remedy: str, biased: int) -> PanelLeague:
    """The league of a remedy. A rule is a panel of fair judges: its verdicts are those of the game."""
    biases = (1.0,) * biased + (0.1,) * (MEMBERS - biased)
    solver = pg.INPO(TAU, ETA)
    if remedy == "oneself":
        return PanelLeague(solver, biases, "oneself")
    if remedy == "a rule":
        return PanelLeague(solver, (0.0,) * MEMBERS)
    return PanelLeague(solver, biases, "outside", SIX if remedy == "outside, by anchors" else None)


def gaps(remedy: str, biased: int, rounds: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """Duality gaps after `rounds`, float64[S]: the mean over members, and that of their mean."""
    arena = pg.TableArena(GAME, runs=seeds)
    logits = np.stack([np.random.default_rng(s).standard_normal((MEMBERS, 1, 5)) for s in range(seeds)], 1)
    starts = [arena.policy(np.exp(v) / np.exp(v).sum(axis=-1, keepdims=True)) for v in logits]
    playing = league(remedy, biased)
    state = playing.begin(arena, starts)
    for _ in range(rounds):
        state = playing.step(arena.at(state.t), state)
    members = np.mean([2 * arena.exploitability(one.policy) for one in state.memory], axis=0)
    return members, 2 * arena.exploitability(state.policy)


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    rounds, seeds = SIZES[size]
    figure = new_figure(9.4, 4.2)
    panels = figure.subplots(1, 2, sharey=True)
    checks = []
    for i, remedy in enumerate(EXPECTED):
        found = [gaps(remedy, n, rounds, seeds) for n in BIASED]
        for axes, part in zip(panels, (0, 1), strict=True):
            values = np.array([one[part] for one in found])
            axes.plot(BIASED, values.mean(axis=1), color=COLOURS[i], marker="o", ms=4, label=remedy)
            axes.fill_between(
                BIASED, values.min(axis=1), values.max(axis=1), color=COLOURS[i], alpha=0.15, lw=0
            )
        for n, (members, mean) in zip(BIASED, found, strict=True):
            source = "the design" if n in EXPECTED[remedy] else ""
            checks.append(
                Check(f"{remedy}, {n} of 6: members", members.mean(), EXPECTED[remedy].get(n), source)
            )
            checks.append(Check(f"{remedy}, {n} of 6: their mean", mean.mean(), None))
    for axes, title in zip(panels, ("Each member", "The mixture of the members"), strict=True):
        axes.set(xlabel="members with bias 1, of six", title=title)
        axes.grid(which="major")
    panels[0].set_ylabel(f"duality gap after {rounds} rounds")
    panels[0].legend(loc="upper left")
    return figure, checks


if __name__ == "__main__":
    main("fig16_panels", draw)
