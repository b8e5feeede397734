"""The curves of runs side by side: a panel per quantity of their logs, as an image or a page."""

from __future__ import annotations

import math
import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from llm_backend.runs.errors import ConfigError
from llm_backend.runs.logs import Row, rows
from pgames.files import atomic

if TYPE_CHECKING:
    from matplotlib.figure import Figure

QUANTITIES = {  # path in a row of the log -> its label
    "win_rate_reference": "win rate over the reference",
    "exploitability": "exploitability, from below",
    "kl_reference": "KL to the reference (nats)",
    "success": "success in training",
    "attack_success/current": "success of the attacker",
    "attack_success/reference": "success of the base's attacks",
    "attack_success/unseen": "success of unseen attacks",
    "self_bleu": "self-BLEU of attacks",
    "loss": "loss of the last fit",
    "share": "share of the target reached",
    "slope": "realised step",
    "length": "length (tokens)",
    "truncated": "share of responses cut short",
    "tokens_per_second": "tokens drawn a second",
}
LEVELS = {"win_rate_reference": 0.5, "exploitability": 0.0, "share": 1.0, "slope": 1.0}


class Point(NamedTuple):
    """A quantity after a round, with half the width of its interval (0: none)."""

    round: int
    mean: float
    margin: float


def read_runs(folders: Sequence[str | os.PathLike[str]]) -> dict[str, list[Row]]:
    """The rows of the logs by the name of the run.

    Raises ConfigError for a folder without a log, or whose log has no row.
    """
    paths = list(dict.fromkeys(Path(folder) for folder in folders))
    names = [path.resolve().name for path in paths]
    found = {}
    for path, name in zip(paths, names, strict=True):
        if not (path / "log.jsonl").is_file():
            raise ConfigError(f"{path} holds no log.jsonl: pass the folder of a run.")
        if not (log := rows(path / "log.jsonl")):
            raise ConfigError(f"{path / 'log.jsonl'} has no row yet: wait until a round has ended.")
        found[name if names.count(name) == 1 else str(path)] = log
    return found


def points(log: Sequence[Row], quantity: str) -> list[Point]:
    """The recorded values of a quantity, such as "loss" or "seconds/fit"."""
    found = []
    for row in log:
        value: object = row
        for name in quantity.split("/"):
            value = value.get(name) if isinstance(value, Mapping) else None
        mean, margin = (
            (value.get("mean"), value.get("margin", 0)) if isinstance(value, Mapping) else (value, 0)
        )
        if _finite(mean) and _finite(margin):
            found.append(Point(row["round"], float(mean), float(margin)))  # type: ignore[arg-type]
    return found


def curves(runs: Mapping[str, Sequence[Row]]) -> Figure:
    """A panel per quantity that a run has logged, and a line per run with the band of its intervals.

    Raises ValueError when no run has logged any of them.
    """
    from matplotlib.ticker import MaxNLocator

    from pgames.plot.style import COLOURS, DASHES, INK, new_figure, short, style

    shown = [name for name in QUANTITIES if any(points(log, name) for log in runs.values())]
    if not shown:
        raise ValueError("the logs hold no quantity to draw: play a round that is evaluated.")
    rounds = [one.round for log in runs.values() for name in shown for one in points(log, name)]
    pad = 0.05 * (max(rounds) - min(rounds)) or 0.5
    ends = (min(rounds) - pad, max(rounds) + pad)
    wide = min(len(shown), 3)
    high = math.ceil(len(shown) / wide)
    with style():
        figure = new_figure(3.6 * wide, 2.7 * high + 0.5)
        for place, quantity in enumerate(shown):
            axes = figure.add_subplot(high, wide, place + 1)
            for i, (name, log) in enumerate(runs.items()):
                some = points(log, quantity)
                x, y, margin = ([one[k] for one in some] for k in range(3))
                colour = COLOURS[i % len(COLOURS)]
                mark = "o" if len(some) == 1 else None
                dash = DASHES[i % len(DASHES)]
                label = short(name, 44) if place == 0 else None
                axes.plot(x, y, color=colour, linestyle=dash, marker=mark, label=label)
                below, above = ([m + sign * e for m, e in zip(y, margin, strict=True)] for sign in (-1, 1))
                axes.fill_between(x, below, above, color=colour, alpha=0.15, linewidth=0)
            if quantity in LEVELS:
                axes.axhline(LEVELS[quantity], color=INK, linewidth=0.7, linestyle=":")
            axes.set(title=QUANTITIES[quantity], xlabel="rounds", xlim=ends)
            axes.title.set_fontsize(9.5)
            axes.xaxis.set_major_locator(MaxNLocator(integer=True, min_n_ticks=1))
            axes.grid(which="major")
        figure.legend(loc="outside lower center", ncols=min(len(runs), 4))
    return figure


def write_curves(folders: Sequence[str | os.PathLike[str]], out: str | os.PathLike[str]) -> None:
    """Draw the runs in these folders to `out`: .html is a page, .png, .svg and .pdf are images.

    Raises ConfigError for a folder that holds no run, and for another suffix.
    """
    from pgames.plot import save_figure

    target = Path(out)
    if target.suffix.lower() not in (".html", ".png", ".svg", ".pdf"):
        raise ConfigError(f"--out {target}: its suffix must be .html, .png, .svg or .pdf.")
    runs = read_runs(folders)
    if target.suffix.lower() != ".html":
        save_figure(curves(runs), target)
        return
    with atomic(target, "w") as file:
        file.write(_page(runs))


def _page(runs: Mapping[str, Sequence[Row]]) -> str:
    from pgames.report.html import grid, heading, page, paragraph, picture

    title = "Runs: " + ", ".join(runs)
    shown = [name for name in QUANTITIES if any(points(log, name) for log in runs.values())]
    last = [
        [name, str(log[-1]["round"]), *(_last(points(log, quantity)) for quantity in shown)]
        for name, log in runs.items()
    ]
    parts = [
        "<h1>Training runs</h1>",
        picture(
            curves(runs),
            "A panel per quantity, with a line per run",
            "Bands are 95 % intervals over the draws of that round; they do not cover the choice of prompts. "
            "Win rates and KL are measured on fresh draws.",
        ),
        heading("After the last round that was measured"),
        grid(["run", "rounds", *(QUANTITIES[name] for name in shown)], last),
        paragraph("Every number of a round is in log.jsonl, in the folder of its run.", "quiet"),
    ]
    return page(title, parts)


def _last(some: Sequence[Point]) -> str:
    if not some:
        return "–"
    return f"{some[-1].mean:.4g}" + (f" ± {some[-1].margin:.2g}" if some[-1].margin else "")


def _finite(value: object) -> bool:
    return isinstance(value, int | float) and math.isfinite(value)
