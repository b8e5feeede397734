"""Judges for runs of several processes: the first process asks, and all get the answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_backend.judges.base import JudgeError, antisymmetric, name_of, partial
from llm_backend.processes.workers import workers


class SharedJudge:
    """A judge that only the first process asks. All processes call `prefer` together and get its answers."""

    as_is = True

    def __init__(self, judge: Any):
        self._judge = judge
        self.name, self.antisymmetric, self.partial = workers().once(
            lambda: (name_of(judge), antisymmetric(judge), partial(judge))
        )

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second | prompt), float64[B] in [0, 1]. Raises the first process's error in all."""
        return workers().once(lambda: self._judge.prefer(prompts, firsts, seconds))


class AbsentJudge:
    """Stands for the judge in the processes that do not load it."""

    as_is = True

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """Raises JudgeError instead of returning float64[B]: only the first process has the judge."""
        raise JudgeError("only the first process has the judge: ask through SharedJudge.")
