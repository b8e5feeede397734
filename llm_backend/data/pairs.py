"""Pairs of responses with a preference, read from files and data sets."""

from __future__ import annotations

import math
import re
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llm_backend.data.files import answered
from llm_backend.data.prompts import Message, Prompt, as_asked
from llm_backend.data.reading import DataWarning
from llm_backend.data.rows import no_column, read_rows
from pgames.votes.words import plain, winner_words

SCORES = (  # columns of the scores of both responses
    ("score_chosen", "score_rejected"),
    ("chosen_score", "rejected_score"),
    ("chosen_rating", "rejected_rating"),
    ("chosen-rating", "rejected-rating"),
)
TURNS = re.compile(r"\n\n(Human|Assistant): ?")  # of dialogues written as one text
SHOWN = 8  # numbers of rows in a message


class Pair(NamedTuple):
    """Two responses to a prompt; `win` in [0, 1] is how far the first was preferred, 1/2 for a tie."""

    prompt: Prompt
    chosen: str
    rejected: str
    win: float = 1.0


class _Unfit(ValueError):
    """A row that is not a pair, by a reason that others may share."""


def read_pairs(
    source: str | Path,
    prompt: str = "prompt",
    chosen: str = "chosen",
    rejected: str = "rejected",
    winner: str | None = None,
    scale: float | None = None,
    split: str = "train",
    limit: int | None = None,
) -> list[Pair]:
    """The pairs of a .jsonl, .csv or .parquet file, a folder saved by `datasets`, or a hub data set.

    Responses are texts, or conversations of which the assistant's last message is the response and the
    messages before it are the prompt; these must agree with the prompt's column if there is one, and with
    each other. Without that column, texts share the prompt as their beginning (dialogues of "Human:" and
    "Assistant:" up to the last turn, other texts up to the first word that differs).

    Parameters
    ----------
    prompt, chosen, rejected : names of the columns.
    winner : a column that says which response won: the name of its column, "left" or "right" (chosen stands
        left), or "tie". By default `chosen` won, but for a tie: a column `tie` that is true, a margin of 0,
        or equal scores.
    scale : None counts a row as one win. A number makes it P(chosen > rejected) = sigmoid(scale * margin),
        with the margin of a column `margin`, or the difference of `score_chosen` and `score_rejected` (or
        chosen_score, chosen_rating, chosen-rating).
    split, limit : as for `read_prompts`.

    Rows that are not pairs are left out, and a warning counts and names them: equal responses, responses to
    different conversations, scores that contradict the order, empty responses. Raises ValueError when a
    column is missing, or no row is a pair.
    """
    if scale is not None and not 0 < scale < math.inf:
        raise ValueError(f"scale must be above 0 and finite, or None, got {scale}.")
    columns = [chosen, rejected, *([winner] if winner else [])]
    extra = ["margin", "tie", *(name for pair in SCORES for name in pair)]
    rows = read_rows(source, columns, split, limit, [prompt, *extra])
    if scale is not None and not any(_margin(row) is not None for row in rows):
        raise no_column(source, "margin", rows[0])
    out: list[Pair] = []
    unfit: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        try:
            pair = _pair(row, (prompt, chosen, rejected))
            out.append(_won(pair, row, (chosen, rejected), winner, scale))
        except _Unfit as error:
            unfit.setdefault(str(error), []).append(i)
        except ValueError as error:
            unfit.setdefault(f"not readable ({str(error).removeprefix('this row, ')})", []).append(i)
    told = "; ".join(f"{len(at)} with {why} ({_numbers(at)})" for why, at in unfit.items())
    if not out:
        raise ValueError(f"{source} has no pair: of {len(rows)} rows {told}.")
    if told:
        warnings.warn(
            f"{source}: {len(rows) - len(out)} of {len(rows)} rows are left out: {told}.",
            DataWarning,
            stacklevel=2,
        )
    return out


def prompts_of(pairs: Sequence[Pair]) -> list[str]:
    """The different prompts of pairs, in their order; messages as a `Conversation`."""
    return list(dict.fromkeys(as_asked(pair.prompt) for pair in pairs))


def _pair(row: dict[str, Any], columns: tuple[str, str, str]) -> Pair:
    """The pair of a row, not yet judged. Raises ValueError when it is none."""
    prompt, chosen, rejected = columns
    asked, first, second = row.get(prompt), row[chosen], row[rejected]
    if asked is None and isinstance(first, str) and isinstance(second, str):
        asked, first, second = _split(first, second)
    x, y = answered(asked, first, "this row", prompt, chosen)
    other, z = answered(asked, second, "this row", prompt, rejected)
    if as_asked(x) != as_asked(other):
        raise _Unfit("responses to different conversations")
    if y == z:
        raise _Unfit("chosen equal to rejected")
    return Pair(x, y, z)


def _split(first: str, second: str) -> tuple[str | None, Any, Any]:
    """The prompt that two texts begin with (None for dialogues, which hold their own), and their rest."""
    dialogues = _dialogue(first), _dialogue(second)
    if all(dialogues):
        return None, *dialogues
    if first == second:
        raise _Unfit("chosen equal to rejected")
    same = next((i for i, (a, b) in enumerate(zip(first, second, strict=False)) if a != b), None)
    same = min(len(first), len(second)) if same is None else same
    cut = max(first.rfind(blank, 0, same) for blank in " \n\t")
    if cut <= 0:
        raise _Unfit("no prompt: neither a column nor a common beginning")
    return first[:cut], first[cut:], second[cut:]


def _dialogue(text: str) -> list[Message]:
    """The messages of a dialogue of "Human:" and "Assistant:" in one text; empty for another text."""
    parts = TURNS.split(text)
    if parts[0].strip() or len(parts) < 3:
        return []
    roles = {"Human": "user", "Assistant": "assistant"}
    return [
        {"role": roles[who], "content": said.strip()}
        for who, said in zip(parts[1::2], parts[2::2], strict=True)
    ]


def _won(
    pair: Pair, row: dict[str, Any], columns: tuple[str, str], winner: str | None, scale: float | None
) -> Pair:
    """The pair with its `win`. Raises ValueError when winner or scores are not readable."""
    margin = _margin(row)
    if winner is not None:
        said = str(row[winner]).strip()
        word = winner_words(*columns).get(plain(said))
        if word is None:
            raise ValueError(f"winner {said!r:.40}, need {columns[0]}, {columns[1]} or tie")
        if word.outcome < 0:
            pair = Pair(pair.prompt, pair.rejected, pair.chosen)
        return pair._replace(win=1.0 if word.outcome else 0.5)
    if row.get("tie") or margin == 0:
        return pair._replace(win=0.5)
    if margin is not None and margin < 0:
        raise _Unfit("chosen scored below rejected")
    if scale is None:
        return pair
    if margin is None:
        raise _Unfit("no score")
    return pair._replace(win=1 / (1 + math.exp(-scale * margin)))


def _margin(row: dict[str, Any]) -> float | None:
    """By how much the chosen response scored higher, None where the row does not say."""
    if row.get("margin") is not None:
        return _number(row["margin"])
    for names in SCORES:
        if all(row.get(name) is not None for name in names):
            first, second = (_number(row[name]) for name in names)
            return first - second
    return None


def _number(value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError):
        number = math.nan
    if not math.isfinite(number):
        raise ValueError(f"score {value!r:.40}, need a finite number")
    return number


def _numbers(rows: list[int]) -> str:
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:SHOWN]))}{more}"
