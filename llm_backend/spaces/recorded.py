"""Recorded: a space whose draws are kept in a folder, and read back when they are needed again."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from llm_backend.policies.handles import Policy, described
from llm_backend.processes.workers import workers
from llm_backend.spaces.around import Around
from llm_backend.spaces.draws import Draws
from llm_backend.spaces.protocol import Request
from pgames.files import atomic, parse_json


@dataclass(frozen=True, eq=False)
class Recorded(Around):
    """A space that draws nothing twice: an interrupted round continues from the files in `folder`.

    The name of a file is a digest of the policy, the prompts, the limits and the key of the draw. Files of
    finished rounds may be deleted. Scores are not recorded. The first of several processes writes and reads
    for all of them.
    """

    folder: Path

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` responses to each prompt, or to each of the prompts `which`, drawn or read.

        Raises ValueError naming the file when it is not a record of responses.
        """
        path = self._path(policy, n, key, which)
        kept = workers().once(lambda: _read(path) if path.is_file() else None)
        if kept is not None:
            return kept
        draws = self.space.draw(policy, n, key, which)
        workers().once(lambda: _write(path, draws))
        return draws

    def draw_each(
        self, requests: Sequence[Request], n: int, which: Sequence[int] | None = None
    ) -> list[Draws]:
        """`draw` for several requests (policy, key); those that are not read are drawn together.

        Raises ValueError as `draw` does.
        """
        paths = [self._path(policy, n, key, which) for policy, key in requests]
        found = [workers().once(lambda path=path: _read(path) if path.is_file() else None) for path in paths]
        missing = [i for i, kept in enumerate(found) if kept is None]
        drawn = self.space.draw_each([requests[i] for i in missing], n, which) if missing else []
        for i, draws in zip(missing, drawn, strict=True):
            workers().once(lambda path=paths[i], draws=draws: _write(path, draws))
            found[i] = draws
        return [draws for draws in found if draws is not None]

    def _path(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None) -> Path:
        which = range(len(self.sampling.prompts)) if which is None else which
        asked = {"policy": described(policy), "n": n, "key": list(key), "prompts": self._digest(which)}
        return self.folder / f"{_digest(asked)}.json"

    def _digest(self, which: Sequence[int]) -> str:
        """A digest of the prompts `which`, and of everything else that responses to them depend on."""
        how, listed = self.sampling, self.listed
        correct, texts = (how.correct, None) if listed is None else (None, listed.texts)
        asked = [(x, how.prompts[x]) for x in which]
        return _digest([asked, [how.longest, how.shortest, correct, how.temperature, texts]])


def _digest(value: object) -> str:
    return hashlib.blake2b(json.dumps(value).encode(), digest_size=12).hexdigest()


def _write(path: Path, draws: Draws) -> None:
    kept = {
        "prompt": draws.prompt.tolist(),
        "tokens": draws.tokens,
        "texts": draws.texts,
        "column": draws.column.tolist(),
        "truncated": draws.truncated.tolist(),
        "known": [[name, logs.tolist()] for name, logs in draws.known],
    }
    with atomic(path, "w") as file:
        json.dump({"sha256": _sha256(kept), **kept}, file)


def _sha256(kept: dict[str, Any]) -> str:
    return hashlib.sha256(json.dumps(kept).encode()).hexdigest()


def _read(path: Path) -> Draws:
    try:
        kept = parse_json(path.read_text(encoding="utf-8"))
        if kept.pop("sha256") != _sha256(kept):
            raise ValueError("it differs from its SHA-256")
        return Draws(
            np.array(kept["prompt"], np.int64),
            tuple(map(tuple, kept["tokens"])),
            tuple(kept["texts"]),
            np.array(kept["column"], np.int64),
            np.array(kept["truncated"], np.bool_),
            tuple((str(name), np.array(logs, np.float64)) for name, logs in kept.get("known", [])),
        )
    except (ValueError, KeyError, TypeError, AttributeError, OverflowError, RecursionError) as error:
        raise ValueError(f"{path} is not a record of responses ({error}): delete it.") from None
