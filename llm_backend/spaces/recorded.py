"""Responses written to a folder when drawn, and read back when asked for again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from llm_backend.policies.handles import Adapter, Answers, Base, Policy
from llm_backend.processes.workers import workers
from llm_backend.spaces.draws import Draws
from pgames.files import atomic


class Recorded:
    """The responses of an arena, nothing of which is drawn twice.

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
