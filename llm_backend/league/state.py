"""A league's pool on disk: one folder per round, with the policies of each base in a folder of its own."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from llm_backend.league.ground import Ground, founded
from llm_backend.league.players import Member, Pool, described
from llm_backend.policies.handles import Adapter, leaves
from llm_backend.runs import checkpoint
from llm_backend.runs.bits import bits_of_torch, tell_other_bits
from llm_backend.runs.errors import ConfigError, say
from pgames.files import parse_json
from pgames.meetings import Meetings
from pgames.solver import State

LEAGUE = "league.json"


def save(land: Ground, pool: Pool, folder: Path) -> None:
    """Write the checkpoint of a pool, and keep as many as run.keep says. Draws of the round are deleted."""
    about = {**bits_of_torch(), "data": land.parts.digest, "members": _ids(pool)}
    checkpoint.save(
        folder / "rounds", pool.t, lambda target: _write(land, pool, target), about, land.config.run.keep
    )
    shutil.rmtree(folder / "draws", ignore_errors=True)


def restored(land: Ground, folder: Path) -> Pool:
    """The pool of the last intact checkpoint, or a new one.

    A damaged checkpoint is told, with the member whose file is missing, and the one before is read.
    Raises ConfigError when the checkpoint was made with other prompts.
    """
    rounds = folder / "rounds"
    for found in checkpoint.intact(rounds, lambda line: say(_with_member(line, rounds))):
        tell_other_bits(found, say)
        if found.about.get("data") != land.parts.digest:
            raise ConfigError(
                f"[data] {folder} was played with other prompts or tokens: a league keeps its prompts. "
                "Put them back, or set run.out to another folder."
            )
        return _read(land, found)
    return founded(land)


def _write(land: Ground, pool: Pool, target: Path) -> None:
    for h, home in enumerate(land.homes):
        states = tuple((one.name, one.state) for one in pool.members if one.home == h)
        home.measured.save(State(pool.t, home.measured.reference, states), target / f"base{h}")
    met = pool.met
    told = {
        "round": pool.t,
        "members": [described(one) for one in pool.members],
        "rates": met.rates[0].tolist(),
        "games": met.games[0].tolist(),
    }
    (target / LEAGUE).write_text(json.dumps(told), encoding="utf-8")


def _read(land: Ground, found: checkpoint.Checkpoint) -> Pool:
    told = parse_json((found.folder / LEAGUE).read_text(encoding="utf-8"))
    states: dict[str, State] = {}
    for h, home in enumerate(land.homes):
        states |= dict(home.measured.load(found.folder / f"base{h}").memory)
    members = tuple(Member(**one, state=states.get(one["name"])) for one in told["members"])
    met = Meetings(np.array(told["rates"])[None], np.array(told["games"])[None])
    return Pool(found.t, members, met)


def _ids(pool: Pool) -> dict[str, list[str]]:
    """The adapters that each member's state holds, by its name: their files have these names."""
    return {one.name: sorted(set(_adapters(one.state))) for one in pool.members}


def _adapters(value: Any) -> Iterator[str]:
    if isinstance(value, tuple | list):
        for part in value:
            yield from _adapters(part)
    elif isinstance(value, Adapter):
        yield value.id
    elif hasattr(value, "terms"):
        yield from (leaf.id for leaf in leaves(value) if isinstance(leaf, Adapter))


def _with_member(line: str, rounds: Path) -> str:
    """The line on a damaged checkpoint, with the members whose file it names."""
    for path in sorted(rounds.glob("[0-9]*/" + checkpoint.MANIFEST)):
        if not line.startswith(str(path.parent)):
            continue
        try:
            held = parse_json(path.read_text(encoding="utf-8"))["about"]["members"]
            names = [name for name, ids in held.items() if any(id in line for id in ids)]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return line
        return f"{line} The file holds the policy of {', '.join(names)}." if names else line
    return line
