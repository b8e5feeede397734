"""A league of eight on SmolLM2: ratings while members learn, who beats whom, best responses to its end."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, DASHES, INK, PALE, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

RECIPE = Path(__file__).parents[1] / "llm_backend" / "recipes" / "league.toml"
PLAYED = Path("results") / "runs" / "league"  # a league that was interrupted goes on


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    if size == "full":
        return _read(_played(PLAYED, tiny=False))
    with tempfile.TemporaryDirectory() as folder:
        return _read(_played(Path(folder) / "league", tiny=True))


def _played(folder: Path, tiny: bool) -> Path:
    """The folder of the league of the recipe, played to its end; `tiny`: at a toy's scale."""
    from llm_backend.league import settings
    from llm_backend.league.loop import run

    config = settings.read(RECIPE)
    assert isinstance(config, settings.LeagueConfiguration)
    config = config.tiny() if tiny else config
    placed = config.run.model_copy(update={"out": str(folder)})
    if not (folder / "page.json").is_file():
        run(config.model_copy(update={"run": placed}), resume=True)
    return folder


def _read(folder: Path) -> tuple[Figure, list[Check]]:
    """The figure of a league, from its log and the numbers of its page."""
    from llm_backend.runs.logs import rows

    log, found = rows(folder / "log.jsonl"), json.loads((folder / "page.json").read_text(encoding="utf-8"))
    apart = [row["distance"] for row in log if row.get("distance") is not None]
    gaps, gains = found["exploitability"], found["best_responses"]
    return _figure(log, found), [
        Check("exploitability of the best mixture in the listed game", gaps["best"], None),
        Check("of the league's own answer", gaps["answer"], None),
        Check("of the least exploitable member", gaps["member"], None),
        *(
            Check(f"win rate of a best response trained against {name}", one["mean"], None)
            for name, one in gains.items()
        ),
        Check("mean distance of learners after the first round", apart[0], None),
        Check("mean distance of learners at the end", apart[-1], None, "no collapse: above 0"),
    ]


def _figure(log: Sequence[dict[str, Any]], found: dict[str, Any]) -> Figure:
    from matplotlib.ticker import MaxNLocator

    figure = new_figure(12.0, 4.2)
    left, middle, right = figure.subplots(1, 3, width_ratios=[1.3, 1.2, 1], gridspec_kw={"wspace": 0.08})
    for name in found["members"]:
        points = _ratings(log, name)
        if "@" in name and points:  # a snapshot
            left.plot(*zip(*points, strict=True), color=PALE, lw=0.8)
    names = [name for name in found["members"] if "@" not in name]
    for i, name in enumerate(names):
        dash = DASHES[i // len(COLOURS) % len(DASHES)]
        left.plot(
            *zip(*_ratings(log, name), strict=True), color=COLOURS[i % len(COLOURS)], ls=dash, label=name
        )
    left.set(xlabel="round", ylabel="rating: the limit of Elo", title="Ratings in training")
    left.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
    left.legend(fontsize=6, ncols=2)
    table, members = np.array(found["win_rates"], dtype=float), found["members"]
    shown = middle.imshow(table, cmap="RdBu_r", vmin=0, vmax=1)
    place = range(len(members))
    middle.set_xticks(place, members, rotation=90, fontsize=6)
    middle.set_yticks(place, members, fontsize=6)
    middle.set(title="Win rate of the row")
    figure.colorbar(shown, ax=middle, shrink=0.8)
    gains = found["best_responses"]
    mean, margin = ([one[key] for one in gains.values()] for key in ("mean", "margin"))
    right.bar(range(len(gains)), mean, 0.5, yerr=margin, color=COLOURS[: len(gains)], capsize=3)
    labels = {"final": "the final\nmixture", "base": "the base"}
    right.set_xticks(range(len(gains)), [labels.get(name, name) for name in gains])
    right.axhline(0.5, color=INK, lw=0.8, ls=":")
    right.set(ylabel="its win rate", xlabel="trained against", ylim=(0, 1), title="A best response")
    return figure


def _ratings(log: Sequence[dict[str, Any]], name: str) -> list[tuple[int, float]]:
    """The rounds of a member, with its rating in each."""
    return [
        (row["round"], one["settled"]) for row in log for one in row["leaderboard"] if one["name"] == name
    ]


if __name__ == "__main__":
    main("fig21_smollm2_league", draw)
