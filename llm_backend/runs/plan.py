"""--plan: what a run will cost, measured on two rounds of a few prompts before the first real one.

Nothing is written to the run's folder. Answers are made up in place of the judge's; a judge on this machine
is timed on a few pairs.
"""

from __future__ import annotations

import importlib
import math
import os
import resource
import sys
import tempfile
import time
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from numpy.typing import NDArray

from llm_backend.judges.base import antisymmetric, name_of
from llm_backend.runs.build import Parts, build
from llm_backend.runs.config import Configuration, EvaluateSettings
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.folder import say
from llm_backend.runs.logs import Row
from llm_backend.runs.measuring import gap_tau, measured
from llm_backend.runs.memory import enough_memory
from llm_backend.runs.meter import Meter
from pgames.solver import State

TIMED = 8  # pairs on which a judge is timed
SLOW = ("Chat", "Human")  # judges that are not timed: a server, and people
GROWTH = 1.2  # from this ratio of two rounds on, the cost of a round is said to grow
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
            f"Measured on {played} prompts a round and {seen} of the evaluation:",
            *(f"{name:16}{first:>14}{last:>20}" for name, first, last in table),
            f"Evaluation takes {100 * self.share:.0f} % of the time and "
            f"{self.evaluation.verdicts / max(one.verdicts, 1):.0%} of the verdicts{more}.",
            f"Memory at the peak: {_size(self.memory)} on {self.device}; {_size(self.free)} more are free. "
            f"Checkpoints: {_size(self.disk)}.",
        ]
        if self.grows:
            found.append("Rounds grow: the second trained more tokens than the first; the run costs more.")
        if self.share > 0.5:
            found.append(
                "Evaluation costs more than the rounds: a smaller evaluate.prompts or evaluate.held_out, or "
                "a larger evaluate.every or evaluate.gap_every, costs less."
            )
        return found


def plan(config: Configuration) -> Plan:
    """Play two rounds of a few prompts in a temporary folder, and scale the second to the whole run.

    Raises ConfigError and OutOfMemory as the run itself.
    """
    if config.roles:
        raise ConfigError(
            "--plan is for runs of one policy: a round of a run with [roles] costs roles.samples attacks on "
            "each seed and roles.replies answers to each; play one round of it (run.rounds = 1)."
        )
    meter = Meter()
    with tempfile.TemporaryDirectory() as name, enough_memory(meter):
        folder, how = Path(name), config.evaluate
        parts = build(config, folder, few=True)
        gap_tau(parts, how)
        importlib.import_module("scipy.stats")  # for intervals; its import is not a cost of a round
        judge = _MadeUp(parts.arena.judge, timed=config.judge.get("kind") not in SLOW)
        say(f"measuring two rounds of {parts.arena.context.per_round} prompts ...")
        parts = parts.metered(meter)
        arena, other = (
            one.within(replace(one.context, judge=meter.judge(judge)))
            for one in (parts.arena, parts.measured)
        )
        parts = parts._replace(arena=arena, measured=other)
        state, trained = parts.solver.init(other), []
        for _ in range(2):  # in the first round many policies are the reference
            meter.clear()
            arena.journal.clear()
            with meter.measure("fit"):
                state = parts.solver.step(arena.at(state.t), state)
            row = meter.row(arena.journal)
            trained.append(row["tokens_trained"])
        seconds = sum(meter.seconds[phase] for phase in TRAINING)
        one = Cost(row["tokens"], row["tokens_trained"], row["judged"], seconds)
        evaluation = _evaluation(parts, state, how, meter)
        checkpoint = folder / "checkpoint"
        other.save(state, checkpoint)
        disk = sum(path.stat().st_size for path in checkpoint.iterdir())
        played, seen = arena.context.per_round, len(other.prompts)
        return Plan(
            config.run.rounds,
            (played, seen),
            one.times(parts.sizes[0] / played),
            evaluation.times(parts.sizes[1] / seen),
            _page(row, parts.sizes[1], how.page),
            judge.seconds,
            *_memory(arena.lm.device),
            config.run.keep * disk,
            trained[1] > GROWTH * trained[0],
        )


def _evaluation(parts: Parts, state: State, how: EvaluateSettings, meter: Meter) -> Cost:
    """The cost of the measurements after a round, averaged over rounds."""
    total, past = Cost(), {t: state.policy for t in range(how.past)}
    for key, every in (("every", how.every), ("gap_every", how.gap_every)):
        if every:
            meter.clear()
            parts.arena.journal.clear()
            only = how.model_copy(update={"every": 0, "gap_every": 0, key: 1})
            with meter.measure("evaluate"):
                measured(parts, state, past, {}, only)
            counts, fits = meter.evaluation, meter.row(parts.arena.journal)["tokens_trained"]
            cost = Cost(counts["tokens"], fits, counts["judged"], meter.seconds["evaluate"])
            total = total.plus(cost.times(1 / every))
    return total


def _page(row: Row, prompts: int, samples: int) -> Cost:
    """The cost of the page of a run: replies of two policies, each judged against all of the other."""
    drawn = 2 * prompts * samples * (row["drawn_length"] or 0)
    return Cost(drawn, 0, prompts * samples**2, drawn / (row["tokens_per_second"] or math.inf))


class _MadeUp:
    """Answers made up in place of a judge; the judge itself is timed on a few pairs."""

    as_is = True

    def __init__(self, judge: Any, timed: bool):
        self._judge, self._left = judge, TIMED if timed else 0
        self.name, self.antisymmetric = name_of(judge), antisymmetric(judge)
        self.seconds: float | None = None  # per pair

    def prefer(
        self, prompts: Sequence[Any], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        if self._left and len(prompts):
            some, self._left = slice(self._left), 0
            began = time.perf_counter()
            self._judge.prefer(prompts[some], firsts[some], seconds[some])
            self.seconds = (time.perf_counter() - began) / min(TIMED, len(prompts))
        ranks = [[zlib.crc32(text.encode()) for text in texts] for texts in (firsts, seconds)]
        return np.array([0.5 if a == b else float(a > b) for a, b in zip(*ranks, strict=True)])


def _memory(device: torch.device) -> tuple[float, float, str]:
    """Bytes at the peak, bytes that are free, and the name of the device."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device), torch.cuda.mem_get_info(device)[0], str(device)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    names: Mapping[str, int] = os.sysconf_names
    free = "SC_AVPHYS_PAGES" in names and os.sysconf("SC_AVPHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    return peak, float(free), "the host"


def _time(seconds: float) -> str:
    if seconds < 120:
        return f"{seconds:.3g} s"
    return f"{seconds / 60:.3g} min" if seconds < 7200 else f"{seconds / 3600:.3g} h"


def _size(some: float) -> str:
    return f"{some / 2**30:.2f} GiB" if some >= 2**30 else f"{some / 2**20:.3g} MiB"
