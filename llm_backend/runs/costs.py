"""What a run will cost: tokens, verdicts, seconds and memory, and the lines that say so."""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

import torch

from llm_backend.context import Note
from llm_backend.runs.meter import Meter

TRAINING = ("collect", "judge", "score", "fit")  # phases


class Cost(NamedTuple):
    """The cost of a part of a round; seconds without the judge's."""

    drawn: float = 0.0  # tokens
    trained: float = 0.0  # tokens
    verdicts: float = 0.0
    seconds: float = 0.0

    def times(self, factor: float) -> Cost:
        """This cost, so many times."""
        return Cost(*(factor * part for part in self))

    def plus(self, other: Cost) -> Cost:
        """Both costs."""
        return Cost(*(a + b for a, b in zip(self, other, strict=True)))


class Plan(NamedTuple):
    """What a run will cost: per round, evaluations averaged over the rounds, and the page at the end.

    judging : seconds per verdict, or None for a judge that was not timed.
    memory, free : bytes at the peak of the trial, and bytes that are free besides, on `device`.
    disk : bytes of the checkpoints that are kept.
    grows : whether the second round trained clearly more tokens than the first.
    unit : what the numbers `prompts` count. notes : further lines.
    """

    rounds: int
    prompts: tuple[int, int]
    round: Cost
    evaluation: Cost
    page: Cost
    judging: float | None
    memory: float
    free: float
    device: str
    disk: float
    grows: bool
    unit: str = "prompts"
    notes: tuple[str, ...] = ()

    @property
    def share(self) -> float:
        """The share of the time that evaluation takes, in [0, 1]."""
        each = self.judging or 0.0
        train, rest = (part.seconds + each * part.verdicts for part in (self.round, self.evaluation))
        return rest / (train + rest)

    def lines(self) -> list[str]:
        """The plan as lines of a table."""
        one = self.round.plus(self.evaluation)
        whole = one.times(self.rounds).plus(self.page)
        each = self.judging or 0.0
        times = [_time(cost.seconds + each * cost.verdicts) for cost in (one, whole)]
        more = "" if self.judging is not None else ", and the time of the judge, which was not asked"
        table = [
            ("", "a round", f"{self.rounds} rounds" + (" + page" if self.page.drawn else "")),
            ("tokens drawn", f"{one.drawn:,.0f}", f"{whole.drawn:,.0f}"),
            ("tokens trained", f"{one.trained:,.0f}", f"{whole.trained:,.0f}"),
            ("verdicts", f"{one.verdicts:,.0f}", f"{whole.verdicts:,.0f}"),
            ("time", *times),
        ]
        played, seen = self.prompts
        found = [
            f"Measured on {played} {self.unit} a round and {seen} of the evaluation:",
            *(f"{name:16}{first:>14}{last:>20}" for name, first, last in table),
            f"Evaluation takes {100 * self.share:.0f} % of the time and "
            f"{self.evaluation.verdicts / max(one.verdicts, 1):.0%} of the verdicts{more}.",
            f"Memory at the peak: {_size(self.memory)} on {self.device}; {_size(self.free)} more are free. "
            f"Checkpoints: {_size(self.disk)}.",
            *self.notes,
        ]
        if self.grows:
            found.append("Rounds grow: the second trained more tokens than the first; the run costs more.")
        if self.share > 0.5:
            found.append(
                "Evaluation costs more than the rounds: a smaller evaluate.prompts or evaluate.held_out, or "
                "a larger evaluate.every or evaluate.gap_every, costs less."
            )
        return found


def of_training(meter: Meter, journal: Sequence[Note]) -> Cost:
    """What the meter counted since it was cleared, in the phases of training."""
    row = meter.row(journal)
    seconds = sum(meter.seconds[phase] for phase in TRAINING)
    return Cost(row["tokens"], row["tokens_trained"], row["judged"], seconds)


def of_evaluation(meter: Meter, journal: Sequence[Note]) -> Cost:
    """What the meter counted since it was cleared, in the phase "evaluate"."""
    counts, fits = meter.evaluation, meter.row(journal)["tokens_trained"]
    return Cost(counts["tokens"], fits, counts["judged"], meter.seconds["evaluate"])


def memory(device: torch.device) -> tuple[float, float, str]:
    """Bytes at the peak, bytes that are free, and the name of the device."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device), torch.cuda.mem_get_info(device)[0], str(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    names: Mapping[str, int] = os.sysconf_names
    free = "SC_AVPHYS_PAGES" in names and os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return peak, float(free), "the host"


def on_disk(folder: Path) -> int:
    """The bytes of the files in a folder and its folders."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _size(some: float) -> str:
    return f"{some / 2**30:.2f} GiB" if some >= 2**30 else f"{some / 2**20:.3g} MiB"
