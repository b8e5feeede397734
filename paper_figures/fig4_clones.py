"""Panel d: clones. A uniform second player pays for every copy of a response, an exploring one does not.

Every cycle response of hidden_rps stands for C clones that the learner knows to be the same. A second player
uniform over all 3C + 2 responses plays the five groups in the ratio C : C : C : 1 : 1.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

EXPECTED = {0.02: (41, 147, 878, 5266), 0.04: (25, 74, 456, 2899)}
EXPLORING = {
    (0.02, "Enhancer"): 38,
    (0.02, "Optimistic"): 61,
    (0.04, "Enhancer"): 22,
    (0.04, "Optimistic"): 36,
}
COPIES = (1, 20, 200, 2000)
SIZES = {"toy": (300, 2), "quick": (10**5, 40), "full": (10**5, 200)}  # rounds, seeds


@dataclass(frozen=True)
class UniformOverClones:
    """The second player is uniform over 3 C + 2 responses."""

    tau: float
    copies: int

    def init(self, arena: Any) -> pg.State:
        return pg.State(0, arena.reference, arena.no_duels())

    def step(self, arena: Any, state: pg.State) -> pg.State:
        C = self.copies
        explorer = arena.policy(np.array([C, C, C, 1, 1]) / (3 * C + 2))
        evidence = state.memory + arena.duel(explorer, state.policy)
        return pg.State(
            state.t + arena.rounds, arena.believe(evidence).nash(self.tau, state.policy), evidence
        )


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    rounds, seeds = SIZES[size]
    figure = new_figure(6.6, 4.2)
    axes = figure.add_subplot()
    checks = []
    for i, tau in enumerate((0.02, 0.04)):
        game = pg.games.hidden_rps(tau)

        def regret(learner: Any, tau: float = tau, game: pg.PreferenceGame = game) -> np.ndarray:
            curve = pg.simulate(learner, game, rounds, seeds, tau=tau, refresh=1.02, record=10)
            return curve.regret[:, -1]

        uniform = [regret(UniformOverClones(tau, C)) for C in COPIES]
        means = [final.mean() for final in uniform]
        axes.plot(COPIES, means, color=COLOURS[i], marker="o", label=f"uniform, tau = {tau}")
        for C, mean, expected in zip(COPIES, means, EXPECTED[tau], strict=True):
            checks.append(Check(f"uniform, tau = {tau}, C = {C}", mean, expected))
        for learner, dash in ((pg.Enhancer(tau), "--"), (pg.Optimistic(tau), ":")):
            name = type(learner).__name__
            mean = regret(learner).mean()
            axes.plot(COPIES, [mean] * 4, color=COLOURS[i], ls=dash, label=f"{name.lower()}, tau = {tau}")
            checks.append(Check(f"{name.lower()}, tau = {tau}, any C", mean, EXPLORING[tau, name]))
    axes.set(
        xscale="log",
        yscale="log",
        xlabel="clones C of each cycle response",
        ylabel=f"regret after {rounds:.0e} rounds",
    )
    axes.grid(which="major")
    axes.legend(loc="upper left")
    return figure, checks


if __name__ == "__main__":
    main("fig4_clones", draw)
