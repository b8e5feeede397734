"""Search: how much of a soft best response a number of verdicts gives, by who proposes the responses."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from paper_figures.token_games import STEP, proposed, token_game
from pgames.plot.style import COLOURS, DASHES, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PROPOSERS = {
    "draws of the reference": "reference",
    "draws of the current policy": "current",
    "PUCT": pg.PUCT(1.25),
    "Tempered": pg.Tempered(STEP),
    "Halving": pg.Halving(),
}
GAMES = {  # tokens, length: budgets of verdicts
    "64 responses of 3 tokens": ((4, 3), (8, 16, 32, 48)),
    "625 responses of 4 tokens": ((5, 4), (16, 32, 64, 128, 256)),
}
# of the design, on other games of the same kind; the mean of 20 has a standard error of .02 to .06
EXPECTED = {
    "64 responses of 3 tokens": {"draws of the reference": 0.90, "PUCT": 0.99, "Tempered": 0.96},
    "625 responses of 4 tokens": {"draws of the reference": 0.71, "PUCT": 0.98, "Tempered": 0.97},
}
SEEDS = {"toy": 1, "quick": 6, "full": 20}


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    figure, checks = new_figure(9.6, 4.2), []
    panels = figure.subplots(1, 2, sharey=True)
    for axes, (title, (shape, budgets)) in zip(panels, GAMES.items(), strict=True):
        budgets = budgets[:2] if size == "toy" else budgets
        games = [token_game(shape[0], shape[1], seed) for seed in range(SEEDS[size])]
        for i, (name, rule) in enumerate(PROPOSERS.items()):
            shares = [proposed(game, rule, budgets, seed).value for seed, game in enumerate(games)]
            mean, error = np.mean(shares, axis=0), np.std(shares, axis=0) / np.sqrt(len(games))
            axes.plot(budgets, mean, color=COLOURS[i], ls=DASHES[i], label=name)
            axes.fill_between(budgets, mean - error, mean + error, color=COLOURS[i], alpha=0.18, lw=0)
            at = min(2, len(budgets) - 1)
            expected = EXPECTED[title].get(name) if size == "full" else None
            what = f"{name}: share of the best value after {budgets[at]} verdicts, {title}"
            checks.append(Check(what, float(mean[at]), expected, "design"))
        axes.set(xscale="log", xlabel="verdicts", title=title, ylim=(0.3, 1.03))
        axes.set_xticks(budgets, [str(b) for b in budgets])
        axes.set_xticks([], minor=True)
        axes.grid(which="major")
    panels[0].set_ylabel("share of the best soft value")
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=5)
    return figure, checks


if __name__ == "__main__":
    main("fig12_search", draw)
