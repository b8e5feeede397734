"""One round of a league: draw every member once, judge who meets, and one fit per learner."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import numpy as np

from llm_backend.arena import TextArena
from llm_backend.judges import Judge
from llm_backend.judges.base import JudgeError, name_of
from llm_backend.league import distance, matches
from llm_backend.league.ground import Ground, started
from llm_backend.league.panel import panel_of
from llm_backend.league.players import Member, Pool, described
from llm_backend.league.pooled import Pooled, as_said, even, opponent
from llm_backend.policies.handles import Adapter, Base, Policy
from llm_backend.runs.errors import ConfigError
from llm_backend.runs.meter import Meter
from llm_backend.spaces import scores
from llm_backend.spaces.draws import Draws, Floats
from pgames.population import Facing, mixed
from pgames.solver import State


class Played(NamedTuple):
    """A round that was played.

    pool : the members after it. rated : the members that met in it, with what they have won. results : the
    games, by prompt. apart : their mean distance, or None. events : lines on restarts and snapshots.
    """

    pool: Pool
    rated: Pool
    results: matches.Results | None
    apart: float | None
    events: list[str]


def play(land: Ground, pool: Pool, folder: Path, meter: Meter) -> Played:
    """Play round t of the pool: matches, whose results are written to disk, and then a fit per learner.

    Raises ConfigError when a solver asks for what a league does not offer.
    """
    how, t = land.config.league, pool.t
    arenas = [home.arena.at(t) for home in land.homes]
    for arena in arenas:
        arena.journal.clear()
    key = (arenas[0].seed, t)
    # 1. every member is drawn once, in shared batches
    draws = [] if arenas[0].context.exact else drawn(land, pool, arenas)
    # 2. the pairs that `match` wants are judged
    if draws:
        arenas = judged_by(land, pool, arenas, draws, meter.judge)
        times = matches.times(pool, how, land.match, land.meta, key)
        prompts = list(arenas[0].context.round_prompts())
        results = matches.judged(arenas[0].judge, arenas[0].prompts, draws, times)
        met = replace(pool, met=pool.met + results.met)
        check_met(met, arenas[0].judge)
        rated = matches.streamed(met, results.games, how.k, key)
        of = [described(one) for one in rated.members]
        matches.write(folder / "meetings" / f"{t:05d}.json", rated, results, prompts, of)
    else:
        results, rated = None, _exactly(arenas[0], pool)
    with meter.measure("evaluate"):
        apart = _apart(arenas, pool, draws)
    # 3. snapshots are kept, and exploiters that have won start again
    after, events = _kept(land, rated)
    # 4. one fit per learner
    shares = matches.shares(rated, land.match, land.exploits(rated))
    said = _said(arenas, rated, draws)
    members = list(after.members)
    with meter.measure("fit"):
        for i, one in enumerate(rated.members):
            if one.learns:
                policy, arena = _opponents(arenas[one.home], rated, i, shares[i], said[one.home])
                members[i] = replace(members[i], state=_step(land, members[i], arena, policy))
    learned = {one.name for one in members if one.learns}
    after = Pool(t + 1, tuple(members), after.met).aged(how.memory, learned)
    return Played(after.without(_dropped(after, how.past)), rated, results, apart, events)


def check_met(pool: Pool, judge: Judge) -> None:
    """Raise JudgeError naming two members that a judge which leaves verdicts out has left without any."""
    never = np.argwhere(pool.met.games[0] == 0)
    if len(never):
        first, second = (pool.names[i] for i in never[0])
        raise JudgeError(
            f"{name_of(judge)} gave no verdict on any pair of {first} and {second}: they cannot be rated. "
            "Give verdicts on their pairs and start again with --resume; no verdict is lost."
        )


def judged_by(
    land: Ground,
    pool: Pool,
    arenas: Sequence[TextArena],
    draws: Sequence[Draws],
    watch: Callable[[Judge], Judge] = lambda judge: judge,
) -> list[TextArena]:
    """The arenas with the judge of this round: the panel of its members, where they judge."""
    if land.panel is None:
        return list(arenas)
    policies = {
        one.name: (arenas[one.home].lm, one.policy)
        for one in pool.members
        if one.home >= 0 and isinstance(one.policy, Base | Adapter)
    }
    panel = panel_of(land.panel, land.anchors, policies)
    for one, some in zip(pool.members, draws, strict=True):
        panel.wrote(one.name, arenas[0].prompts, some)
    judge = watch(panel)
    return [one.within(replace(one.context, judge=judge)) for one in arenas]


def drawn(land: Ground, pool: Pool, arenas: Sequence[TextArena]) -> list[Draws]:
    """The draws of every member to every prompt of the round, sorted by prompt.

    The key of a member's draws holds its name: they do not depend on who else plays.
    """
    found: dict[str, Draws] = {}
    asked = arenas[0].context.round_prompts()
    n = arenas[0].context.drawn

    def key(one: Member) -> tuple[int, ...]:
        return (*arenas[0].context.key("meet"), number(one.name))

    for h, arena in enumerate(arenas):
        here = [one for one in pool.members if one.home == h]
        each = arena.space.draw_each([(one.policy, key(one)) for one in here], n, asked)
        found |= {one.name: draws for one, draws in zip(here, each, strict=True)}
    for one in pool.members:
        if one.home < 0:
            found[one.name] = land.abroad[one.name].draw(arenas[0].reference, n, key(one), asked)
    return [_sorted(found[one.name]) for one in pool.members]


def number(name: str) -> int:
    """A number in [0, 2**56) that identifies a name."""
    return int.from_bytes(hashlib.blake2b(name.encode(), digest_size=7).digest(), "big")


def answer(land: Ground, pool: Pool) -> Floats:
    """The weights float64[K] with which the league answers: `meta` over the members that have a policy."""
    own = pool.own
    weights = np.zeros(len(pool.members))
    weights[own] = land.meta(pool.met.among(own).known([pool.names[i] for i in own]))[0]
    return weights


def _opponents(
    arena: TextArena, pool: Pool, i: int, share: Floats, said: Sequence[Draws]
) -> tuple[Policy, TextArena]:
    """The opponents of member i as one policy, and the arena of its fit, whose draws are those of the round.

    said : the draws of all members in tokens of its base; none in exact play.
    """
    one, name = pool.members[i], number(pool.members[i].name)
    view = arena.within(replace(arena.context, seed=(arena.seed + name) % 2**56))  # no two members are alike
    if not said or arena.listed:
        return mixed(arena, share[None], [each.policy for each in pool.members]), view
    policy, rows = opponent(share, said, len(arena.prompts))
    known = {
        each.policy: even(draws)
        for each, draws in zip(pool.members, said, strict=True)
        if each.home == one.home and not each.learns
    }
    known[one.policy] = even(said[i])
    space = Pooled(view.space, {policy: rows}, known, view.round)
    return policy, view.within(replace(view.context, space=space))


def _step(land: Ground, one: Member, arena: TextArena, policy: Policy) -> State:
    assert one.state is not None
    try:
        return land.solvers[one.name].step(Facing(arena, policy), one.state)
    except AttributeError as error:
        raise ConfigError(f"the solver of member {one.name} cannot play in a league: {error}") from None


def _exactly(arena: TextArena, pool: Pool) -> Pool:
    """The pool with exact results of an enumerable game."""
    K = len(pool.members)
    met = arena.meet([one.policy for one in pool.members], np.argwhere(np.tri(K, k=-1)))
    return replace(pool, met=met)


def _kept(land: Ground, pool: Pool) -> tuple[Pool, list[str]]:
    """The pool with new past members; exploiters that have won, or had their time, start again."""
    how, t, events, rated = land.config.league, pool.t, [], pool
    settings = {one.name: one for one in how.members}
    for i, one in enumerate(rated.members):
        if one.kind == "learner" and how.snapshot and t and t % how.snapshot == 0:
            pool = pool.joined(one.frozen(t), i)
        if one.kind != "exploiter" or t == one.since:
            continue
        rate, own = _winning(rated, i, settings[one.name].exploits), settings[one.name]
        if rate >= own.reset or (own.patience and t - one.since >= own.patience):
            events.append(f"{one.name} starts again: it won {100 * rate:.0f} % in {t - one.since} rounds.")
            pool = pool.joined(one.frozen(t), i).forgotten(one.name)
            fresh = replace(
                one, state=started(land, one.name, one.home), since=t, resets=one.resets + 1, elo=0.0
            )
            pool = replace(pool, members=(*pool.members[:i], fresh, *pool.members[i + 1 :]))
    return pool, events


def _winning(pool: Pool, i: int, target: str) -> float:
    """The win rate of an exploiter against its target, or against all learners."""
    if target != "all":
        return float(pool.met.known(pool.names)[0, i, pool.index(target)])
    prey = [j for j, one in enumerate(pool.members) if one.kind == "learner"]
    return float(pool.met.known(pool.names)[0, i, prey].mean())


def _dropped(pool: Pool, most: int) -> set[str]:
    """The past members beyond the last `most` of each parent."""
    past: dict[str, list[str]] = {}
    for one in pool.members:
        if one.parent:
            past.setdefault(one.parent, []).append(one.name)
    return {name for names in past.values() for name in names[: max(0, len(names) - most)]}


def _said(arenas: Sequence[TextArena], pool: Pool, draws: Sequence[Draws]) -> list[list[Draws]]:
    """The draws of all members, in tokens of each base that has a learner."""
    learning = {one.home for one in pool.members if one.learns}
    return [
        [
            some if one.home == h else as_said(some, arena.lm, arena.space.sampling)
            for one, some in zip(pool.members, draws, strict=True)
        ]
        if h in learning and draws and not arena.listed
        else []
        for h, arena in enumerate(arenas)
    ]


def _apart(arenas: Sequence[TextArena], pool: Pool, draws: Sequence[Draws]) -> float | None:
    """The mean distance between learners of the same base, over all bases; None when no two have one."""
    found = []
    for h, arena in enumerate(arenas):
        at = [
            i
            for i, one in enumerate(pool.members)
            if one.home == h and one.learns and scores.scored(arena.space, one.policy)
        ]
        if len(at) > 1:
            some = [draws[i] for i in at] if draws else []
            table = distance.distances(arena, [pool.members[i].policy for i in at], some)
            found.append(distance.mean_distance(table))
    return float(np.mean([one for one in found if one is not None])) if found else None


def _sorted(draws: Draws) -> Draws:
    return draws.take(np.argsort(draws.prompt, kind="stable"))
