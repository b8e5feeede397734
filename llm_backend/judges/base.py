"""The protocol of a judge, the checked call to one, and the average over both orders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from llm_backend.data.prompts import Conversation

ROUNDING = 1e-6  # how far outside [0, 1] an answer may lie through rounding


class Judge(Protocol):
    """The probability that the first response is preferred to the second.

    Optional attributes: `name` is one line that identifies everything the answers depend on; a cache is read
    back only under the same name. `as_is = True` declares that the two orders need no averaging. A judge
    whose answers need not sum to 1 over both orders, such as an optimistic belief, also sets
    `antisymmetric = False`; both orders are then asked. `partial = True` declares that an answer may be NaN:
    no verdict yet. Verbs that can leave such pairs out do so, and the others fail.
    """

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second | prompt), float64[B] in [0, 1]."""
        ...


class JudgeError(RuntimeError):
    """A judge failed, timed out or gave an invalid answer. 1/2 is never substituted for it.

    `answered` maps positions in the batch to the answers that were received, which `Cached` keeps.
    """

    def __init__(self, message: str, answered: Mapping[int, float] | None = None):
        super().__init__(message)
        self.answered = dict(answered or {})


def name_of(judge: Any) -> str:
    """The name of a judge, or its class in <> if it has none. A class does not identify it for a cache."""
    return getattr(judge, "name", None) or f"<{type(judge).__name__}>"


def antisymmetric(judge: Any) -> bool:
    """Whether P(y, z) + P(z, y) = 1 for this judge, so that one order of a pair is enough."""
    return getattr(judge, "antisymmetric", True)


def partial(judge: Any) -> bool:
    """Whether this judge may answer NaN, no verdict, as one that waits for people does."""
    return getattr(judge, "partial", False)


def excerpt(text: object, length: int = 60) -> str:
    """The repr of a text, shortened for an error message."""
    if isinstance(text, str) and len(text) > length:
        text = text[:length]  # a long text is not written out to be cut
        return repr(text)[: length - 4] + "..." + repr(text)[-1]
    shown = " ".join(repr(text).split())
    return shown if len(shown) <= length else shown[: length - 4] + "..." + shown[-1]


def raised(error: BaseException) -> str:
    """An error as one line: its type and its message."""
    return " ".join(f"{type(error).__name__}: {error}".split())


def readable(text: str) -> str:
    """The text with unpaired surrogates replaced, which no tokenizer and no server reads."""
    try:
        text.encode()
        return text
    except UnicodeEncodeError:
        if isinstance(text, Conversation):
            return Conversation([{**one, "content": readable(one["content"])} for one in text.messages])
        return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def check_batch(prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]) -> None:
    """Raises TypeError unless the three are lists of texts, ValueError unless they are equally long."""
    for what, texts in (("prompts", prompts), ("firsts", firsts), ("seconds", seconds)):
        if isinstance(texts, str):
            raise TypeError(f"{what} must be a sequence of texts, got one text: pass [{excerpt(texts)}].")
        for i, text in enumerate(texts):
            if not isinstance(text, str):
                raise TypeError(f"{what}[{i}] must be a str, got {type(text).__name__}: decode tokens first.")
    if not len(prompts) == len(firsts) == len(seconds):
        raise ValueError(
            "prompts, firsts and seconds must have equal lengths, "
            f"got {len(prompts)}, {len(firsts)} and {len(seconds)}."
        )


def check_answers(
    judge: str,
    answers: Any,
    prompts: Sequence[str],
    firsts: Sequence[str],
    seconds: Sequence[str],
    some: bool = False,
) -> NDArray[np.float64]:
    """The answers as float64[B]; with `some`, NaN stands for no verdict.

    Raises JudgeError for a number outside [0, 1] or a wrong shape, and without `some` for NaN.
    """
    try:
        if answers is None:
            raise TypeError("nothing was returned")
        if np.iscomplexobj(answers):
            raise TypeError("complex numbers")
        if np.asarray(answers).dtype.kind in "US":
            raise TypeError("texts")
        if isinstance(answers, np.ma.MaskedArray):
            answers = np.ma.filled(answers.astype(np.float64), np.nan)
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
    fine = (values >= -ROUNDING) & (values <= 1 + ROUNDING)
    bad = np.flatnonzero(~(fine | np.isnan(values) if some else fine))
    if len(bad):
        i = int(bad[0])
        raise JudgeError(
            f"{judge} returned {values[i]} for item {i} ({len(bad)} of {len(values)} bad): prompt "
            f"{excerpt(prompts[i])}, first {excerpt(firsts[i])}, second {excerpt(seconds[i])}. "
            "A preference is a probability in [0, 1]: repair the judge; 1/2 is not assumed."
        )
    return np.clip(values, 0.0, 1.0)


def ask(
    judge: Any, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str], some: bool = False
) -> NDArray[np.float64]:
    """The checked answers of `judge.prefer`, float64[B]; with `some`, NaN where a judge has no verdict.

    Raises JudgeError naming judge and item, and when verdicts are missing: without `some` a single one, with
    `some` all of them.
    """
    check_batch(prompts, firsts, seconds)
    if not len(prompts):
        return np.empty(0)
    try:
        answers = judge.prefer(prompts, firsts, seconds)
    except JudgeError:
        raise
    except Exception as error:
        raise JudgeError(
            f"{name_of(judge)} raised {raised(error)}, in a batch of {len(prompts)} that "
            f"begins with prompt {excerpt(prompts[0])}, first {excerpt(firsts[0])}, second "
            f"{excerpt(seconds[0])}: repair the judge; 1/2 is not assumed."
        ) from error
    values = check_answers(name_of(judge), answers, prompts, firsts, seconds, partial(judge))
    known = {i: float(p) for i, p in enumerate(values) if not np.isnan(p)}
    if len(known) < len(values) and not (some and known):
        raise JudgeError(
            f"{name_of(judge)} has no verdict on {len(values) - len(known)} of {len(values)} pairs"
            + (
                ": wait longer; nothing is learned from no verdict."
                if some
                else ", and this verb needs all of them: let the judge wait for all, or play a solver that "
                "leaves pairs out (mirror steps fitted by regression to free responses, and duels)."
            ),
            known,
        )
    return values


class Symmetrised:
    """A judge without its bias to one position: (P(y, y') + 1 - P(y', y)) / 2.

    Both orders of every pair are asked in one batch. Identical responses are not asked: P(y, y) = 1/2
    exactly. Raises TypeError for an object without `prefer`.
    """

    as_is = True

    def __init__(self, judge: Judge):
        _check_judge(judge)
        self.judge = judge
        self.name = f"Symmetrised({name_of(judge)})"

    def prefer(
        self, prompts: Sequence[str], firsts: Sequence[str], seconds: Sequence[str]
    ) -> NDArray[np.float64]:
        """P(first > second), float64[B]. Raises JudgeError when the judge fails."""
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
    """The judge itself if it declares `as_is`, as all judges of this package do, else Symmetrised(judge).

    Raises TypeError for an object without `prefer`.
    """
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
