"""The audit of votes: how often each probe fires on each planted board, and what one planted board shows.

Left: the share of boards (rows: the planted fault; columns: the probe) on which a probe fires at its level of
.01. The diagonal is the power, the row "clean" the rate of false alarms. Right: a board of annotators with
tastes. Intervals that draw single votes are too narrow; those that draw whole annotators hold.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

import pgames as pg
from paper_figures.gallery import Check, Size, main
from paper_figures.planted_boards import BOARDS, STRENGTH, clean, tastes
from pgames.plot.style import COLOURS, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

SIZES = {"toy": (1, 10, 2), "quick": (20, 60, 12), "full": (100, 100, 60)}  # boards, resamples, for coverage


def fired(make, boards: int, probes: Sequence[str]) -> np.ndarray:
    """float64[P]: the share of boards on which each probe fires."""
    out = np.zeros(len(probes))
    for seed in range(boards):
        board = make(seed)
        found = pg.audit(board.votes, board.annotator, board.time, seed=seed, resamples=2)
        out += [bool(found[probe].fires) for probe in probes]
    return out / boards


def scores(votes: pg.Comparisons) -> pg.ratings.Ratings:
    return pg.ratings.bradley_terry(votes, prior=0.5, level=None)


def intervals(seed: int, resamples: int, clustered: bool) -> tuple[np.ndarray, np.ndarray]:
    """(scores float64[Y], bootstrap intervals float64[Y, 2]) of a board of annotators with tastes."""
    board = tastes(seed)
    people = np.unique(board.annotator, return_inverse=True)[1] if clustered else None
    found = pg.ratings.bootstrap(scores, board.votes, resamples, seed, clusters=people)
    assert found.intervals is not None
    return found.scores, found.intervals


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    boards, resamples, repeats = SIZES[size]
    probes = tuple(BOARDS)
    table = np.array([fired(make, boards, probes) for make in (clean, *BOARDS.values())])
    figure = new_figure(11.5, 4.9)
    left, right = figure.subplots(1, 2, width_ratios=(1.25, 1), gridspec_kw={"wspace": 0.05})
    image = left.imshow(table, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for (row, column), share in np.ndenumerate(table):
        if share > 0:
            colour = "white" if share > 0.6 else "black"
            left.text(column, row, f"{share:.2g}", ha="center", va="center", fontsize=7, color=colour)
    left.set_xticks(range(len(probes)), probes, rotation=45, ha="right")
    left.set_yticks(range(len(table)), ("clean", *probes))
    left.set(xlabel="probe", ylabel="planted fault", title=f"Share of {boards} boards on which a probe fires")
    left.grid(visible=False)
    figure.colorbar(image, ax=left, fraction=0.04)
    covered = {}
    for i, (name, clustered) in enumerate({"single votes": False, "whole annotators": True}.items()):
        found = [intervals(seed, resamples, clustered) for seed in range(repeats)]
        inside = [(ends[:, 0] <= STRENGTH) & (STRENGTH <= ends[:, 1]) for _, ends in found]
        covered[name] = float(np.mean(inside))
        centre, ends = found[0]
        place = np.arange(len(centre)) + 0.16 * (2 * i - 1)
        right.errorbar(
            place,
            centre,
            yerr=np.abs(ends.T - centre),
            fmt="o",
            ms=4,
            capsize=3,
            color=COLOURS[i],
            label=f"draws {name} (covers {covered[name]:.0%})",
        )
    right.plot(
        np.arange(len(STRENGTH)), STRENGTH, ls="", marker="_", ms=22, color="black", label="true score"
    )
    right.set_xticks(range(len(STRENGTH)), tuple("ABCDEF"))
    right.set(ylabel="Bradley-Terry score, 95 % bootstrap interval", title="Annotators with tastes")
    right.grid(which="major")
    right.legend(loc="lower left")
    checks = [
        Check(f"power: {probe}", table[1 + k, k], 1.0, "the planted fault") for k, probe in enumerate(probes)
    ]
    alarms = float(np.delete(table[0], [0, 2, 6]).mean())  # of the probes that have a p-value
    checks.append(Check("false alarms on a clean board", alarms, 0.01, "the level"))
    checks += [Check(f"coverage, draws {name}", share, 0.95, "") for name, share in covered.items()]
    return figure, checks


if __name__ == "__main__":
    main("fig20_audit", draw)
