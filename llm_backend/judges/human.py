"""Human: people as the judge of a run, on the page that `python -m llm_backend vote` serves."""

from __future__ import annotations

import math
import os
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from llm_backend.judges.base import JudgeError, check_batch
from llm_backend.judges.names import digest
from llm_backend.people.pairs import Question, write_questions
from llm_backend.people.sources import ASKED, VOTES
from llm_backend.people.votes import Tail
from pgames.numerics import whole

POLL = 0.5  # seconds between two looks at the file of votes
REMIND = 300.0  # seconds between two lines on what is waited for


class Human:
    """P(first > second) as the share of votes of people; a tie, or both bad, is half a vote for each.

    The pairs that are asked are written to `folder`/asked.jsonl. The page of `python -m llm_backend vote
    FOLDER`, which runs in a process of its own, shows them and appends votes to `folder`/votes.jsonl. Votes
    that are there already count: a killed run asks nothing twice, and people may vote while it is down.

    Parameters
    ----------
    folder : of the questions and votes; in a run's file by default the folder `people` of the run.
    wait : how many pairs of a call must have a vote before it answers; None: all of them.
    seconds : the longest time that a call waits; None: without end.

    With `wait` or `seconds` the judge is `partial`: a pair without a vote is answered by NaN, which means no
    verdict and never 1/2, and a line says how many there are. Verbs leave such pairs out (mirror steps fitted
    by regression to free responses, duels, win rates of the evaluation) or fail with a JudgeError.

    Raises ValueError when wait is below 1 or seconds not above 0. `prefer` raises JudgeError when nobody has
    voted in time, and when the file of votes is damaged.
    """

    as_is = True

    def __init__(self, folder: str | os.PathLike[str], wait: int | None = None, seconds: float | None = None):
        if wait is not None and (not whole(wait) or wait < 1):
            raise ValueError(f"Human: wait must be at least 1 pair, or unset to wait for all, got {wait!r}.")
        if seconds is not None and not seconds > 0:
            raise ValueError(f"Human: seconds must be above 0, or unset to wait without end, got {seconds}.")
        self.folder, self.wait, self.seconds = Path(folder), wait, seconds
        self.partial = wait is not None or seconds is not None
        self.name = f"Human({self.folder.name})"
        self._tail = Tail(self.folder / VOTES)
        self.folder.mkdir(parents=True, exist_ok=True)

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]; NaN where a partial judge has no vote, 1/2 for equal texts.

        Raises JudgeError when nobody has voted in time, and when the file of votes is damaged.
        """
        check_batch(prompts, firsts, seconds)
        asked = [_question(x, y, z) for x, y, z in zip(prompts, firsts, seconds, strict=True)]
        differ = {one.key: one for one in asked if one.texts[0] != one.texts[1]}
        won = self._answers(list(differ.values()))
        answers = np.full(len(asked), 0.5)
        for i, one in enumerate(asked):
            if one.key in differ:
                p = won.get(one.key, math.nan)
                answers[i] = p if one.names[0] == FIRST else 1 - p
        known = {i: float(p) for i, p in enumerate(answers) if not math.isnan(p)}
        if differ and not won:
            raise JudgeError(
                f"{self.name}: nobody voted on any of {len(differ)} pairs in {self.seconds:g} s. "
                f"{self._where()} and continue with --resume, or wait longer: votes are kept, and 1/2 is not "
                "assumed.",
                known,
            )
        return answers

    def _answers(self, questions: Sequence[Question]) -> dict[str, float]:
        """The share of votes that the first text in their order wins, by pair; waits for them."""
        wanted = min(self.wait or len(questions), len(questions))
        until = time.monotonic() + (self.seconds or math.inf)
        said = -math.inf
        try:
            while len(won := self._won(questions)) < wanted and time.monotonic() < until:
                if said == -math.inf:
                    write_questions(self.folder / ASKED, [_listed(one) for one in questions])
                if time.monotonic() - said >= REMIND:
                    said = time.monotonic()
                    _say(f"{self.name}: {len(won)} of {wanted} pairs have votes. {self._where()}.")
                time.sleep(min(POLL, max(0.0, until - time.monotonic())))
        except ValueError as error:
            raise JudgeError(f"{self.name}: {error}") from None
        if said > -math.inf:
            write_questions(self.folder / ASKED, [])
        if 0 < len(won) < len(questions):
            _say(f"{self.name}: {len(won)} of {len(questions)} pairs have votes; the others have no verdict.")
        return won

    def _won(self, questions: Sequence[Question]) -> dict[str, float]:
        points: dict[str, list[float]] = {}
        for vote in self._tail.votes():
            points.setdefault(vote.pair, []).append(vote.points)
        return {one.key: float(np.mean(points[one.key])) for one in questions if one.key in points}

    def _where(self) -> str:
        place = self.folder.parent if self.folder.name == "people" else self.folder
        return f"Vote in another terminal: python -m llm_backend vote {place}"


FIRST = "first"  # marks the side that `prefer` was asked about, whatever the order of the texts


def _question(prompt: str, first: str, second: str) -> Question:
    return Question.of(prompt, (first, second), (FIRST, "second"))


def _listed(question: Question) -> Question:
    """The question as the page gets it: responses are the items of the game of their prompt."""
    first, second = (f"response {digest(text)}" for text in question.texts)
    return question._replace(names=(first, second), game=digest(str(question.prompt)))


def _say(text: str) -> None:
    print(f"llm_backend: {text}", file=sys.stderr, flush=True)
