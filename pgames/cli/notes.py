"""The first lines of an output: what a file was recognised as, what was left out, names that look alike."""

from __future__ import annotations

import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import typer

from pgames.terminal import printable
from pgames.votes.comparisons import Comparisons
from pgames.votes.prompts import MANY_PROMPTS, prompts_cost

NoPrompt = Annotated[bool, typer.Option("--no-prompt", help="Read votes without their prompts.")]
Drop = Annotated[
    bool, typer.Option("--drop", help="Leave out rows that are not votes, and say how many and why.")
]


def print_notes(notes: Sequence[str]) -> None:
    """Print one line per note."""
    for note in notes:
        print(printable(note))


def read_quietly(
    path: Path,
    left: str | None = None,
    right: str | None = None,
    winner: str | None = None,
    prompt: str | Literal[False] | None = None,
    drop: bool = False,
) -> Comparisons:
    """The votes of a file, as `Comparisons.read`; rows left out are in their notes, not in a warning.

    Very many prompts are announced on the standard error, before they cost anything.
    Raises ValueError as `Comparisons.read` does.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", ".* left out")
        votes = Comparisons.read(path, left, right, winner, prompt, drop)
    if len(votes.prompts) >= MANY_PROMPTS:
        print(prompts_cost(len(votes.prompts), len(votes.items)), file=sys.stderr)
    return votes
