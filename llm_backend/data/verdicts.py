"""Who won the pair of a row, and by how much: its winner, tie, margin and scores."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

from pgames.votes.words import NUMBERS, Word, number_words, plain, winner_words

SCORES = (  # columns of the scores of both responses
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen_rating", "rejected_rating"),
    ("chosen-rating", "rejected-rating"),
)
MARKS = ("margin", "tie", *(name for pair in SCORES for name in pair))  # columns that say who won
FLAGS = {"true": True, "yes": True, "tie": True, "1": True, "false": False, "no": False, "0": False}


class Unfit(ValueError):
    """A row that is not a pair, by a reason that others may share."""


def win_of(row: Mapping[str, Any], scale: float | None) -> float:
    """P(chosen > rejected) by the columns MARKS of a row; see `read_pairs`.

    Raises ValueError when they contradict each other or the order, or are not readable.
    """
    margin = margin_of(row)
    if _tied(row.get("tie")) or margin == 0:
        return 0.5
    if margin is not None and margin < 0:
        raise Unfit("chosen scored below rejected")
    if scale is None:
        return 1.0
    if margin is None:
        raise Unfit("no score")
    return probability(scale * margin)


def probability(advantage: float) -> float:
    """sigmoid(advantage) of an advantage of at least 0."""
    return 1 / (1 + math.exp(-advantage))


def margin_of(row: Mapping[str, Any]) -> float | None:
    """By how much the chosen response scored higher, None where the row does not say.

    Raises ValueError when a score is not a finite number, and when two columns contradict each other.
    """
    found = [] if (margin := number(row.get("margin"))) is None else [margin]
    for names in SCORES:
        first, second = (number(row.get(name)) for name in names)
        if first is not None and second is not None:
            found.append(first - second)
    if found and min(found) < 0 < max(found):
        raise Unfit("margin and scores that contradict each other")
    return found[0] if found else None


def number(value: Any) -> float | None:
    """A number, also written as a text; None for a cell without a value: empty, null or NaN.

    Raises ValueError for anything else.
    """
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        odd = isinstance(value, bool) or (isinstance(value, str) and "_" in value)
        found = math.inf if odd else float(value)
    except (TypeError, ValueError, OverflowError):
        found = math.inf
    if math.isinf(found):
        raise ValueError(f"score {value!r:.40}, need a finite number")
    return None if math.isnan(found) else found


def winners(rows: Sequence[Mapping[str, Any]], winner: str, left: str, right: str) -> Mapping[str, Word]:
    """The meaning of each plain word in the column `winner` of pairs in the columns `left` and `right`."""
    ends = left[-1:], right[-1:]
    if ends[0].isdecimal() and ends[1].isdecimal() and ends[0] != ends[1]:
        numbers = {ends[0]: Word(1, NUMBERS), ends[1]: Word(-1, NUMBERS)}
    else:
        numbers = number_words({plain(str(row.get(winner))) for row in rows})
    return {**numbers, **winner_words(left, right)}


def outcome_of(value: Any, words: Mapping[str, Word], left: str, right: str) -> int:
    """1 when `left` won, 0 for a tie, -1 when `right` won.

    Raises ValueError for a cell without a value, or with another word.
    """
    said = "" if value is None or value != value else str(value).strip()
    if not said:
        raise Unfit("no winner")
    if (word := words.get(plain(said))) is None:
        raise ValueError(f"winner {said!r:.40}, need {left}, {right} or tie")
    return word.outcome


def _tied(value: Any) -> bool:
    """Whether the column `tie` of a row says so. Raises ValueError when it is neither true nor false."""
    said = "false" if value is None or value != value else plain(str(value)) or "false"
    if said not in FLAGS:
        raise ValueError(f"tie {value!r:.40}, need true or false")
    return FLAGS[said]
