"""Rehearsal: a meter under which verdicts are made up, for a trial that asks a judge about few pairs."""

from __future__ import annotations

import time
import zlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_backend.judges.attack import Success
from llm_backend.judges.base import Judge, antisymmetric, name_of
from llm_backend.runs.meter import Meter

TIMED = 8  # pairs on which a judge is timed, and answers on which a rule of success is
SLOW = ("Chat", "Human")  # judges that are not timed: a server, and people


class Rehearsal(Meter):
    """A meter of a trial: its judges and rules of success give made-up verdicts that follow from the texts.

    judge : the table [judge]; unless it names one of `SLOW`, the judge itself is timed on a few pairs.
    """

    def __init__(self, judge: Mapping[str, Any]):
        super().__init__()
        self._left = {"judge": 0 if _slow(judge) else TIMED, "success": TIMED}
        self._seconds, self._pairs = 0.0, 0

    @property
    def judging(self) -> float | None:
        """Seconds per verdict, or None when nothing was timed."""
        return self._seconds / self._pairs if self._pairs else None

    def judge(self, judge: Judge) -> Judge:
        """A judge of made-up verdicts, whose questions are counted."""
        return super().judge(_Judge(judge, self))

    def success(self, success: Success) -> Success:
        """A rule of made-up success, whose questions are counted."""
        return super().success(_Success(success, self))

    def timed(self, what: str, ask: Callable[..., Any], *rows: Sequence[str]) -> None:
        """Ask the judge or the rule itself about the first rows, until a few have been timed."""
        some = min(self._left[what], len(rows[0]))
        if some:
            self._left[what] -= some
            began = time.perf_counter()
            ask(*(row[:some] for row in rows))
            self._seconds += time.perf_counter() - began
            self._pairs += some


class _Judge:
    as_is = True

    def __init__(self, judge: Any, rehearsal: Rehearsal):
        self._judge, self._rehearsal = judge, rehearsal
        self.name, self.antisymmetric = name_of(judge), antisymmetric(judge)

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        self._rehearsal.timed("judge", self._judge.prefer, prompts, firsts, seconds)
        ranks = [[zlib.crc32(text.encode()) for text in texts] for texts in (firsts, seconds)]
        return np.array([0.5 if a == b else float(a > b) for a, b in zip(*ranks, strict=True)])


class _Success:
    def __init__(self, success: Any, rehearsal: Rehearsal):
        self._success, self._rehearsal = success, rehearsal
        self.name = name_of(success)

    def __call__(self, prompts: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        self._rehearsal.timed("success", self._success, prompts, answers)
        return np.array([float(zlib.crc32(text.encode()) % 2) for text in answers])


def _slow(judge: Mapping[str, Any]) -> bool:
    """Whether a judge, or one of those that it holds, asks a server or people."""
    inner = judge.get("judges")
    held = inner if isinstance(inner, list) else []
    return judge.get("kind") in SLOW or any(_slow(one) for one in held if isinstance(one, Mapping))
