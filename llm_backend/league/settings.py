"""The configuration of a league: that of a run, and a [league] with its members."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any, Literal

from pydantic import BaseModel, Field

from llm_backend.runs.config import TINY, Configuration, values_of
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.sections import FINITE, validated

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,39}")  # of a member: it is part of file names
PAST = "@"  # between a member's name and the round of a snapshot
REFERENCE = "base"  # the policy of a frozen member that is the model before training

Kind = Literal["learner", "exploiter", "frozen", "outside"]


class MemberSettings(BaseModel):
    """One member of [[league.members]].

    A learner has a `solver` (by default that of [solver]), and perhaps a `base` of its own, a table as
    [model]. An exploiter names in `exploits` the member that it meets, or "all". When it wins more than
    `reset` of its games, or after `patience` rounds, it is kept as a past member and starts again.
    A frozen member has a `policy`: "base", or the folder of a run on the same model.
    An outside player has an `outside` table: the address of a server, and the name of its model.
    """

    model_config = FINITE
    name: str
    solver: dict[str, object] = {}
    base: dict[str, object] = {}
    exploits: str = ""
    reset: float = Field(default=0.7, gt=0, le=1)
    patience: int = Field(default=0, ge=0)
    policy: str = ""
    outside: dict[str, object] = {}

    @property
    def kind(self) -> Kind:
        """What the member is, by the keys that it has."""
        if self.outside:
            return "outside"
        if self.policy:
            return "frozen"
        return "exploiter" if self.exploits else "learner"

    @property
    def learns(self) -> bool:
        """Whether a solver trains it."""
        return self.kind in ("learner", "exploiter")


class LeagueSettings(BaseModel):
    """[league]: its members, who plays whom, and who answers.

    `match` and `meta` name a matchmaker and a meta-solver of pgames.population with their parameters. In a
    round `matches` pairs of members meet (0: all): all that never met, then those that tell most about the
    answer and about whom learners meet.
    Every round multiplies the weight of a learner's earlier results by `memory`. Every `snapshot` rounds
    (0: never) each learner is kept as a past member; of each learner the last `past` stay.
    Elo's stream moves by `k` points.
    """

    model_config = FINITE
    members: list[MemberSettings]
    match: dict[str, object] = {"name": "Hard"}
    meta: dict[str, object] = {"name": "Nash", "select": "max_entropy"}
    matches: int = Field(default=0, ge=0)
    memory: float = Field(default=0.5, ge=0, lt=1)
    snapshot: int = Field(default=0, ge=0)
    past: int = Field(default=1, ge=1)
    k: float = Field(default=4.0, gt=0)


class LeagueConfiguration(Configuration):
    """A league: [league] beside the sections of a run. [solver] is that of members without their own."""

    league: LeagueSettings

    @classmethod
    def parse(cls, values: Mapping[str, object], name: str = "league") -> LeagueConfiguration:
        """A configuration from nested dictionaries. Raises ConfigError naming the key that is wrong."""
        table = values.get("league")
        if not isinstance(table, Mapping):
            raise ConfigError(f"league must be a table, [league], got {table!r:.60}.")
        league = _league(table)
        own = [one.solver for one in league.members if one.learns and one.solver]
        shared = "solver" in values
        for i, one in enumerate(league.members):
            if one.learns and not one.solver and not shared:
                raise ConfigError(f"league.members[{i}].solver is missing: give it, or [solver] for all.")
        if not shared and own:
            values = {**values, "solver": own[0]}  # of no member: every learner has its own
        if "data" in values and isinstance(data := values["data"], Mapping) and "pairs" in data:
            raise ConfigError("data.pairs: a league has a judge and prompts; give data.source.")
        shown = {**values, "league": league.model_dump(mode="json")}
        found = super().parse(shown, name)
        assert isinstance(found, LeagueConfiguration)
        if found.run.shard:
            raise ConfigError("run.shard = true: a league runs in one process; unset it.")
        return found

    @classmethod
    def dumped(cls, values: Mapping[str, Any]) -> LeagueConfiguration:
        """The configuration of a folder, as `dump` wrote it: keys that a member did not set have defaults.

        Raises ConfigError naming the key that is wrong.
        """
        usual = MemberSettings(name="").model_dump()
        members = [
            {key: value for key, value in one.items() if value != usual.get(key)}
            for one in values["league"]["members"]
        ]
        return cls.parse({**values, "league": {**values["league"], "members": members}})

    def tiny(self) -> LeagueConfiguration:
        """The same league at a toy's scale, without other bases and outside players."""
        small = super().tiny()
        members = [
            one.model_copy(update={"base": {}, "policy": REFERENCE if one.policy else ""})
            for one in self.league.members
            if not one.outside
        ]
        league = self.league.model_copy(update={"members": members})
        return small.model_copy(update={"league": league})  # type: ignore[return-value]


def read(path: str | os.PathLike[str]) -> Configuration:
    """The configuration of a TOML file: of a league when it has a [league], otherwise of a run.

    Raises ConfigError naming file and key.
    """
    return (LeagueConfiguration if "league" in values_of(path) else Configuration).read(path)


def _league(table: Mapping[str, object]) -> LeagueSettings:
    rest = dict(table)
    for key in ("match", "meta"):
        if isinstance(rest.get(key), str):
            rest[key] = {"name": rest[key]}
    listed = rest.get("members")
    if not isinstance(listed, list) or not listed:
        raise ConfigError("league.members is missing: give at least one [[league.members]] table.")
    rest["members"] = []
    settings = validated(LeagueSettings, "league", rest)
    members = [validated(MemberSettings, f"league.members[{i}]", one) for i, one in enumerate(listed)]
    _check(members)
    return settings.model_copy(update={"members": members})


def _check(members: list[MemberSettings]) -> None:
    names = [one.name for one in members]
    for i, one in enumerate(members):
        where = f"league.members[{i}]"
        if not NAME.fullmatch(one.name):
            raise ConfigError(
                f"{where}.name = {one.name!r:.60}: it must be 1 to 40 letters, digits, '_', '.' or '-'."
            )
        if one.name in names[:i]:
            raise ConfigError(
                f"{where}.name = {one.name!r}: it is the name of member {names.index(one.name)} already."
            )
        _check_keys(where, one, given=one.model_fields_set)
        if one.exploits and one.exploits != "all":
            if one.exploits not in names or one.exploits == one.name:
                others = ", ".join(name for name in names if name != one.name)
                raise ConfigError(
                    f"{where}.exploits = {one.exploits!r}: it must be 'all' or another member: {others}."
                )
        if one.exploits == "all" and not any(other.kind == "learner" for other in members):
            raise ConfigError(f"{where}.exploits = 'all': no member is a learner; name a member, or add one.")
    if not any(one.learns for one in members):
        raise ConfigError("league.members: none of them learns; give one a solver, or rate players by votes.")


def _check_keys(where: str, one: MemberSettings, given: set[str]) -> None:
    """Raises ConfigError for a key that a member of its kind has no use for."""
    allowed: dict[str, set[str]] = {
        "learner": {"solver", "base"},
        "exploiter": {"solver", "base", "exploits", "reset", "patience"},
        "frozen": {"policy", "base"},
        "outside": {"outside"},
    }
    for key in sorted(given - {"name"} - allowed[one.kind]):
        raise ConfigError(
            f"{where}.{key}: {one.name} is {_article(one.kind)}, which takes "
            f"{', '.join(sorted(allowed[one.kind]))}; leave it out."
        )


def _article(kind: str) -> str:
    return f"an {kind}" if kind in ("outside", "exploiter") else f"a {kind}"


def shown_base(table: Mapping[str, Any]) -> str:
    """The name of a member's base in messages."""
    return str(table.get("name", TINY)) if table else "that of [model]"
