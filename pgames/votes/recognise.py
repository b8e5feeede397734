"""Which columns of a table hold votes, and what their format is called."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

PAIRS = (
    ("left", "right"),
    ("model_a", "model_b"),
    ("model_1", "model_2"),
    ("model_left", "model_right"),
    ("item_a", "item_b"),
    ("player_a", "player_b"),
)
ENDS = ("winner", "loser")  # two columns that say all: the winner stands left
WINNER, PROMPT, TIE = "winner", "prompt", "winner_tie"


class Layout(NamedTuple):
    """The columns of votes.

    winner : one column of words; three columns of 0 and 1 for left, right and tie (the last may lack); none
        where the left item always won. kind : the format in words.
    """

    left: str
    right: str
    winner: tuple[str, ...]
    prompt: str | None
    kind: str

    @property
    def columns(self) -> list[str]:
        """The columns to read."""
        return [self.left, self.right, *self.winner, *([] if self.prompt is None else [self.prompt])]

    def __str__(self) -> str:
        prompts = "no prompts" if self.prompt is None else f"prompts in {self.prompt!r}"
        names = ", ".join(map(repr, (self.left, self.right, *self.winner)))
        return f"{self.kind} (columns {names}, {prompts})"


def recognise(
    found: Sequence[str], left: str | None, right: str | None, winner: str | None, prompt: str | bool | None
) -> Layout:
    """The columns of votes among those found; names that are given are taken as they are.

    A name is found in any case, with or without blanks, _ and - in it. Raises ValueError when a column is
    missing, stands twice, is named for two things, or what is given is not a name.
    """
    for asked, name in {"left": left, "right": right, "winner": winner, "prompt": prompt}.items():
        if not isinstance(name, str | None) and not (asked == "prompt" and name is False):
            off = ", False for none, or None" if asked == "prompt" else " or None"
            raise ValueError(f"{asked} must be the name of a column{off}: got {name!r:.60}.")
    if (left is None) != (right is None):
        raise ValueError("left and right must be given together, or neither: name both columns.")
    if left is None or right is None:
        pair = next((p for p in (*PAIRS, ENDS) if all(_places(found, name) for name in p)), None)
        if pair is None or (pair == ENDS and winner is not None):
            half = next((p for p in PAIRS if any(_places(found, name) for name in p)), PAIRS[0])
            lacks = next(name for name in half if not _places(found, name))
            raise ValueError(
                f"no column {lacks!r}; the file has {_list(found)}: votes need two columns of items, such as "
                "left and right or model_a and model_b, and one of winners. Name them if they are called "
                "otherwise (left=, right= and winner=; --left, --right and --winner)."
            )
        left, right = pair
    first, second = _column(found, left), _column(found, right)
    winners, kind = _winner(found, (first, second), winner)
    asked = PROMPT if prompt is None and _places(found, PROMPT) else prompt
    about = _column(found, asked) if isinstance(asked, str) else None
    layout = Layout(first, second, winners, about, kind)
    if len(set(layout.columns)) < len(layout.columns):
        raise ValueError(f"{_list(layout.columns)}: one column is named twice, name different ones.")
    return layout


def _winner(found: Sequence[str], pair: tuple[str, str], winner: str | None) -> tuple[tuple[str, ...], str]:
    left, right = map(_folded, pair)
    if winner is None and (left, right) == ENDS:
        return (), "winners and losers"
    hot = [f"{WINNER}_{left}", f"{WINNER}_{right}", TIE]
    if winner is None and not _places(found, WINNER) and all(_places(found, name) for name in hot[:2]):
        there = [name for name in hot if _places(found, name)]
        return tuple(_column(found, name) for name in there), "Kaggle one-hot votes"
    kind = "LMArena votes" if (left, right) == ("modela", "modelb") else "votes"
    return (_column(found, WINNER if winner is None else winner),), kind


def _places(found: Sequence[str], name: str) -> list[str]:
    """The columns of this name: those that are equal to it, or else those that differ in case and blanks."""
    return [c for c in found if c == name] or [c for c in found if _folded(c) == _folded(name)]


def _folded(name: str) -> str:
    return re.sub(r"[\s_\-]", "", name).lower()


def _column(found: Sequence[str], name: str) -> str:
    there = _places(found, name)
    if not there:
        raise ValueError(f"no column {name!r}; the file has {_list(found)}: name one of these.")
    if len(there) > 1:
        twice = "there twice" if len(set(there)) == 1 else f"written in two ways ({_list(there)})"
        raise ValueError(f"column {name!r} is {twice}: keep one of them.")
    return there[0]


def _list(names: Sequence[str]) -> str:
    shown = ", ".join(map(repr, names[:20]))
    return f"{shown} and {len(names) - 20} more" if len(names) > 20 else shown or "no columns"
