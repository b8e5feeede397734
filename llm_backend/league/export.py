"""Export of a league: the policy of one of its members, as a model folder or an adapter folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from llm_backend import store
from llm_backend.data import Reading
from llm_backend.export import Card, merge, write_peft
from llm_backend.league.ground import base_tables
from llm_backend.league.settings import LeagueConfiguration
from llm_backend.league.state import LEAGUE
from llm_backend.runs import checkpoint
from llm_backend.runs.errors import ConfigError, say
from llm_backend.runs.logs import rows
from llm_backend.runs.prompts import load_model
from pgames.files import parse_json

CONFIG = "config.json"


def is_league(folder: Path) -> bool:
    """Whether a folder holds a league rather than a run."""
    try:
        found = parse_json((folder / CONFIG).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(found, dict) and "league" in found


def export_member(
    league: str | os.PathLike[str], to: str | os.PathLike[str], member: str, adapter: bool = False
) -> Path:
    """Write a member's policy after the last round to the folder `to`, merged or as an adapter; returns it.

    Raises ConfigError when the folder holds no complete round, or no such member with a policy of its own;
    ValueError when the policy is no single set of weights or `to` is not empty, and OSError naming the file
    when it cannot be written.
    """
    folder = Path(league)
    try:
        config = LeagueConfiguration.dumped(parse_json((folder / CONFIG).read_text(encoding="utf-8")))
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise ConfigError(f"{folder / CONFIG} is damaged ({error}): pass another folder.") from None
    found = next(checkpoint.intact(folder / "rounds", say), None)
    if found is None:
        raise ConfigError(f"{folder} holds no complete round: play the league first.")
    told = parse_json((found.folder / LEAGUE).read_text(encoding="utf-8"))["members"]
    homes = {str(one["name"]): int(one["home"]) for one in told if one["home"] >= 0}
    if member not in homes:
        got = f"{member!r} is not among them" if member else "--member is missing"
        raise ConfigError(f"{folder} is a league of {', '.join(homes)}, and {got}: name one with --member.")
    home = homes[member]
    table = base_tables(config)[home]
    lm = load_model(table, Reading())  # no prompt is read
    place = found.folder / f"base{home}"
    asked = parse_json((place / "state.json").read_text(encoding="utf-8")).get("asked", "")
    state = dict(store.load(lm, place, asked).memory)[member]
    card = _card(config, folder, found.t, member, table)
    (write_peft if adapter else merge)(lm, state.policy, to, card)
    return Path(to)


def _card(config: LeagueConfiguration, folder: Path, t: int, member: str, table: dict[str, object]) -> Card:
    own = next((one for one in config.league.members if one.name == member), None)
    solver = dict(own.solver if own and own.solver else config.solver)
    name = str(solver.pop("name", ""))
    row: dict[str, Any] = next((row for row in rows(folder / "log.jsonl") if row["round"] == t), {})
    standing = next((one for one in row.get("leaderboard", ()) if one.get("name") == member), {})
    tau = solver.get("tau")
    return Card(
        base=str(table.get("name", "")),
        solver=f"{name}({', '.join(f'{key}={value}' for key, value in solver.items())}), member {member}",
        judge=", ".join(f"{key} = {value}" for key, value in config.judge.items()),
        tau=float(tau) if isinstance(tau, int | float) else None,
        rounds=t,
        certificate=standing,
    )
