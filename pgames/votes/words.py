"""The words by which files say who won."""

from __future__ import annotations

WORDS = {"left": 1, "tie": 0, "tie (bothbad)": 0, "right": -1}


def winner_words(left: str, right: str) -> dict[str, int]:
    """The outcome of each word in lower case, of two columns: 1 when left won, 0 for a tie, -1 for right."""
    return {**WORDS, left.lower(): 1, right.lower(): -1}
