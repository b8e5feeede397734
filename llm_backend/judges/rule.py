"""Rule: a judge made of a Python function, either a score per response or a preference for the pair."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_backend.judges.base import JudgeError, Symmetrised, check_answers, check_batch, excerpt, raised


class Rule:
    """Prefers the response with the higher `score(prompt, response)`; equal scores give 1/2.

    Parameters
    ----------
    score : (prompt, response) -> a finite number; called once per distinct response of a batch.
    prefer : instead of `score`, (prompt, first, second) -> P in [0, 1]; averaged over both orders.
    name : identifies the answers for a cache; the function's name by default.
    workers : threads that call the function, useful when it waits for a subprocess or the network.

    Raises TypeError unless exactly one function is given, ValueError for workers < 1; `prefer` raises
    JudgeError when the function raises or returns anything else.
    """

    as_is = True

    def __init__(
        self,
        score: Callable[[str, str], float] | None = None,
        *,
        prefer: Callable[[str, str, str], float] | None = None,
        name: str | None = None,
        workers: int = 1,
    ):
        if (score is None) == (prefer is None):
            raise TypeError("Rule needs either score(prompt, response) or prefer=f(prompt, first, second).")
        if workers < 1:
            raise ValueError(f"Rule: workers must be at least 1, got {workers}.")
        function = score or prefer
        self.score, self.workers = score, workers
        self.name = f"Rule({name or getattr(function, '__qualname__', repr(function))})"
        self._both = None if prefer is None else Symmetrised(_Function(self.name, prefer, workers))

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        if self._both is not None:
            return self._both.prefer(prompts, firsts, seconds)
        check_batch(prompts, firsts, seconds)
        difference = self.scores(prompts, firsts, seconds)
        return (1 + np.sign(difference[0] - difference[1])) / 2

    def scores(self, prompts: Sequence[str], *responses: Sequence[str]) -> NDArray[np.float64]:
        """The score of every response, float64[N, B] for N lists. Raises TypeError for a rule of `prefer`."""
        if self.score is None:
            raise TypeError(f"{self.name} compares pairs and has no scores: pass score=f, not prefer=f.")
        pairs = list(dict.fromkeys(pair for some in responses for pair in zip(prompts, some, strict=True)))
        values = dict(zip(pairs, results(self.name, self.score, pairs, self.workers), strict=True))
        return np.array([[values[pair] for pair in zip(prompts, some, strict=True)] for some in responses])


class _Function:
    """A preference function as a judge, in the order given."""

    def __init__(self, name: str, prefer: Callable[[str, str, str], float], workers: int):
        self.name, self.function, self.workers = name, prefer, workers

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        items = list(zip(prompts, firsts, seconds, strict=True))
        return check_answers(
            self.name, results(self.name, self.function, items, self.workers), prompts, firsts, seconds
        )


def results(name: str, function: Callable[..., Any], items: list[tuple], workers: int) -> list[float]:
    """function(*item) of every item, in order, called in so many threads.

    Raises JudgeError, naming the item, when the function raises or returns no finite number.
    """

    def call(item: tuple) -> float:
        shown = ", ".join(excerpt(text) for text in item)
        try:
            value = function(*item)
        except Exception as error:
            raise JudgeError(
                f"{name} raised {raised(error)}, on ({shown}): repair the function, or let "
                "it return a low score for such a response."
            ) from error
        try:
            number = float("nan" if isinstance(value, str | bytes) else value)
        except (TypeError, ValueError, OverflowError):
            number = float("nan")
        if not np.isfinite(number):
            raise JudgeError(f"{name} returned {excerpt(value)} on ({shown}): return a finite number.")
        return number

    if workers == 1:
        return [call(item) for item in items]
    with ThreadPoolExecutor(workers) as pool:
        return list(pool.map(call, items))
