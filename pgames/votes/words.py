"""The words by which files say who won."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

SIDES = (  # words for the left and the right item that one file uses together
    ("left", "right"),
    ("a", "b"),
    ("model_a", "model_b"),
    ("response_a", "response_b"),
    ("answer_a", "answer_b"),
    ("assistant_a", "assistant_b"),
    ("model_1", "model_2"),
    ("first", "second"),
    ("true", "false"),
)
TIES = (
    *("tie", "tied", "draw", "drawn", "equal", "both", "neither"),
    *("both_bad", "bothbad", "both_good", "bothgood"),
    *("tie_both_bad", "tie_bothbad", "tie_both_good", "tie_bothgood"),
)
TIE, COLUMNS, NUMBERS = len(SIDES), len(SIDES) + 1, len(SIDES) + 2
SYSTEMS = len(SIDES) + 3
WHOLE = re.compile(r"(-?\d+)\.0+")


class Word(NamedTuple):
    """What a word says: 1 when left won, 0 for a tie, -1 for right; words of one system stand together."""

    outcome: int
    system: int


WORDS = {word: Word(0, TIE) for word in TIES} | {
    word: Word(outcome, system)
    for system, pair in enumerate(SIDES)
    for word, outcome in zip(pair, (1, -1), strict=True)
}
SIGNS = {"1": Word(1, NUMBERS), "0": Word(0, NUMBERS), "-1": Word(-1, NUMBERS)}
SHARES = {"1": Word(1, NUMBERS), "0.5": Word(0, NUMBERS), "0": Word(-1, NUMBERS)}


def plain(word: str) -> str:
    """A word as `WORDS` has it: in lower case, with _ for blanks, dashes and parentheses, and 1 for 1.0."""
    word = word.strip().lower()
    if whole := WHOLE.fullmatch(word):
        return whole[1]
    return word if word in SIGNS else re.sub(r"[\s_()\-]+", "_", word).strip("_")


def winner_words(left: str, right: str) -> dict[str, Word]:
    """The meaning of each plain word in a file whose columns of items have these names."""
    own = {plain(left): Word(1, COLUMNS), plain(right): Word(-1, COLUMNS)}
    same = {name for name, word in own.items() if name in WORDS and WORDS[name].outcome == word.outcome}
    return WORDS | {name: word for name, word in own.items() if name not in same}


def number_words(values: Iterable[str]) -> dict[str, Word]:
    """The meaning of the numbers among these plain words, which are all winners of a file.

    1 and 0 are the left and the right item. With -1 among them, 0 is a tie; with 0.5, that is the tie.
    """
    said = {value for value in values if value in SIGNS or value in SHARES}
    if "-1" in said:
        return SIGNS if said <= SIGNS.keys() else {}
    return SHARES
