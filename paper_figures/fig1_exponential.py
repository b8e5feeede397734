"""Panel a: regret against 1/tau on hidden_rps. It is exponential without exploration only."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, INK, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

LEARNERS = {
    "passive (both from the policy), mean": pg.OnPolicyGreedy,
    "greedy (second from the reference)": pg.Greedy,
    "optimistic": pg.Optimistic,
    "enhancer": pg.Enhancer,
    "uniform second player": pg.UniformAdversary,
}
KAPPA = 0.2
SIZES = {  # values of 1 / tau, rounds, seeds
    "toy": ((20, 35, 50), 10**3, 2),
    "quick": ((10, 20, 30, 40, 50), 10**6, 40),
    "full": ((5, 10, 15, 20, 25, 30, 35, 40, 45, 50), 10**6, 200),
}


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    values, rounds, seeds = SIZES[size]
    inverse = np.array(values)
    figure = new_figure(7.2, 4.4)
    axes = figure.add_subplot()
    finals: dict[str, np.ndarray] = {}
    for i, (name, learner) in enumerate(LEARNERS.items()):
        runs = [
            pg.simulate(learner(1 / k), pg.games.hidden_rps(1 / k), rounds, seeds, refresh=1.02, record=20)
            for k in inverse
        ]
        final = np.stack([curve.regret[:, -1] for curve in runs])
        finals[name] = final
        mean, error = final.mean(axis=1), final.std(axis=1) / np.sqrt(seeds)
        axes.errorbar(inverse, mean, 1.96 * error, color=COLOURS[i], marker="o", ms=4, capsize=2, label=name)
        if i == 0:
            axes.plot(inverse, np.median(final, axis=1), color=COLOURS[0], ls=":", label="passive, median")
    guide = finals["greedy (second from the reference)"][-1].mean() * np.exp(KAPPA * (inverse - inverse[-1]))
    axes.plot(inverse, guide, color=INK, ls=(0, (1, 2)), label=f"growth exp({KAPPA} / tau)")
    axes.set(yscale="log", xlabel="1 / tau", ylabel=f"regret after {rounds:.0e} rounds of one duel")
    axes.grid(which="major")
    axes.legend(loc="upper left")
    return figure, _checks(inverse, finals)


def _checks(inverse: np.ndarray, finals: dict[str, np.ndarray]) -> Sequence[Check]:
    late = inverse >= 20
    passive, greedy, optimistic, enhancer, _ = (np.log(final.mean(axis=1))[late] for final in finals.values())
    x = inverse[late]
    return [
        Check("greedy: d ln Reg / d(1/tau)", np.polyfit(x, greedy, 1)[0], 0.187, "kappa = 0.2 in theory"),
        Check("passive mean: d ln Reg / d(1/tau)", np.polyfit(x, passive, 1)[0], 0.117, "dirty: heavy tail"),
        Check("optimistic: power of 1/tau", np.polyfit(np.log(x), optimistic, 1)[0], 0.94),
        Check("enhancer: power of 1/tau", np.polyfit(np.log(x), enhancer, 1)[0], 0.86),
        *(
            Check(f"{name.split()[0].rstrip(',')} at 1/tau = 50", final[-1].mean(), expected)
            for (name, final), expected in zip(finals.items(), (63103, 20361, 73.6, 48.8, 49.5), strict=True)
        ),
    ]


if __name__ == "__main__":
    main("fig1_exponential", draw)
