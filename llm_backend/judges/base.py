"""What a judge is, the checked call to one, and the average over both orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

ROUNDING = 1e-6  # how far outside [0, 1] an answer may lie before it counts as nonsense


class Judge(Protocol):
    """Says how likely the first response is preferred to the second.

    Optional attributes: `name`, one line that says what the answers depend on (a cache is only read back
    under the same name), and `as_is = True`, which promises that both orders need not be averaged any more.
    With `antisymmetric = False` such a judge says that P(y, z) + P(z, y) = 1 need not hold of it, as of an
    optimistic belief: then one order does not tell the other, and both are asked.
    """

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second | prompt), float64[B] in [0, 1]."""
        ...


class JudgeError(RuntimeError):
    """A judge failed, timed out or answered nonsense; it is never replaced by 1/2.

    `answered` maps positions in the batch to answers that did arrive, so that `Cached` can keep them.
    """

    def __init__(self, message: str, answered: Mapping[int, float] | None = None):
        super().__init__(message)
        self.answered = dict(answered or {})


def name_of(judge: Any) -> str:
    """The name of a judge; of one without, its class in <>, which says too little for a cache."""
    return getattr(judge, "name", None) or f"<{type(judge).__name__}>"


def sigmoid(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """1 / (1 + exp(-values)), with sigmoid(-v) = 1 - sigmoid(v) to the last bit of both."""
    return 0.5 + 0.5 * np.tanh(0.5 * values)


def antisymmetric(judge: Any) -> bool:
    """Whether P(y, z) + P(z, y) = 1 holds of a judge, so that one order of a pair says all."""
    return getattr(judge, "antisymmetric", True)


def excerpt(text: object, length: int = 60) -> str:
    """A text short enough for an error message."""
    shown = repr(text)
    return shown if len(shown) <= length else shown[: length - 4] + "..." + shown[-1]


def check_batch(prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]) -> None:
    """Raise ValueError or TypeError unless the three are lists of texts of one length."""
    for what, texts in (("prompts", prompts), ("firsts", firsts), ("seconds", seconds)):
        if isinstance(texts, str):
            raise TypeError(f"{what} must be a sequence of texts, got one text: pass [{excerpt(texts)}].")
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"{what}[{i}] must be a str, got {type(text).__name__}: decode tokens first.")
    if not len(prompts) == len(firsts) == len(seconds):
        raise ValueError(
            "prompts, firsts and seconds must be equally many, "
            f"got {len(prompts)}, {len(firsts)} and {len(seconds)}."
        )


def check_answers(
    judge: str, answers: Any, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
) -> NDArray[np.float64]:
    """The answers as float64[B]; raises JudgeError for NaN, a number outside [0, 1] or a wrong shape."""
    try:
        if answers is None:
            raise TypeError("nothing was returned")
        if np.iscomplexobj(answers):
            raise TypeError("complex numbers")
        values = np.array(answers, dtype=np.float64)
    except Exception as error:
        raise JudgeError(
            f"{judge} returned {type(answers).__name__} {excerpt(answers)}, which is not float64[B] "
            f"({error}): return a NumPy array or a list of floats."
        ) from error
    if values.shape != (len(prompts),):
        raise JudgeError(
            f"{judge} was asked about {len(prompts)} pairs and returned shape {list(values.shape)}: "
            "return one number per pair."
        )
    bad = np.flatnonzero(~((values >= -ROUNDING) & (values <= 1 + ROUNDING)))
    if len(bad):
        i = int(bad[0])
        raise JudgeError(
            f"{judge} returned {values[i]} for item {i} ({len(bad)} of {len(values)} bad): prompt "
            f"{excerpt(prompts[i])}, first {excerpt(firsts[i])}, second {excerpt(seconds[i])}. "
            "A preference is a probability in [0, 1]: repair the judge, 1/2 is not assumed."
        )
    return np.clip(values, 0.0, 1.0)


def ask(
    judge: Any, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
) -> NDArray[np.float64]:
    """judge.prefer with everything that can go wrong turned into a JudgeError that names judge and item."""
    check_batch(prompts, firsts, seconds)
    if not len(prompts):
        return np.empty(0)
    try:
        answers = judge.prefer(prompts, firsts, seconds)
    except JudgeError:
        raise
    except Exception as error:
        raise JudgeError(
            f"{name_of(judge)} raised {type(error).__name__}: {error}, in a batch of {len(prompts)} that "
            f"begins with prompt {excerpt(prompts[0])}, first {excerpt(firsts[0])}, second "
            f"{excerpt(seconds[0])}: repair the judge, 1/2 is not assumed."
        ) from error
    return check_answers(name_of(judge), answers, prompts, firsts, seconds)


class Symmetrised:
    """(P(y, y') + 1 - P(y', y)) / 2: the judge without its bias to one position; P(y, y) = 1/2 exactly.

    Asks both orders of every pair in one batch; identical responses are not asked about.
    """

    as_is = True

    def __init__(self, judge: Judge):
        _check_judge(judge)
        self.judge = judge
        self.name = f"Symmetrised({name_of(judge)})"

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]."""
        check_batch(prompts, firsts, seconds)
        answers = np.full(len(prompts), 0.5)
        differ = [i for i in range(len(prompts)) if firsts[i] != seconds[i]]
        if differ:
            x, y, z = ([texts[i] for i in differ] for texts in (prompts, firsts, seconds))
            both = ask(self.judge, x + x, y + z, z + y)
            forward, backward = both[: len(differ)], both[len(differ) :]
            answers[differ] = (forward + 1 - backward) / 2
        return answers


def fair(judge: Any) -> Any:
    """The judge itself if it says `as_is`, as all of this package do; else its average over both orders."""
    _check_judge(judge)
    return judge if getattr(judge, "as_is", False) else Symmetrised(judge)


def _check_judge(judge: Any) -> None:
    if isinstance(judge, type):
        raise TypeError(f"a judge must be an object, got the class {judge.__name__}: call it first.")
    if not callable(getattr(judge, "prefer", None)):
        raise TypeError(
            f"a judge needs a method prefer(prompts, firsts, seconds), which {type(judge).__name__} lacks: "
            "wrap a function in judges.Rule(score) or judges.Rule(prefer=...)."
        )
