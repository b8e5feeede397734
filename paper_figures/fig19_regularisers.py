"""Regularisers side by side on one cycle: the same solver, five geometries.

EGPO at tau = 0.1 on a cycle of three with a weak fourth response, from the same reference. Left, the weight
of the weak response at equilibrium along tau: KL and reverse KL play it at every tau, chi-square, Tsallis
1.5 and L2 leave it out. Middle, the paths of EGPO among the three of the cycle. Right, the divergence to
the Nash of each geometry: every curve falls at least by the proved factor 1 - eta tau.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, DASHES, INK, new_figure, style
from pgames.plot.triangle import CORNERS
from pgames.regularisers import KL, L2, ChiSquare, ReverseKL, Tsallis

if TYPE_CHECKING:
    from matplotlib.figure import Figure

FIVE = (KL(), ReverseKL(), ChiSquare(), Tsallis(1.5), L2())
TAU, ETA = 0.1, 0.2
SIZES = {"toy": (6, 40), "quick": (50, 400), "full": (200, 700)}  # taus, rounds


def game() -> pg.PreferenceGame:
    """A cycle of three, won by 0.9, and a response that beats nobody."""
    P = np.full((4, 4), 0.5)
    for y, z, p in ((0, 1, 0.9), (1, 2, 0.9), (2, 0, 0.9), (0, 3, 0.7), (1, 3, 0.6), (2, 3, 0.6)):
        P[y, z], P[z, y] = p, 1 - p
    return pg.PreferenceGame(P, [0.55, 0.15, 0.1, 0.2], labels=["a", "b", "c", "weak"])


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    points, rounds = SIZES[size]
    cycle = game()
    figure = new_figure(11.2, 3.9)
    left, middle, right = figure.subplots(1, 3)
    checks = []
    middle.fill(*CORNERS.T, facecolor="none", edgecolor="#D9D9D9", linewidth=1.2)
    for i, regulariser in enumerate(FIVE):
        look = {"color": COLOURS[i], "linestyle": DASHES[i % len(DASHES)], "label": regulariser.name}
        path = pg.nash(cycle, tau=np.geomspace(3e-3, 3, points), regulariser=regulariser)
        weak = path.policy[:, 0, 3]
        left.plot(path.tau, np.where(weak > 0, weak, np.nan), **look)
        arena = pg.TableArena(cycle, regulariser=regulariser)
        nash = pg.nash(cycle, TAU, regulariser=regulariser)
        solver, metric = pg.EGPO(TAU, ETA), pg.metrics.DivergenceToNash(TAU)
        states = [solver.init(arena), *pg.iterate(solver, arena, rounds)]
        three = np.array([arena.probs(one.policy)[0, 0, :3] for one in states])
        middle.plot(*(three / three.sum(axis=1, keepdims=True) @ CORNERS).T, linewidth=1.1, **look)
        star = nash.policy[0, :3] / nash.policy[0, :3].sum() @ CORNERS
        middle.plot(*star, "*", color=COLOURS[i], markeredgecolor=INK, markeredgewidth=0.4, markersize=9)
        away = np.array([metric(arena, one.policy)[0] for one in states])
        right.plot(np.arange(len(away)), np.where(away > 1e-16, away, np.nan), **look)
        factors = away[1:][away[:-1] > 1e-14] / away[:-1][away[:-1] > 1e-14]
        checks += [
            Check(f"{regulariser.name}: exploitability of the Nash", nash.exploitability, 0.0),
            Check(f"{regulariser.name}: weak response at tau = {TAU}", float(nash.policy[0, 3]), None),
            Check(f"{regulariser.name}: worst factor of a round", factors.max(), 1 - ETA * TAU, "at most"),
        ]
    bound = (1 - ETA * TAU) ** np.arange(rounds + 1)
    right.plot(bound, color=INK, linewidth=0.9, linestyle=(0, (1, 1.5)), label="(1 - eta tau)^t")
    left.set(xscale="log", yscale="log", ylim=(1e-5, 1), xlabel="tau", title="The weak response")
    left.set_ylabel("probability at equilibrium")
    left.legend(loc="lower right", fontsize=8)
    for label, (x, y) in zip("abc", ((-0.05, -0.05), (1.05, -0.05), (0.5, 0.92)), strict=True):
        middle.text(x, y, label, ha="center", va="center")
    middle.set(aspect="equal", title=f"EGPO, tau = {TAU}")
    middle.axis("off")
    right.set(
        yscale="log", ylim=(1e-16, 10), xlim=(0, rounds), xlabel="rounds", title="Divergence to the Nash"
    )
    right.legend(loc="lower left", fontsize=8)
    return figure, checks


if __name__ == "__main__":
    main("fig19_regularisers", draw)
