"""Who trains when: an attacker with and without a diversity term, at once with the defender or in turns."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from pgames.metrics import RoleEntropy
from pgames.plot.style import COLOURS, new_figure, style
from pgames.roles import named
from pgames.solver import Solver

if TYPE_CHECKING:
    from matplotlib.figure import Figure

ETA = 0.3
WEIGHTS = np.array([0.0, 0.05, 0.5])  # of the attacker's KL to the uniform policy; the defender has none
SCHEDULES: dict[str, Callable[[Solver, Solver], Solver]] = {
    "both at once": pg.Rivals,
    "turns of 1 and 1": pg.Turns,
    "defend 40, attack 20": lambda attacker, defender: pg.Turns(attacker, defender, attack=20, defend=40),
    "defend 20, attack 40": lambda attacker, defender: pg.Turns(attacker, defender, attack=40, defend=20),
}
GAMES = {
    "one defence against all attacks": named.random_roles,
    "an answer to each prompt": lambda seed: named.random_prompts(6, 5, seed),
}
# medians over seeds 0 to 7 after 6000 rounds: the last gap, and the attacker's entropy (of the design)
EXPECTED = {
    "one defence against all attacks": {
        "both at once": ((0.66, 0.021, 0.170), (0.15, 1.32, 1.75)),
        "turns of 1 and 1": ((0.19, 0.021, 0.170), (0.84, 1.32, 1.75)),
        "defend 40, attack 20": ((0.26, 0.144, 0.170), (0.69, 1.16, 1.75)),
        "defend 20, attack 40": ((0.28, 0.186, 0.171), (0.58, 1.03, 1.75)),
    },
    "an answer to each prompt": dict.fromkeys(SCHEDULES, ((0.0, 0.0136, 0.195), (0.0, 0.41, 1.76))),
}
ROUNDS = {"toy": 120, "quick": 6000, "full": 6000}
SEEDS = {"toy": 2, "quick": 8, "full": 8}


def last(schedule: str, game: str, rounds: int, seeds: int) -> tuple[np.ndarray, np.ndarray]:
    """The last gap and the attacker's entropy of every seed and weight, each float64[seeds, W]."""
    solver = SCHEDULES[schedule](pg.INPO(WEIGHTS, ETA), pg.SPPO(ETA))
    gaps, entropies = [], []
    for seed in range(seeds):
        make = GAMES[game]
        arena = pg.RoleArena(make(seed=seed), runs=len(WEIGHTS))
        policy = pg.solve(solver, arena, rounds).policy
        gaps.append(2 * arena.exploitability(policy))
        entropies.append(RoleEntropy("attacker")(arena, policy))
    return np.array(gaps), np.array(entropies)


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    figure, checks = new_figure(9.6, 4.4), []
    panels = figure.subplots(1, 2, sharey=True)
    place = np.arange(len(SCHEDULES))
    for axes, game in zip(panels, GAMES, strict=True):
        found = [last(schedule, game, ROUNDS[size], SEEDS[size]) for schedule in SCHEDULES]
        for w, weight in enumerate(WEIGHTS):
            gaps = np.array([gap[:, w] for gap, _ in found])
            middle = np.median(gaps, axis=1)
            spread = np.abs(np.array([gaps.min(axis=1), gaps.max(axis=1)]) - middle)
            label = f"w = {weight:g}" if weight else "no diversity"
            axes.errorbar(
                place + 0.2 * (w - 1), middle, spread, fmt="o", color=COLOURS[w], capsize=3, label=label
            )
        axes.set_xticks(place, [name.replace(", ", ",\n") for name in SCHEDULES])
        axes.set(xlabel="schedule", title=game)
        for name, (gap, entropy) in zip(SCHEDULES, found, strict=True):
            for w, weight in enumerate(WEIGHTS):
                for what, values, i in (("last gap", gap, 0), ("entropy of the attacker", entropy, 1)):
                    expected = EXPECTED[game][name][i][w]
                    measured = float(np.median(values[:, w]))
                    checks.append(
                        Check(f"{game}, {name}, w = {weight:g}: {what}", measured, expected, "design")
                    )
    panels[0].set_ylabel("gap of the last pair")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=3)
    return figure, checks


if __name__ == "__main__":
    main("fig13_schedules", draw)
