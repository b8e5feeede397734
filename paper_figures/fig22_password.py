"""The password game on SmolLM2: how often attackers succeed on defenders that were trained in two ways."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from benchmarks.llm_password import ATTACKERS, DEFENDERS, SEEDS, played
from paper_figures.gallery import Check, Size, main
from pgames.plot.style import COLOURS, INK, new_figure, style

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PLAYED = Path("results") / "password"  # of `python -m benchmarks.llm_password`; what is missing is played
NAMES = {
    "fresh": "trained afresh",
    "unseen": "by hand, unseen",
    "fixed": "by hand, trained on",
    "reference": "the base's",
}


@style()
def draw(size: Size) -> tuple[Figure, Sequence[Check]]:
    if size == "full":
        return _drawn(PLAYED, toy=False)
    with tempfile.TemporaryDirectory() as folder:
        return _drawn(Path(folder), toy=True)


def _drawn(folder: Path, toy: bool) -> tuple[Figure, list[Check]]:
    runs = {
        train: [played(toy, folder, train, seed) for seed in range(1 if toy else SEEDS)]
        for train in DEFENDERS
    }
    success = {"the base": [one["attack_success_base"] for many in runs.values() for one in many]}
    success |= {
        f"trained {label}": [one["attack_success"] for one in runs[train]]
        for train, label in DEFENDERS.items()
    }
    ordinary = {
        label: [one["win_rate_reference"] for one in runs[train]] for train, label in DEFENDERS.items()
    }
    ratio = _mean(success["trained against an attacker"], "fresh") / max(
        _mean(success["trained on fixed attacks"], "fresh"), 1e-9
    )
    return _figure(success, ordinary), [
        Check("success of fresh attackers, of the baseline's", ratio, 0.5, "at most"),
        *(
            Check(
                f"win rate on ordinary prompts, trained {label}",
                float(np.mean([o["mean"] for o in many])),
                0.45,
            )
            for label, many in ordinary.items()
        ),
    ]


def _figure(
    success: Mapping[str, list[dict[str, Any]]], ordinary: Mapping[str, list[dict[str, float]]]
) -> Figure:
    figure = new_figure(10.0, 3.8)
    left, right = figure.subplots(1, 2, width_ratios=[2.4, 1], gridspec_kw={"wspace": 0.06})
    place, width = np.arange(len(ATTACKERS)), 0.8 / len(success)
    for i, (label, runs) in enumerate(success.items()):
        for j, name in enumerate(ATTACKERS):
            values = [one[name]["mean"] for one in runs]
            at = place[j] - 0.4 + width * (i + 0.5)
            left.bar(at, np.mean(values), width, color=COLOURS[i], label=label if j == 0 else None)
            margin = runs[0][name]["margin"] if len(values) == 1 else 0.0
            left.errorbar([at] * len(values), values, margin, color=INK, ls="", marker=".", ms=4, capsize=2)
    left.set_xticks(place, [NAMES[name] for name in ATTACKERS])
    left.set(xlabel="attacks", ylabel="success", ylim=(0, None), title="Attacks on held-out seeds")
    left.set_ylim(0, 1.25 * left.get_ylim()[1])  # room for the legend
    left.legend(loc="upper right")
    for i, many in enumerate(ordinary.values()):
        values = [one["mean"] for one in many]
        right.bar(i, np.mean(values), 0.5, color=COLOURS[i + 1])
        margin = many[0]["margin"] if len(values) == 1 else 0.0
        right.errorbar([i] * len(values), values, margin, color=INK, ls="", marker=".", capsize=2)
    right.axhline(0.5, color=INK, lw=0.8, ls=":")
    right.set_xticks(range(len(ordinary)), [label.replace(" ", "\n", 1) for label in ordinary])
    right.set(xlabel="trained", ylabel="win rate over the base", ylim=(0, 1), title="Ordinary prompts")
    return figure


def _mean(runs: Sequence[dict[str, Any]], name: str) -> float:
    """The mean success of an attacker over runs."""
    return float(np.mean([one[name]["mean"] for one in runs]))


if __name__ == "__main__":
    main("fig22_password", draw)
