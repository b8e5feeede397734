"""The parts of a league, built from its configuration: bases, solvers, outside players, who plays whom."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from llm_backend.arena import TextArena
from llm_backend.data import Pair
from llm_backend.league.outside import Abroad, Outside
from llm_backend.league.panel import Members
from llm_backend.league.players import Member, Pool
from llm_backend.league.settings import REFERENCE, LeagueConfiguration, MemberSettings, shown_base
from llm_backend.policies.handles import Adapter, Base, Blend, Policy
from llm_backend.processes.workers import workers
from llm_backend.runs import checkpoint
from llm_backend.runs.build import Parts, build
from llm_backend.runs.config import Configuration
from llm_backend.runs.errors import ConfigError, say
from llm_backend.runs.meter import Meter
from llm_backend.runs.named import build_solver, of_population
from llm_backend.runs.sections import Table, construct
from llm_backend.spaces.protocol import Space
from llm_backend.spaces.recorded import Recorded
from pgames import names
from pgames.meetings import no_meetings
from pgames.population import Facing, Matchmaker, Meta
from pgames.solver import Solver, State

STAND_IN = {"kind": "Rule", "score": "shorter", "cache": False}  # of further bases, which share one judge


@dataclass(frozen=True)
class Home:
    """A base with its arena of a round, and the arena of the measured prompts."""

    name: str
    arena: TextArena
    measured: TextArena


@dataclass(frozen=True)
class Ground:
    """Everything that a league plays on, but for its members' policies.

    parts : of the first base, as a run has them. homes : a base each. solvers : of members that learn, by
    name. abroad, measured_abroad : the spaces of outside players by name, for the prompts of a round and for
    the measured ones. panel, anchors : how members judge, where they do.
    """

    config: LeagueConfiguration
    parts: Parts
    homes: tuple[Home, ...]
    solvers: Mapping[str, Solver]
    abroad: Mapping[str, Space]
    measured_abroad: Mapping[str, Space]
    match: Matchmaker
    meta: Meta
    panel: Members | None = None
    anchors: Sequence[Pair] = ()

    def metered(self, meter: Meter) -> Ground:
        """The same, with draws, scores and judgements of all arenas on a meter."""
        homes = tuple(
            replace(one, arena=meter.watch(one.arena), measured=meter.watch(one.measured))
            for one in self.homes
        )
        return replace(self, homes=homes)

    def exploits(self, pool: Pool) -> list[str]:
        """Whom each member of the pool exploits, "all" or "" for nobody."""
        targets = {one.name: one.exploits for one in self.config.league.members}
        return [targets.get(one.name, "") for one in pool.members]


def ground(config: LeagueConfiguration, folder: Path, few: bool = False) -> Ground:
    """The parts of a league. Cheap checks are made before a model is loaded.

    few : play and measure only as many prompts as one batch of draws holds, for a trial.

    Raises ConfigError naming the key that is wrong.
    """
    if workers().size > 1:
        raise ConfigError("a league runs in one process: start it without accelerate launch.")
    how, members = config.league, config.league.members
    match = of_population("league.match", how.match, names.matchmakers())
    meta = of_population("league.meta", how.meta, names.metas())
    solvers = {
        one.name: build_solver(one.solver or config.solver, f"league.members[{i}].solver")
        for i, one in enumerate(members)
        if one.learns
    }
    players = {
        one.name: construct(f"league.members[{i}].outside", Outside, one.outside)
        for i, one in enumerate(members)
        if one.outside
    }
    panel = _panel(config)
    anchors = panel.known() if panel else []
    stand_in = config.model_copy(update={"judge": dict(STAND_IN)})
    parts = build(stand_in if panel else config, folder, few)
    if panel and parts.arena.listed:
        raise ConfigError(
            'judge.kind = "Members": members judge replies that others wrote, and listed responses have no '
            "author; leave arena.responses out, or name another judge."
        )
    tables = _bases(members)
    homes = [Home(shown_base(config.model), parts.arena, parts.measured)]
    for table in tables[1:]:
        try:
            other = build(_on(config, table), folder, few)
        except ConfigError as error:
            raise ConfigError(f"the base {shown_base(table)} of a member: {error}") from None
        judge = parts.arena.judge
        arenas = [one.within(replace(one.context, judge=judge)) for one in (other.arena, other.measured)]
        homes.append(Home(shown_base(table), *arenas))
    if parts.arena.listed and (players or len(homes) > 1):
        raise ConfigError(
            "arena.responses: outside players and members of other bases write free text; leave the list of "
            "responses out, or these members."
        )
    abroad, measured = (
        {
            name: Recorded(Abroad(arena.space, arena.prompts, player, name), folder / "draws")
            for name, player in players.items()
        }
        for arena in (parts.arena, parts.measured)
    )
    return Ground(config, parts, tuple(homes), solvers, abroad, measured, match, meta, panel, anchors)


def told(land: Ground) -> list[str]:
    """Lines on what several bases and outside players cost."""
    lines = []
    if len(land.homes) > 1:
        names = ", ".join(home.name for home in land.homes)
        lines.append(
            f"{len(land.homes)} bases ({names}): each is in memory, members of different bases share no "
            "batches, and meet each other by the replies of the round, without log-probabilities."
        )
    if land.panel:
        told = f"weighted by {len(land.anchors)} anchors" if land.anchors else "weighted equally"
        lines.append(
            f"members judge the pairs in which they do not play, {told}. A bias that most of them share is "
            "not cured by this: it grows as if each judged itself."
        )
    if land.abroad:
        each = land.parts.sizes[0] * (land.parts.arena.samples or 1)
        lines.append(f"outside players: {each} requests a round to each of {', '.join(land.abroad)}.")
    return lines


def founded(land: Ground) -> Pool:
    """The pool before the first round: learners start at the reference of their base.

    Raises ConfigError naming the member whose solver cannot play in a league, or whose policy is missing.
    """
    members, tables = [], _bases(land.config.league.members)
    for i, one in enumerate(land.config.league.members):
        if one.outside:
            members.append(Member(one.name, "outside", -1, None))
            continue
        home = tables.index(one.base) if one.base else 0
        arena = land.homes[home].measured
        if one.policy:
            state = State(0, _policy(f"league.members[{i}].policy", one, arena))
            members.append(Member(one.name, "frozen", home, state))
            continue
        members.append(Member(one.name, one.kind, home, started(land, one.name, home)))
    return Pool(0, tuple(members), no_meetings(len(members)))


def started(land: Ground, name: str, home: int) -> State[Policy, Any]:
    """The state with which a learner begins. Raises ConfigError when its solver cannot play here."""
    arena = land.homes[home].arena
    try:
        return land.solvers[name].init(Facing(arena, arena.reference))
    except (TypeError, ValueError, AttributeError) as error:  # a verb that such an arena lacks
        raise ConfigError(f"the solver of member {name}: {error}") from None


def base_tables(config: LeagueConfiguration) -> list[dict[str, object]]:
    """The tables of the bases as [model] has them, in the order of the homes."""
    return [
        dict(_on(config, table).model) if table else dict(config.model)
        for table in _bases(config.league.members)
    ]


def _bases(members: list[MemberSettings]) -> list[dict[str, object]]:
    """The tables of the bases, the first that of [model] (an empty one)."""
    found: list[dict[str, object]] = [{}]
    for one in members:
        if one.base and one.base not in found:
            found.append(one.base)
    return found


def _panel(config: LeagueConfiguration) -> Members | None:
    """How members judge, where [judge] says so. Raises ConfigError naming the key."""
    rest = dict(config.judge)
    if rest.pop("kind", None) != "Members":
        return None
    panel = construct("judge", Members, rest)
    try:
        panel.known()
    except (ValueError, OSError) as error:
        raise ConfigError(f"judge.anchors: {error}") from None
    return panel


def _on(config: LeagueConfiguration, base: Table) -> Configuration:
    """The run of another base on the same data, with a judge that is not used."""
    device = {"device": config.model["device"]} if "device" in config.model else {}
    return config.model_copy(update={"model": {**device, **base}, "judge": dict(STAND_IN)})


def _policy(key: str, one: MemberSettings, arena: TextArena) -> Policy:
    if one.policy == REFERENCE:
        return arena.reference
    there = next(checkpoint.intact(Path(one.policy) / "rounds", say), None)
    if there is None:
        raise ConfigError(
            f"{key} = {one.policy!r}: member {one.name} is missing, for the folder holds no complete round; "
            f"pass the folder of a run, or {REFERENCE!r}."
        )
    try:
        found = arena.load(there.folder).policy
    except (ValueError, OSError) as error:
        raise ConfigError(f"{key}: member {one.name} cannot be read: {error}") from None
    if not isinstance(found, Base | Adapter | Blend):
        raise ConfigError(
            f"{key}: the policy of {one.policy} is a mixture, which has no log-probability: distil it."
        )
    return found
