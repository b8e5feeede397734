"""What people vote on: a file of pairs, files of answers, or a run's folder."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import NamedTuple, Protocol

from llm_backend.data import as_asked, read_demonstrations
from llm_backend.people.pairs import Asked, Question, distinct, read_questions

ASKED = "asked.jsonl"  # in the folder of judges.Human: the pairs that it waits for
PEOPLE = "people"  # that folder, in the folder of a run
REPLIES = "replies.jsonl"  # in the folder of a run with a page: the policy and the reference
VOTES = "votes.jsonl"

Answers = Mapping[str, Mapping[str, Sequence[str]]]  # policy -> prompt -> its responses


class Source(Protocol):
    """Pairs to compare; `growing` where another process may ask for more."""

    growing: bool

    def asked(self) -> Asked:
        """The pairs as they are now; the same object while nothing has changed."""
        ...


class Fixed:
    """Pairs that stay as they are."""

    growing = False

    def __init__(self, asked: Asked):
        self._asked = asked

    def asked(self) -> Asked:
        """The pairs."""
        return self._asked


class Watched:
    """The pairs of a file that another process writes anew whenever it asks, such as `judges.Human`."""

    growing = True

    def __init__(self, path: Path):
        self._path, self._seen, self._asked = path, (0, 0, 0), Asked(())

    def asked(self) -> Asked:
        """The pairs of the file; none while it is missing or empty. Raises ValueError when it is damaged."""
        try:
            there = os.stat(self._path)
        except FileNotFoundError:
            return Asked(())
        if (seen := (there.st_ino, there.st_size, there.st_mtime_ns)) != self._seen:
            self._asked = read_questions(self._path) if there.st_size else Asked(())
            self._seen = seen
        return self._asked


class Place(NamedTuple):
    """A source, and the file of its votes."""

    source: Source
    votes: Path


def open_source(
    paths: Sequence[Path], first: str = "first", second: str = "second", votes: Path | None = None
) -> Place:
    """What people vote on.

    One file holds pairs, in the columns `prompt`, `first` and `second`. Several files hold the answers of a
    policy each, in the columns `prompt` and `response`; every two policies are compared on the prompts that
    both answer, and a policy is named by its file. The folder of a run is its judge's questions where
    [judge] is Human, else the replies of its page, and may stand among several policies.

    Raises ValueError naming the file that cannot be read, or that has nothing to compare.
    """
    if len(paths) > 1:
        return Place(Fixed(_policies(paths)), votes or Path(VOTES))
    (path,) = paths
    for folder in (path / PEOPLE, path):
        if folder.is_dir() and (folder.name == PEOPLE or (folder / ASKED).exists()):
            return Place(Watched(folder / ASKED), votes or folder / VOTES)
    if path.is_dir():
        return Place(Fixed(read_questions(_replies(path))), votes or path / VOTES)
    kept = path.with_name(f"{path.stem}.{VOTES}")
    return Place(Fixed(read_questions(path, first, second)), votes or kept)


def _policies(paths: Sequence[Path]) -> Asked:
    """Every two policies on every prompt that both answer."""
    found: dict[str, dict[str, list[str]]] = {}
    for path in paths:
        for name, answers in _answers(path).items():
            if name in found and name != "reference":
                raise ValueError(f"two sources are named {name!r}: rename the file or folder of one of them.")
            found.setdefault(name, answers)
    questions, told = [], []
    for one, other in combinations(found, 2):
        both = [prompt for prompt in found[one] if prompt in found[other]]
        if not both:
            told.append(f"{one} and {other} answer no prompt in common, so they are not compared.")
        questions += [
            Question.of(prompt, pair, (one, other))
            for prompt in both
            for pair in zip(found[one][prompt], found[other][prompt], strict=False)
        ]
    asked = distinct(questions, " and ".join(map(str, paths)))
    return Asked(asked.questions, (*told, *asked.told))


def _answers(path: Path) -> dict[str, dict[str, list[str]]]:
    if not path.is_dir():
        return {
            path.stem: _by_prompt((as_asked(one.prompt), one.response) for one in read_demonstrations(path))
        }
    questions = read_questions(_replies(path)).questions
    names = dict.fromkeys(name for one in questions for name in one.names)
    return {
        name: _by_prompt(
            (one.prompt, one.texts[one.names.index(name)]) for one in questions if name in one.names
        )
        for name in names
    }


def _by_prompt(said) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for prompt, text in said:
        found.setdefault(prompt, []).append(text)
    return found


def _replies(folder: Path) -> Path:
    if not (path := folder / REPLIES).is_file():
        raise ValueError(
            f"{folder} has nothing to compare: it holds no {REPLIES}, which a run writes at its end with "
            f"[evaluate] page, and no {PEOPLE}/{ASKED}, which [judge] kind = 'Human' writes."
        )
    return path
