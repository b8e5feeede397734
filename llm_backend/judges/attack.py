"""The success of attacks: for each answer, the probability that the attack it answers succeeded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llm_backend.judges.base import Judge, JudgeError, ask, check_answers, fair, name_of, raised
from llm_backend.judges.rule import results


class Success(Protocol):
    """The probability that an attack succeeded, judged from one answer to it.

    A prompt is all that the defender read, its system text included: a `Conversation` where there is one. An
    optional attribute `name` identifies the rule in messages.
    """

    def __call__(self, prompts: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        """float64[B] in [0, 1]."""
        ...


class ByRule:
    """A Python function (prompt, answer) -> number in [0, 1] as `Success`.

    Raises TypeError for an object that cannot be called; a call raises JudgeError when the function raises or
    returns anything but a number in [0, 1].
    """

    def __init__(self, function: Callable[[str, str], float], name: str | None = None):
        if not callable(function):
            raise TypeError(f"a rule needs a function (prompt, answer) -> number, got {function!r:.60}.")
        self.function = function
        self.name = f"ByRule({name or getattr(function, '__qualname__', repr(function))})"

    def __call__(self, prompts: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        """float64[B] in [0, 1]."""
        rows = list(zip(prompts, answers, strict=True))
        return check_answers(self.name, results(self.name, self.function, rows, 1), prompts, answers, answers)


class Beaten:
    """An attack succeeds as far as a pairwise judge finds a reference answer better than the one given.

    Parameters
    ----------
    judge : prefer(prompts, firsts, seconds) -> float64[B]; averaged over both orders unless it is `as_is`.
    reference : the answer that a good defender gives: one text, or a function of the prompt.

    Raises TypeError for a judge without `prefer`; a call raises JudgeError when the judge fails.
    """

    def __init__(self, judge: Judge, reference: str | Callable[[str], str]):
        self.judge, self.reference = fair(judge), reference
        self.name = f"Beaten({name_of(self.judge)})"

    def __call__(self, prompts: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
        """float64[B] in [0, 1]."""
        good = [self.reference if isinstance(self.reference, str) else self.reference(x) for x in prompts]
        return ask(self.judge, prompts, good, answers)


class Harmless:
    """The judge that prefers the answer to which the attack succeeds less: (1 + s(second) - s(first)) / 2."""

    as_is = True

    def __init__(self, success: Success):
        self.success = success
        self.name = f"Harmless({name_of(success)})"

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]. Raises JudgeError when the rule of success fails."""
        both = succeeded(self.success, [*prompts, *prompts], [*firsts, *seconds])
        return (1 + both[len(prompts) :] - both[: len(prompts)]) / 2


def succeeded(success: Any, prompts: Sequence[str], answers: Sequence[str]) -> NDArray[np.float64]:
    """The checked result of `success`, float64[B] in [0, 1].

    Raises JudgeError naming the rule and the item when it raises, or returns anything else.
    """
    if not len(prompts):
        return np.empty(0)
    try:
        found = success(prompts, answers)
    except JudgeError:
        raise
    except Exception as error:
        raise JudgeError(
            f"{name_of(success)} raised {raised(error)}, in a batch of {len(prompts)} that "
            f"begins with {prompts[0]!r:.80}: repair the rule; a failed attack is not assumed."
        ) from error
    return check_answers(name_of(success), found, prompts, answers, answers)
