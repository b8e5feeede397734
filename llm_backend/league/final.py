"""The end of a league, on the measured prompts: its listed game, the best mixture, and best responses."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

import pgames as pg
from llm_backend.arena import TextArena
from llm_backend.evaluate import EVALUATION, Estimate
from llm_backend.judges import Judge
from llm_backend.judges.base import JudgeError, name_of
from llm_backend.league import matches, ratings
from llm_backend.league.ground import Ground
from llm_backend.league.players import Pool
from llm_backend.league.round import answer, check_met, judged_by, number
from llm_backend.policies.handles import Policy
from llm_backend.runs.config import EvaluateSettings
from llm_backend.runs.replies import over_prompts
from llm_backend.spaces.draws import Draws, Floats, distinct
from llm_backend.verbs.verdicts import judged, judged_both_ways

GREED = 20.0  # the step of a best response where evaluate.tau is not set: 1 / tau
TRAINED = 4  # rounds whose prompts a best response is trained on
RESPONSES = ("final", "base")  # against whom best responses are trained


@dataclass(frozen=True)
class Gain:
    """What a best response wins, trained on the prompts of training against one opponent.

    rate : its win rate against that opponent on the measured prompts. reached : of its target, or None.
    """

    opponent: str
    rate: Estimate
    reached: float | None


@dataclass(frozen=True)
class Final:
    """A finished league.

    rated : the members with their games on the measured prompts. draws : their replies. results : by prompt.
    weights : float64[K], the answer of `meta`. best : float64[K], the mixture that plays best against every
    reply of the listed game. exploitability : of the best mixture, of the answer, and of the best member, in
    that game. responses : to the best mixture, and to the base.
    over_base : the win rate of the best mixture over the base.
    missing : pairs of replies without a verdict. With one there is no listed game: `best` is then the answer,
    and `exploitability` is empty.
    """

    rated: Pool
    draws: list[Draws]
    results: matches.Results
    standings: list[ratings.Standing]
    weights: Floats
    best: Floats
    exploitability: dict[str, float]
    responses: list[Gain]
    over_base: Estimate | None
    missing: int = 0


def finish(
    land: Ground,
    pool: Pool,
    how: EvaluateSettings,
    watch: Callable[[Judge], Judge] = lambda judge: judge,
) -> Final:
    """Draw `how.page` replies of every member to the measured prompts, and measure the whole league.

    watch : what is asked in place of members that judge.

    Raises JudgeError naming two members on whose replies the judge gave no verdict.
    """
    t = EVALUATION + pool.t
    arenas = [home.measured.at(t) for home in land.homes]
    draws = _draws(land, pool, arenas, how.page)
    arenas = judged_by(land, pool, arenas, draws, watch)
    K, prompts = len(pool.members), arenas[0].prompts
    results = matches.judged(arenas[0].judge, prompts, draws, np.triu(np.ones((K, K), np.int64), 1))
    rated = Pool(pool.t, pool.members, results.met)
    check_met(rated, arenas[0].judge)
    weights, own = answer(land, rated), pool.own
    P, support, members = listed_game(arenas[0], [draws[i] for i in own])
    best, exploitability, missing = weights, dict[str, float](), int(np.isnan(P).sum()) // 2
    if not missing:
        table = pg.TableArena(pg.PreferenceGame(P, support / support.sum(axis=1, keepdims=True)))
        handles = [table.policy(one) for one in members]
        found = table.against_all(handles)
        best = np.zeros(K)
        best[own] = found.weights[0]
        answering = table.policy(np.einsum("k,kxy->xy", weights[own], np.stack(members)))
        exploitability = {
            "best": float(found.exploitability[0]),
            "answer": float(table.exploitability(answering)[0]),
            "member": min(float(table.exploitability(one)[0]) for one in handles),
        }
    gains, over = _responses(land, pool, best, how, arenas[0].judge)
    standings = ratings.standings(rated, weights)
    return Final(rated, draws, results, standings, weights, best, exploitability, gains, over, missing)


def listed_game(arena: TextArena, draws: Sequence[Draws]) -> tuple[Floats, Floats, list[Floats]]:
    """The game of all replies that members gave: P float64[X, Y, Y], support float64[X, Y], 1 for a reply,
    and each member as shares of the replies, float64[X, Y].

    Every pair of different replies to a prompt is judged; P is NaN where a partial judge has no verdict.
    Equal replies are one response.
    """
    everything, where = distinct(Draws.join(list(draws)))
    X = len(arena.prompts)
    at = [np.flatnonzero(everything.prompt == x) for x in range(X)]
    Y = max(map(len, at))
    place = np.zeros(len(everything), np.int64)
    for rows in at:
        place[rows] = np.arange(len(rows))
    P, support = np.full((X, Y, Y), 0.5), np.zeros((X, Y))
    pairs = [(i, j) for rows in at for a, i in enumerate(rows) for j in rows[a + 1 :]]
    if pairs:
        i, j = np.array(pairs).T
        rows = everything.take(i), everything.take(j)
        first, second = judged_both_ways(arena.judge, arena.prompts, *rows, some=True)
        rate = (first + 1 - second) / 2
        P[everything.prompt[i], place[i], place[j]] = rate
        P[everything.prompt[i], place[j], place[i]] = 1 - rate
    support[everything.prompt, place] = 1.0
    members, start = [], 0
    for one in draws:
        rows = where[start : start + len(one)]
        start += len(one)
        shares = np.zeros((X, Y))
        np.add.at(shares, (everything.prompt[rows], place[rows]), 1.0)
        members.append(shares / shares.sum(axis=1, keepdims=True))
    return P, support, members


def _draws(land: Ground, pool: Pool, arenas: Sequence[TextArena], n: int) -> list[Draws]:
    """`n` replies of every member to the measured prompts, whose randomness no training shares."""
    found: dict[str, Draws] = {}
    asked = range(len(arenas[0].prompts))
    keys = {one.name: (*arenas[0].context.key("meet"), number(one.name)) for one in pool.members}
    for h, arena in enumerate(arenas):
        here = [one for one in pool.members if one.home == h]
        each = arena.space.draw_each([(one.policy, keys[one.name]) for one in here], n, asked)
        found |= {one.name: draws for one, draws in zip(here, each, strict=True)}
    for one in pool.members:
        if one.home < 0:
            space = land.measured_abroad[one.name]
            found[one.name] = space.draw(arenas[0].reference, n, keys[one.name], asked)
    return [found[one.name].take(np.argsort(found[one.name].prompt, kind="stable")) for one in pool.members]


def _responses(
    land: Ground, pool: Pool, best: Floats, how: EvaluateSettings, judge: Judge
) -> tuple[list[Gain], Estimate | None]:
    """Best responses to the members of the first base in their shares of `best`, and to that base.

    Both are trained from the base with the same step on as many draws, and measured on fresh replies to the
    measured prompts. There are none where the best mixture has no member of the first base.
    """
    trainer, measured = (
        one.within(replace(one.context, judge=judge)) for one in (land.homes[0].arena, land.homes[0].measured)
    )
    most = min(TRAINED * trainer.context.per_round, len(trainer.prompts))
    arena = trainer.within(replace(trainer.context, per_round=most)).at(EVALUATION + pool.t)
    own = [i for i, one in enumerate(pool.members) if one.home == 0]
    if trainer.context.exact:
        arena = trainer
    share = best[own] / best[own].sum() if best[own].sum() > 0 else None
    if share is None:
        return [], None
    terms = [(float(w), pool.members[i].policy) for w, i in zip(share, own, strict=True)]
    final, base = arena.mixture(*terms), arena.reference
    found = []
    for name, opponent in zip(RESPONSES, (final, base), strict=True):
        notes = len(arena.journal)
        trained = arena.mirror_step(base, opponent, GREED if how.tau is None else 1 / how.tau)
        note = arena.journal[-1] if len(arena.journal) > notes else {}
        rate = _rate(measured.at(2 * EVALUATION + pool.t), trained, opponent, how.page)
        found.append(Gain(name, rate, note.get("share")))
    return found, _rate(measured.at(2 * EVALUATION + pool.t), final, base, how.page)


def _rate(arena: TextArena, first: Policy, second: Policy, samples: int) -> Estimate:
    """P(first > second) on fresh replies to every prompt of the arena, with its interval over prompts.

    Replies on which a partial judge has no verdict are left out. Raises JudgeError when it has one on fewer
    than two prompts.
    """
    n, key = max(2, samples), (arena.seed, arena.round)
    ours, theirs = (
        arena.space.draw(policy, n, (*key, *role.encode()))
        for policy, role in ((first, "first"), (second, "second"))
    )
    ours, theirs = (one.take(np.argsort(one.prompt, kind="stable")) for one in (ours, theirs))
    won = judged(arena.judge, arena.prompts, ours, theirs, some=True).reshape(-1, n)
    known = ~np.isnan(won)
    heard = known.any(axis=1)
    if heard.sum() < 2:
        raise JudgeError(
            f"{name_of(arena.judge)} gave verdicts on replies to {heard.sum()} of {len(won)} prompts, and a "
            "win rate needs 2. Give more verdicts and start again with --resume; no verdict is lost."
        )
    rates = np.where(known, won, 0.0).sum(axis=1)[heard] / known.sum(axis=1)[heard]
    return over_prompts(rates)
