"""Pairs of responses with a preference, read from files and data sets."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from llm_backend.data.beginnings import repeated, split_off
from llm_backend.data.files import SYSTEM, answered, under
from llm_backend.data.messages import messages_in
from llm_backend.data.prompts import Prompt, as_asked
from llm_backend.data.ranked import ranked_pairs
from llm_backend.data.reading import DataWarning
from llm_backend.data.rows import no_column, read_rows
from llm_backend.data.verdicts import MARKS, Unfit, margin_of, outcome_of, win_of, winners

SHOWN = 8  # numbers of rows in a message
REASONS = 8  # reasons in a message

Row = dict[str, Any]


class Pair(NamedTuple):
    """Two responses to a prompt; `win` in [0, 1] is how far the first was preferred, 1/2 for a tie."""

    prompt: Prompt
    chosen: str
    rejected: str
    win: float = 1.0


def read_pairs(
    source: str | Path,
    prompt: str = "prompt",
    chosen: str = "chosen",
    rejected: str = "rejected",
    winner: str | None = None,
    scale: float | None = None,
    split: str = "train",
    limit: int | None = None,
    replies: str | None = None,
    scores: str | None = None,
) -> list[Pair]:
    """The pairs of a file, a folder saved by `datasets`, or a hub data set; sources as for `read_prompts`.

    Responses are texts, or conversations of which the assistant's last message is the response and the
    messages before it are the prompt; these must agree with the prompt's column if there is one, and with
    each other. Without that column, texts share the prompt as their beginning (dialogues of "Human:" and
    "Assistant:" up to the last turn, other texts up to the first word that differs). With it, a prompt with
    which both texts of every row begin is cut off, and a warning says so. A pair that stands twice counts
    twice.

    Parameters
    ----------
    prompt, chosen, rejected : names of the columns.
    winner : a column that says which response won: the name of its column, "left" or "right" (chosen stands
        left), "tie", or a number. 1 and 0 are chosen and rejected; with -1 for rejected, or with 0.5, there
        are ties; of columns such as response_0 and response_1 it is the digit. By default `chosen` won, but
        for a tie: a column `tie` that is true, a margin of 0, or equal scores.
    scale : None counts a row as one win. A number makes it P(chosen > rejected) = sigmoid(scale * margin),
        with the margin of a column `margin`, or the difference of `score_chosen` and `score_rejected` (or
        chosen_score, chosen_rating, chosen-rating).
    split, limit : as for `read_prompts`.
    replies : a column with a list of responses, in place of chosen and rejected; every two different ones are
        a pair. They are ranked, the best first, unless `scores` are given.
    scores : of the replies: a column with a list of numbers, or a key of each reply. If the name holds
        "rank", low numbers are better.

    An empty cell, null and NaN are no value. Rows that are not pairs are left out, and a warning counts and
    names them: equal responses, responses to different conversations, scores that contradict the order, empty
    responses. Raises ValueError when a column is missing, no row is a pair, or arguments exclude each other.
    """
    _check(winner, scale, replies, scores)
    columns = [replies] if replies else [chosen, rejected, *([winner] if winner else [])]
    optional = [prompt, SYSTEM, *MARKS, *([scores] if scores else [])]
    rows = read_rows(source, columns, split, limit, optional)
    asked = any(row.get(prompt) is not None for row in rows) and prompt != chosen
    if not asked and prompt not in ("prompt", chosen):
        raise no_column(source, prompt, rows[0])
    if scale is not None and replies is None and not any(map(_has_margin, rows)):
        raise no_column(source, "margin", rows[0])
    if replies:
        return _collected(source, rows, lambda row: _ranked(row, prompt, replies, scores, scale))
    cut = asked and repeated(rows, (prompt, chosen, rejected))
    if cut:
        _warn(
            f"{source}: {chosen} and {rejected} begin with the whole {prompt} in every row: it is cut off "
            "there."
        )
    words = winners(rows, winner, chosen, rejected) if winner else {}

    def judged(row: Row) -> list[Pair]:
        pair = _pair(row, (prompt, chosen, rejected), asked, cut)
        if winner is None:
            return [pair._replace(win=win_of(row, scale))]
        outcome = outcome_of(row[winner], words, chosen, rejected)
        first, second = (pair.chosen, pair.rejected)[:: outcome or 1]
        return [Pair(pair.prompt, first, second, 1.0 if outcome else 0.5)]

    return _collected(source, rows, judged)


def prompts_of(pairs: Sequence[Pair]) -> list[str]:
    """The different prompts of pairs, in their order; messages as a `Conversation`."""
    return list(dict.fromkeys(as_asked(pair.prompt) for pair in pairs))


def _check(winner: str | None, scale: float | None, replies: str | None, scores: str | None) -> None:
    """Raises ValueError for arguments that are out of range or exclude each other."""
    if scale is not None and not 0 < scale < math.inf:
        raise ValueError(f"scale must be above 0 and finite, or None, got {scale}.")
    if winner is not None and (scale is not None or replies is not None):
        raise ValueError(f"winner = {winner!r} says who won, not by how much: leave out scale and replies.")
    if scores is not None and replies is None:
        raise ValueError(f"scores = {scores!r} are those of replies: name their column with replies.")
    if scale is not None and replies is not None and scores is None:
        raise ValueError("scale needs scores: a ranking does not say by how much a reply is better.")


def _has_margin(row: Row) -> bool:
    try:
        return margin_of(row) is not None
    except ValueError:
        return True  # told of its row later


def _ranked(row: Row, prompt: str, replies: str, scores: str | None, scale: float | None) -> list[Pair]:
    found = ranked_pairs(row, prompt, replies, scores, scale)
    return [
        Pair(under(one.prompt, row.get(SYSTEM), "this row"), one.better, one.worse, one.win) for one in found
    ]


def _pair(row: Row, columns: tuple[str, str, str], asked: bool, cut: bool) -> Pair:
    """The pair of a row, not yet judged. Raises ValueError when it is none.

    asked : whether the file has prompts. cut : whether responses begin with them.
    """
    prompt, chosen, rejected = columns
    x = row.get(prompt) if asked else None
    first, second = (messages_in(row[name], f"this row, column {name!r}") for name in (chosen, rejected))
    if x is None and isinstance(first, str) and isinstance(second, str):
        x, first, second = split_off(first, second)
        if asked and x is not None:
            raise Unfit("no prompt, which other rows have")
    elif cut and isinstance(x, str) and isinstance(first, str) and isinstance(second, str):
        first, second = first[len(x) :], second[len(x) :]
    context, y = answered(x, first, "this row", prompt, chosen)
    other, z = answered(x, second, "this row", prompt, rejected)
    if as_asked(context) != as_asked(other):
        raise Unfit("responses to different conversations")
    if y == z:
        raise Unfit("chosen equal to rejected")
    return Pair(under(context, row.get(SYSTEM), "this row"), y, z)


def _collected(source: str | Path, rows: Sequence[Row], pairs_of: Callable[[Row], list[Pair]]) -> list[Pair]:
    """The pairs of all rows. A warning counts rows without one. Raises ValueError when no row has one."""
    out: list[Pair] = []
    unfit: dict[str, list[int]] = {}
    for i, row in enumerate(rows):
        try:
            out += pairs_of(row)
        except Unfit as error:
            unfit.setdefault(str(error), []).append(i)
        except ValueError as error:
            unfit.setdefault(f"not readable ({str(error).removeprefix('this row, ')})", []).append(i)
    told = [f"{len(at)} with {why} ({_numbers(at)})" for why, at in unfit.items()]
    if len(told) > REASONS:
        rest = sorted(i for at in list(unfit.values())[REASONS:] for i in at)
        told[REASONS:] = [f"{len(rest)} for other reasons ({_numbers(rest)})"]
    if not out:
        raise ValueError(f"{source} has no pair: of {len(rows)} rows {'; '.join(told)}.")
    if told:
        left_out = sum(map(len, unfit.values()))
        _warn(f"{source}: {left_out} of {len(rows)} rows are left out: {'; '.join(told)}.")
    return out


def _warn(text: str) -> None:
    warnings.warn(text, DataWarning, stacklevel=4)


def _numbers(rows: list[int]) -> str:
    more = f" and {len(rows) - SHOWN} more" if len(rows) > SHOWN else ""
    return f"row{'s' if len(rows) > 1 else ''} {', '.join(map(str, rows[:SHOWN]))}{more}"
