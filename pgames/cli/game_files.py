"""Games from files: a matrix, or votes. What a file holds is recognised, and said in one line."""

from __future__ import annotations

from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from pgames.cli.matrices import TEXT, looks_like_a_matrix, read_matrix
from pgames.cli.meaning import understand
from pgames.cli.notes import read_quietly
from pgames.files import read_npz
from pgames.games.preference import PreferenceGame
from pgames.ratings.estimate import ranking_model, ranking_worth, shrunk
from pgames.rows.table import OBJECTS, reading, suffix_of
from pgames.rows.table import SUFFIXES as TABLES

SUFFIXES = (*TABLES, ".npz", ".npy")


class Source(NamedTuple):
    """A game, with the weight, in votes, of the ranking's predictions for a game from votes.

    notes : lines on what its file was recognised as.
    """

    game: PreferenceGame
    ranking_worth: float | None = None
    notes: tuple[str, ...] = ()


def is_game_file(path: Path) -> bool:
    """Whether the name ends as that of a file which `read_source` reads."""
    return suffix_of(path) in SUFFIXES


def check_file(path: Path) -> None:
    """Raises ValueError when the path is no regular file, saying what it is."""
    if path.is_dir():
        raise ValueError(f"{path} is a folder: pass a file.")
    if path.exists() and not path.is_file():
        raise ValueError(
            f"{path} is a pipe or a device, and games are read from files more than once: save it as a file "
            f"that ends in {', '.join(SUFFIXES)}."
        )
    if not path.is_file():
        raise ValueError(f"{path} is not a file: check the path.")


def read_source(path: Path, symmetrise: bool, prompts: bool = True, drop: bool = False) -> Source:
    """The game of a file: a matrix (.csv, .tsv, .txt, .json, .npy, .npz) or votes (see `Comparisons.read`).

    `prompts` and `drop` say how votes are read. Raises ValueError naming the file, the line where there is
    one, and the remedy.
    """
    check_file(path)
    suffix = suffix_of(path)
    if suffix == ".npz":
        return Source(_read_npz(path, symmetrise), notes=(f"{path.name}: win rates of an .npz file.",))
    if suffix == ".npy" or (suffix in (*TEXT, *OBJECTS) and looks_like_a_matrix(path)):
        matrix = read_matrix(path)
        with reading(path):
            game, kind = understand(matrix, symmetrise)
        return Source(game, notes=(f"{path.name}: {kind}.",))
    if suffix not in TABLES:
        raise ValueError(f"{path}: cannot tell the format from {path.suffix!r}: need {', '.join(SUFFIXES)}.")
    votes = read_quietly(path, prompt=None if prompts else False, drop=drop)
    model = ranking_model(votes)
    worth = ranking_worth(votes, model)
    return Source(shrunk(votes, model, worth), worth, (votes.recognised, *votes.notes))


def read_success(path: Path) -> NDArray[np.float64]:
    """The success rates float64[m, n] of a file, attacks by defences: a text, .npy, or A in an .npz.

    Raises ValueError naming the file, the line where there is one, and the remedy.
    """
    check_file(path)
    if suffix_of(path) != ".npz":
        if suffix_of(path) != ".npy" and not looks_like_a_matrix(path):
            raise ValueError(f"{path} is not a matrix of success rates: its first line has no numbers.")
        return read_matrix(path).values.astype(np.float64)
    arrays = read_npz(path, "a readable .npz file (cut or damaged?)")
    if set(arrays) != {"A"}:
        raise ValueError(
            f"{path} has the arrays {', '.join(arrays) or '(none)'}: save it as np.savez(path, A=A)."
        )
    return arrays["A"]


def _read_npz(path: Path, symmetrise: bool) -> PreferenceGame:
    arrays = read_npz(path, "a readable .npz file (cut or damaged?)")
    known = ("P", "reference", "prompt_weights", "labels")
    if "P" not in arrays or not set(arrays) <= set(known):
        raise ValueError(
            f"{path} has the arrays {', '.join(arrays) or '(none)'}: save it as np.savez(path, P=P), with "
            "reference, prompt_weights and labels if wanted."
        )
    labels = arrays.get("labels")
    if labels is not None and labels.ndim != 1:
        raise ValueError(
            f"{path}: labels must be one name per response, got an array of shape {labels.shape}."
        )
    with reading(path):
        return PreferenceGame(
            arrays["P"],
            arrays.get("reference"),
            arrays.get("prompt_weights"),
            None if labels is None else labels.tolist(),
            symmetrise=symmetrise,
        )
