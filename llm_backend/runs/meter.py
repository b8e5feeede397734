"""The cost of a round: seconds by phase, tokens, lengths, judgements."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_backend.arena import TextArena
from llm_backend.context import Note
from llm_backend.engines.vllm import Discrepancy
from llm_backend.judges.attack import Success
from llm_backend.judges.base import Judge, antisymmetric, name_of, partial
from llm_backend.spaces.draws import Draws
from llm_backend.spaces.metered import metered

PHASES = ("collect", "judge", "score", "fit", "evaluate", "checkpoint")


class Meter:
    """Counts of the round under way. `phase` is the current phase, and `say` is called when it changes."""

    def __init__(self, say: Callable[[str], Any] = lambda phase: None):
        self.say = say
        self.phase = ""
        self.failed = ""  # the innermost phase in which an error was raised
        self.reports: list[Discrepancy] = []  # of a vLLM server, since the run began
        self.reported = 0
        self.clear()

    def clear(self) -> dict[str, float]:
        """Begin a round; returns the seconds of the last one. A checkpoint counts towards the next round."""
        before = {phase: round(spent, 4) for phase, spent in getattr(self, "seconds", {}).items()}
        self.seconds: dict[str, float] = dict.fromkeys(PHASES, 0.0)
        self.drawn = self.tokens = self.truncated = self.judged = 0
        self.fresh_tokens, self.fresh_seconds = 0, 0.0  # of draws that were not read from the disk
        self.evaluation = {"responses": 0, "tokens": 0, "judged": 0}
        self._measured: set[int] = set()
        return before

    @contextmanager
    def measure(self, phase: str) -> Iterator[None]:
        """Time the block and subtract it from the enclosing phase.

        Inside "evaluate" nothing is timed separately.
        """
        if self.phase == "evaluate":
            yield
            return
        outer, self.phase = self.phase, phase
        self.say(phase)
        began = time.perf_counter()
        try:
            yield
        except BaseException:
            self.failed = self.failed or phase
            raise
        finally:
            spent = time.perf_counter() - began
            self.seconds[phase] += spent
            if outer:
                self.seconds[outer] -= spent
            self.phase = outer
            self.say(outer)

    def count(self, draws: Draws) -> None:
        """Count responses and their tokens, drawn or read; those of the evaluation apart."""
        if self.phase == "evaluate":
            same = hash((draws.prompt.tobytes(), draws.tokens))
            if same not in self._measured:  # several measurements share draws
                self._measured.add(same)
                self.evaluation["responses"] += len(draws)
                self.evaluation["tokens"] += sum(map(len, draws.tokens))
            return
        self.drawn += len(draws)
        self.tokens += sum(map(len, draws.tokens))
        self.truncated += int(draws.truncated.sum())

    def drew(self, draws: Draws, seconds: float) -> None:
        """Count responses that were drawn and not read, for the speed of drawing."""
        self.fresh_tokens += sum(map(len, draws.tokens))
        self.fresh_seconds += seconds

    def asked(self, questions: int) -> None:
        """Count questions to the judge; those of the evaluation apart."""
        if self.phase == "evaluate":
            self.evaluation["judged"] += questions
        else:
            self.judged += questions

    def watch(self, arena: TextArena) -> TextArena:
        """A view of the arena in which draws, scores and judgements are measured."""
        if (engine := arena.space.sampling.engine) is not None:
            self.reports = engine.reports
        space = metered(arena.space, self)
        return arena.within(replace(arena.context, space=space, judge=self.judge(arena.judge)))

    def judge(self, judge: Judge) -> Judge:
        """A judge with the same answers, whose time and questions are counted."""
        return _Judge(judge, self)

    def success(self, success: Success) -> Success:
        """A rule of success with the same answers, whose time and questions are counted."""
        return _Success(success, self)

    def row(self, journal: Sequence[Note]) -> dict[str, Any]:
        """The numbers of the round, including those that the arena noted on its fits."""
        fits = [entry for entry in journal if "loss" in entry]
        return {
            **({"loss": fits[-1]["loss"], "losses": [entry["loss"] for entry in fits]} if fits else {}),
            **certificate(fits[-1] if fits else {}),
            "tokens_per_second": self.fresh_tokens / self.fresh_seconds if self.fresh_tokens else None,
            "tokens": self.tokens,
            "tokens_trained": sum(entry.get("tokens", 0) for entry in fits),
            "drawn_length": self.tokens / self.drawn if self.drawn else None,
            "drawn_truncated": self.truncated / self.drawn if self.drawn else None,
            "judged": self.judged,
            **self._discrepancy(),
        }

    def _discrepancy(self) -> dict[str, Any]:
        """How far a server's log-probabilities were from the trainer's in this round, if a server drew."""
        new, self.reported = self.reports[self.reported :], len(self.reports)
        if not new:
            return {}
        tokens = sum(report.tokens for report in new)
        mean, outside = (sum(r[i] * r.tokens for r in new) / tokens for i in (1, 2))
        return {"discrepancy": {"largest": max(r.largest for r in new), "mean": mean, "outside": outside}}


def certificate(note: Mapping[str, Any]) -> dict[str, float]:
    """How far a fit got, by the note of the journal: `share` of its target, `slope` and `r2` held back."""
    return {name: note[name] for name in ("share", "slope", "r2") if note.get(name) is not None}


class _Judge:
    """A judge whose time and questions are counted."""

    as_is = True

    def __init__(self, judge: Any, meter: Meter):
        self._judge, self._meter = judge, meter
        self.name, self.antisymmetric, self.partial = name_of(judge), antisymmetric(judge), partial(judge)

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        self._meter.asked(len(prompts))
        with self._meter.measure("judge"):
            return self._judge.prefer(prompts, firsts, seconds)


class _Success:
    """A rule of success whose time and questions are counted."""

    def __init__(self, success: Any, meter: Meter):
        self._success, self._meter = success, meter
        self.name = name_of(success)

    def __call__(self, prompts: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        self._meter.asked(len(prompts))
        with self._meter.measure("judge"):
            return self._success(prompts, answers)
