"""Several responses to a prompt in one row, ranked or scored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from typing import Any, NamedTuple

from llm_backend.data.files import answered
from llm_backend.data.prompts import Prompt, as_asked
from llm_backend.data.verdicts import Unfit, number, probability
from pgames.files import parse_json

TEXTS = ("response", "answer", "text", "completion", "output", "reply", "generated_text")  # keys of a reply


class Ranked(NamedTuple):
    """Two responses of a row: the better one first, and P(better > worse) in [1/2, 1]."""

    prompt: Prompt
    better: str
    worse: str
    win: float


def ranked_pairs(
    row: Mapping[str, Any], prompt: str, replies: str, scores: str | None, scale: float | None
) -> list[Ranked]:
    """Every two different replies of a row, by their order or their scores; see `read_pairs`.

    Raises ValueError when the row has fewer than two different replies, no prompt, or scores that are not one
    number per reply.
    """
    asked, listed = row.get(prompt), _list(row[replies])
    if len(listed) < 2:
        raise Unfit("fewer than two replies")
    said = [answered(asked, _said(one, asked), "this row", prompt, replies) for one in listed]
    if any(as_asked(x) != as_asked(said[0][0]) for x, _ in said):
        raise Unfit("responses to different conversations")
    merits, found = _merits(row, listed, scores), []
    for i, j in combinations(range(len(said)), 2):
        gap = merits[i] - merits[j]
        (x, better), (_, worse) = (said[i], said[j]) if gap >= 0 else (said[j], said[i])
        win = 0.5 if gap == 0 else 1.0 if scale is None else probability(scale * abs(gap))
        if better != worse:
            found.append(Ranked(x, better, worse, win))
    if not found:
        raise Unfit("replies that are all equal")
    return found


def _list(value: Any) -> Sequence[Any]:
    """A list, also written as JSON in a text; anything else is no list and has no reply."""
    if isinstance(value, str):
        try:
            value = parse_json(value)
        except ValueError:
            return []
    return value if isinstance(value, list | tuple) else []


def _said(reply: Any, asked: Any) -> Any:
    """The text or the messages of a reply."""
    if isinstance(reply, dict):
        reply = next((reply[key] for key in TEXTS if isinstance(reply.get(key), str)), reply)
    if asked is None and isinstance(reply, str):
        raise Unfit("no prompt")
    return reply


def _merits(row: Mapping[str, Any], listed: Sequence[Any], scores: str | None) -> list[float]:
    """A number per reply; the higher it is, the better is the reply."""
    if scores is None:
        return [-float(i) for i in range(len(listed))]
    if row.get(scores) is None:
        values = [one.get(scores) if isinstance(one, dict) else None for one in listed]
    else:
        values = list(_list(row[scores]))
    if len(values) != len(listed):
        raise Unfit(f"another number of {scores} than of replies")
    numbers = [found for value in values if (found := number(value)) is not None]
    if len(numbers) < len(listed):
        raise Unfit(f"a reply without {scores}")
    return [-found for found in numbers] if "rank" in scores.lower() else numbers
