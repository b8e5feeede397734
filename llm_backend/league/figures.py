"""The figures of a league: ratings over the rounds, and who beats whom."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import pgames as pg
from llm_backend.runs.logs import Row
from llm_backend.spaces.draws import Floats

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def over_rounds(log: Sequence[Row]) -> Figure:
    """Elo's stream, its limit under the games played, and the distance between members, over the rounds."""
    from matplotlib.ticker import MaxNLocator

    from pgames.plot.style import COLOURS, DASHES, INK, new_figure, short, style

    names = list(dict.fromkeys(one["name"] for row in log for one in row["leaderboard"]))
    with style():
        figure = new_figure(11.0, 3.6)
        for place, (key, title) in enumerate((("elo", "Elo's stream"), ("settled", "limit of the stream"))):
            axes = figure.add_subplot(1, 3, place + 1)
            for i, name in enumerate(names):
                points = [
                    (row["round"], one[key])
                    for row in log
                    for one in row["leaderboard"]
                    if one["name"] == name
                ]
                x, y = zip(*points, strict=True)
                mark = "o" if len(points) == 1 else None
                colour, dash = COLOURS[i % len(COLOURS)], DASHES[i // len(COLOURS) % len(DASHES)]
                axes.plot(x, y, color=colour, linestyle=dash, marker=mark, label=short(name, 24))
            axes.set(title=title, xlabel="round")
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.grid(which="major")
        handles, labels = figure.axes[0].get_legend_handles_labels()
        apart = [(row["round"], row["distance"]) for row in log if row.get("distance") is not None]
        axes = figure.add_subplot(1, 3, 3)
        if apart:
            axes.plot(*zip(*apart, strict=True), color=INK, marker="o")
        axes.set(title="mean distance of learners", xlabel="round", ylim=(0, 1))
        axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
        axes.grid(which="major")
        figure.legend(handles, labels, loc="outside lower center", ncols=min(len(labels), 6), fontsize=8)
    return figure


def who_beats_whom(rates: Floats, names: Sequence[str]) -> Figure:
    """The heat map of win rates float64[K, K]."""
    game = pg.PreferenceGame(rates, labels=list(names), symmetrise=True)
    return pg.plot.heatmap(game)
