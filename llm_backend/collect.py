"""A round's data: responses drawn from policies, and what the judge says of them."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from llm_backend.judges import ask
from llm_backend.judges.base import antisymmetric
from llm_backend.policy import Adapter, Answers, Base, Policy
from llm_backend.workers import workers
from pgames.files import atomic

Ints = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Draws:
    """Responses in rows: `prompt` int64[B] each answers, its tokens (EOS included) and its text.

    `column` int64[B] is the place in the list of an enumerable game, -1 elsewhere. `truncated` bool[B] marks
    responses cut at the length limit: they did not end, so they have no EOS.
    """

    prompt: Ints
    tokens: tuple[tuple[int, ...], ...]
    texts: tuple[str, ...]
    column: Ints
    truncated: NDArray[np.bool_]

    def __len__(self) -> int:
        return len(self.texts)

    def take(self, rows: Sequence[int] | Ints) -> Draws:
        """Some of the rows, in that order."""
        at = np.asarray(rows, dtype=np.int64)
        return Draws(
            self.prompt[at],
            tuple(self.tokens[i] for i in at),
            tuple(self.texts[i] for i in at),
            self.column[at],
            self.truncated[at],
        )

    @staticmethod
    def join(parts: Sequence[Draws]) -> Draws:
        """All rows, one part after the other."""
        return Draws(
            np.concatenate([part.prompt for part in parts]),
            tuple(row for part in parts for row in part.tokens),
            tuple(text for part in parts for text in part.texts),
            np.concatenate([part.column for part in parts]),
            np.concatenate([part.truncated for part in parts]),
        )


NO_DRAWS = Draws(np.empty(0, np.int64), (), (), np.empty(0, np.int64), np.empty(0, np.bool_))


def judged(judge: Any, prompts: Sequence[str], first: Draws, second: Draws) -> Floats:
    """P(row of first > row of second), float64[B]; equal texts are 1/2 without asking."""
    answers = np.full(len(first), 0.5)
    at = [i for i in range(len(first)) if first.texts[i] != second.texts[i]]
    if at:
        answers[at] = ask(
            judge,
            [prompts[int(first.prompt[i])] for i in at],
            [first.texts[i] for i in at],
            [second.texts[i] for i in at],
        )
    return answers


def judged_both_ways(
    judge: Any, prompts: Sequence[str], first: Draws, second: Draws
) -> tuple[Floats, Floats]:
    """P(row of first > row of second) and P(row of second > row of first), float64[B] each."""
    won = judged(judge, prompts, first, second)
    return won, 1 - won if antisymmetric(judge) else judged(judge, prompts, second, first)


def distinct(draws: Draws) -> tuple[Draws, Ints]:
    """The rows without repetitions, in their order, and the place int64[B] of each row among them."""
    first: dict[tuple[int, tuple[int, ...]], int] = {}
    keys = [(int(x), tokens) for x, tokens in zip(draws.prompt, draws.tokens, strict=True)]
    where = np.array([first.setdefault(key, len(first)) for key in keys], np.int64)
    _, rows = np.unique(where, return_index=True)
    return (draws if len(rows) == len(draws) else draws.take(rows)), where


def by_prompt(draws: Draws, prompts: int) -> list[Ints]:
    """The rows of every prompt."""
    order = np.argsort(draws.prompt, kind="stable")
    return np.split(order, np.searchsorted(draws.prompt[order], np.arange(1, prompts)))


def pairs_within(draws: Draws, prompts: int) -> Ints:
    """All pairs (i, j), i < j, of rows that answer one prompt: int64[M, 2]."""
    found = []
    for rows in by_prompt(draws, prompts):
        i, j = np.triu_indices(len(rows), 1)
        found.append(np.stack([rows[i], rows[j]], axis=1))
    return np.concatenate(found)


def wins_among(judge: Any, prompts: Sequence[str], draws: Draws) -> Floats:
    """How often each row beats the rows of its prompt, itself included at 1/2: float64[B]."""
    pairs = pairs_within(draws, len(prompts))
    won = judged_both_ways(judge, prompts, draws.take(pairs[:, 0]), draws.take(pairs[:, 1]))
    total = np.full(len(draws), 0.5)
    np.add.at(total, pairs[:, 0], won[0])
    np.add.at(total, pairs[:, 1], won[1])
    return total / np.bincount(draws.prompt, minlength=len(prompts))[draws.prompt]


def wins_against(judge: Any, prompts: Sequence[str], draws: Draws, opponents: Draws) -> Floats:
    """How often each row beats the opponent's rows of its prompt: float64[B]."""
    groups = by_prompt(opponents, len(prompts))
    ours = np.repeat(np.arange(len(draws)), [len(groups[x]) for x in draws.prompt])
    theirs = np.concatenate([groups[x] for x in draws.prompt])
    won = judged(judge, prompts, draws.take(ours), opponents.take(theirs))
    return np.bincount(ours, won, len(draws)) / np.bincount(ours, minlength=len(draws))


class Recorded:
    """The responses of an arena, with everything drawn written to a folder and read back when asked again.

    A file is named by the key of the draw and the policy's fingerprint; it holds tokens, so nothing is drawn
    twice when a round is interrupted. Files of finished rounds may be deleted. Of several processes the first
    one writes and reads, for all.
    """

    def __init__(self, space: Any, folder: Path):
        self._space, self._folder = space, folder

    def __getattr__(self, name: str) -> Any:
        return getattr(self._space, name)

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to every prompt, or to the prompts `which`, drawn or read."""
        which = range(len(self._space.ids)) if which is None else which
        asked = {"policy": described(policy), "n": n, "key": list(key), "prompts": self._prompts(which)}
        digest = hashlib.blake2b(json.dumps(asked).encode(), digest_size=12).hexdigest()
        path = self._folder / f"{digest}.json"
        kept = workers().once(lambda: _read(path) if path.is_file() else None)
        if kept is not None:
            return kept
        draws = self._space.draw(policy, n, key, which)
        workers().once(lambda: _write(path, draws))
        return draws

    def _prompts(self, which: Sequence[int]) -> str:
        names = ("longest", "shortest", "correct", "temperature", "texts")
        how = [getattr(self._space, name, None) for name in names]
        asked = [(x, self._space.ids[x]) for x in which]
        return hashlib.blake2b(json.dumps([asked, how]).encode(), digest_size=12).hexdigest()


def _write(path: Path, draws: Draws) -> None:
    kept = {
        "prompt": draws.prompt.tolist(),
        "tokens": draws.tokens,
        "texts": draws.texts,
        "column": draws.column.tolist(),
        "truncated": draws.truncated.tolist(),
    }
    with atomic(path, "w") as file:
        json.dump(kept, file)


def _read(path: Path) -> Draws:
    try:
        kept = json.loads(path.read_text(encoding="utf-8"))
        return Draws(
            np.array(kept["prompt"], np.int64),
            tuple(map(tuple, kept["tokens"])),
            tuple(kept["texts"]),
            np.array(kept["column"], np.int64),
            np.array(kept["truncated"], np.bool_),
        )
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(f"{path} is no record of responses ({error}): delete it.") from None


def described(policy: Policy) -> Any:
    """What a policy is, in terms that a restart does not change."""
    if isinstance(policy, Base | Adapter):
        return policy.id
    if isinstance(policy, Answers):
        return [list(map(list, policy.texts)), [list(w) for w in policy.weights]]
    return [type(policy).__name__, *([w, described(part)] for w, part in policy.terms)]
