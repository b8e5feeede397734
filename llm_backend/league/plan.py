"""--plan for a league: rounds of a few prompts with as many members as the first round has, and the last.

Nothing is written to the league's folder. Verdicts are made up, and so are the replies of outside players;
a judge on this machine is timed on a few pairs.
"""

from __future__ import annotations

import importlib
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llm_backend.judges.base import antisymmetric
from llm_backend.league import state
from llm_backend.league.final import finish
from llm_backend.league.ground import Ground, founded, ground, told
from llm_backend.league.players import Pool
from llm_backend.league.round import play
from llm_backend.league.settings import PAST, LeagueConfiguration, LeagueSettings
from llm_backend.policies.handles import Policy
from llm_backend.runs.costs import Cost, Plan, memory, of_training, on_disk
from llm_backend.runs.errors import say
from llm_backend.runs.memory import enough_memory
from llm_backend.runs.meter import Meter
from llm_backend.runs.rehearsal import Rehearsal
from llm_backend.spaces.around import Around
from llm_backend.spaces.draws import Draws
from llm_backend.spaces.protocol import Request


class Trial(NamedTuple):
    """A round that was tried: its cost, and that of the distances, with so many members.

    matches : verdicts on matches, of which `each` on those of two members; the others are of fits.
    """

    members: int
    cost: Cost
    distances: Cost
    matches: float
    each: float


def plan(config: LeagueConfiguration) -> Plan:
    """Play rounds of a few prompts in a temporary folder, and scale them to all rounds of the league.

    Raises ConfigError and OutOfMemory as the league itself.
    """
    meter = Rehearsal(config.judge)
    with tempfile.TemporaryDirectory() as name, enough_memory(meter):
        folder = Path(name)
        land = _alone(ground(config, folder, few=True))
        watched, pool, sizes = land.metered(meter), founded(land), members_by_round(config)
        importlib.import_module("scipy.stats")  # its import is not a cost of a round
        played, seen = land.parts.arena.context.per_round, len(land.parts.measured.prompts)
        say(f"measuring rounds of {played} prompts, with {sizes[0]} and with {max(sizes)} members ...")
        pool = play(watched, pool, folder, meter).pool  # in which many policies are the reference
        small, pool = _tried(watched, pool, folder, meter)
        large = small
        if max(sizes) > small.members:
            pool = grown(pool, max(sizes))
            large, _ = _tried(watched, pool, folder, meter)
        state.save(land, pool, folder)
        disk = on_disk(folder / "rounds")
        rounds = [_round(config.league, t, K, small, large) for t, K in enumerate(sizes)]
        scale = land.parts.sizes[0] / played
        one, far = (_mean([part[i] for part in rounds]) for i in (0, 1))
        page = Cost()
        if config.evaluate.page:
            meter.clear()
            _clear(watched)
            with meter.measure("fit"):
                finish(watched, pool, config.evaluate, meter.judge)
            page = of_training(meter, _journal(watched)).times(land.parts.sizes[1] / seen)
        return Plan(
            config.run.rounds,
            (played, seen),
            one.times(scale),
            far,
            page,
            meter.judging,
            *memory(land.parts.arena.lm.device),
            config.run.keep * disk,
            False,
            notes=(*_notes(config, sizes, [one.times(scale) for one, _ in rounds]), *told(land)),
        )


def members_by_round(config: LeagueConfiguration) -> list[int]:
    """How many members meet in each round; exploiters that win before their `patience` add more."""
    how, past, since, sizes = config.league, dict[str, int](), dict[str, int](), list[int]()
    for t in range(config.run.rounds):
        sizes.append(len(how.members) + sum(past.values()))
        for one in how.members:
            kept = one.kind == "learner" and how.snapshot and t and t % how.snapshot == 0
            if one.kind == "exploiter" and one.patience and t - since.get(one.name, 0) >= one.patience:
                kept, since[one.name] = True, t
            if kept:
                past[one.name] = min(past.get(one.name, 0) + 1, how.past)
    return sizes


def grown(pool: Pool, members: int) -> Pool:
    """The pool with frozen copies of its learners in turn, until it has so many members."""
    learning = [i for i, one in enumerate(pool.members) if one.learns]
    for k in range(members - len(pool.members)):
        i = learning[k % len(learning)]
        one = pool.members[i]
        pool = pool.joined(replace(one.frozen(pool.t), name=f"{one.name}{PAST}trial{k}"), i)
    return pool


def _tried(land: Ground, pool: Pool, folder: Path, meter: Meter) -> tuple[Trial, Pool]:
    meter.clear()
    done = play(land, pool, folder, meter)
    cost = of_training(meter, _journal(land))
    distances = Cost(seconds=meter.seconds["evaluate"])
    if done.results is None:
        return Trial(len(pool.members), cost, distances, 0.0, 0.0), done.pool
    ways = 1 if antisymmetric(land.homes[0].arena.judge) else 2
    matches = ways * len(done.results.games.won)
    pairs = int((np.triu(done.results.met.games[0], 1) > 0).sum())
    return Trial(len(pool.members), cost, distances, matches, matches / max(pairs, 1)), done.pool


def _round(how: LeagueSettings, t: int, members: int, small: Trial, large: Trial) -> tuple[Cost, Cost]:
    """The cost of round t with so many members, and of its distances, between the trials."""
    more = large.members - small.members
    part = (members - small.members) / more if more else 0.0
    cost, far = (
        one.times(1 - part).plus(other.times(part))
        for one, other in ((small.cost, large.cost), (small.distances, large.distances))
    )
    pairs = members * (members - 1) // 2
    if how.matches and t:  # in the first round nobody has met
        pairs = min(pairs, how.matches)
    return cost._replace(verdicts=small.cost.verdicts - small.matches + small.each * pairs), far


def _notes(config: LeagueConfiguration, sizes: Sequence[int], rounds: Sequence[Cost]) -> list[str]:
    lines = []
    if max(sizes) > sizes[0]:
        lines.append(
            f"The pool grows from {sizes[0]} to {max(sizes)} members and the verdicts of a round from "
            f"{rounds[0].verdicts:,.0f} to {rounds[-1].verdicts:,.0f}; an exploiter that wins early adds "
            "members sooner."
        )
    players = [one.name for one in config.league.members if one.outside]
    if players:
        lines.append(f"The replies of {', '.join(players)} were made up: no outside player was asked.")
    return lines


def _mean(costs: Sequence[Cost]) -> Cost:
    return Cost(*(float(np.mean(part)) for part in zip(*costs, strict=True)))


def _journal(land: Ground) -> list:
    return [note for home in land.homes for note in home.arena.journal]


def _clear(land: Ground) -> None:
    for home in land.homes:
        home.arena.journal.clear()


@dataclass(frozen=True, eq=False)
class MadeUp(Around):
    """The space of an outside player that is not asked: its replies repeat the prompts, which are `asked`."""

    asked: Sequence[str]

    def draw(self, policy: Policy, n: int, key: Sequence[int], which: Sequence[int] | None = None) -> Draws:
        """`n` replies to each prompt, or to each of the prompts `which`."""
        at = np.repeat(np.arange(len(self.asked)) if which is None else np.asarray(which, np.int64), n)
        texts = tuple(self.asked[int(x)] for x in at)
        return Draws(at, ((),) * len(at), texts, np.full(len(at), -1), np.zeros(len(at), np.bool_))

    def draw_each(
        self, requests: Sequence[Request], n: int, which: Sequence[int] | None = None
    ) -> list[Draws]:
        """`draw` for several requests (policy, key), one by one."""
        return [self.draw(policy, n, key, which) for policy, key in requests]


def _alone(land: Ground) -> Ground:
    """The league with made-up replies of its outside players."""
    arenas = land.parts.arena, land.parts.measured
    here, there = ({name: MadeUp(one.space, one.prompts) for name in land.abroad} for one in arenas)
    return replace(land, abroad=here, measured_abroad=there)
