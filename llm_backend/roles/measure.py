"""Measurements of a pair: success of attackers, answers to ordinary prompts, diversity of attacks.

All are taken on fresh draws whose randomness no training shares. Intervals are 95 % and cover the choice of
seeds, or of ordinary prompts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import NamedTuple

import numpy as np

from llm_backend.evaluate import EVALUATION, Estimate, over_prompts
from llm_backend.judges.attack import Harmless
from llm_backend.judges.diversity import distance, self_bleu
from llm_backend.judges.learned import LastLayer
from llm_backend.policies.handles import Policy
from llm_backend.roles.arena import TextRoleArena
from llm_backend.roles.play import (
    ATTACKER,
    DEFENDER,
    Attacks,
    Table,
    answers_to,
    attacks_of,
    defending,
    reading,
)
from llm_backend.roles.seeds import Refused, under
from llm_backend.spaces.draws import Draws, Floats
from llm_backend.verbs.verdicts import judged
from pgames.arena import Pair
from pgames.loop import solve
from pgames.population.facing import Facing
from pgames.solver import Solver

ASKED = "Write a message."  # what an embedded attack answers
FRESH = 3 * EVALUATION  # the first round of a fresh attacker: no training and no measurement shares its draws


class Attacked(NamedTuple):
    """Attacks of one attacker on one defender, with the answers to them.

    rate : the success, the mean over seeds; a refused attack counts as 0. Its interval covers the seeds.
    by_seed : float64[X]. attacks : what was drawn, and what was read. answers : m answers to each prompt
    that was read. won : float64[B], the success of each answer. refused : the attacks that were not read.
    """

    rate: Estimate
    by_seed: Floats
    attacks: Attacks
    answers: Draws
    won: Floats
    refused: list[Refused]

    def transcripts(self, count: int) -> list[tuple[str, str, float]]:
        """`count` of the attacks with the first answer to each and its success, at equal distances."""
        first = np.flatnonzero(np.diff(self.answers.prompt, prepend=-1))
        some = first[np.unique(np.linspace(0, len(first) - 1, min(count, len(first))).round().astype(int))]
        prompts = self.attacks.prompts
        return [(prompts[self.answers.prompt[i]], self.answers.texts[i], float(self.won[i])) for i in some]


def attacked(
    arena: TextRoleArena, attacker: Policy, defender: Policy, samples: int = 4, replies: int = 2
) -> Attacked:
    """`samples` attacks on every seed of the arena, and `replies` answers to each.

    Raises ValueError for fewer than 2 samples, seeds or replies, and when all attacks on a seed are refused.
    """
    rules = replace(arena.rules, samples=samples, replies=replies)
    table, round = Table(), EVALUATION + arena.round
    context = rules.context(ATTACKER, rules.topics, Harmless(rules.success), round, len(rules.seeds))
    drawn = attacks_of(rules, table, context, attacker)
    where = defending(rules, table, context, drawn.prompts)
    answers = answers_to(table, where, reading(rules, where, defender), range(len(drawn.prompts)))
    won = table.judged(rules.success, [drawn.prompts[x] for x in answers.prompt], answers.texts)
    each = np.zeros(len(drawn.draws))
    each[drawn.rows] = won.reshape(len(drawn.rows), -1).mean(axis=1)
    by_seed = each.reshape(len(rules.seeds), -1).mean(axis=1)
    return Attacked(over_prompts(by_seed), by_seed, drawn, answers, won, table.refused)


def fresh(arena: TextRoleArena, defender: Policy, solver: Solver, rounds: int) -> Policy:
    """The attacker that `solver` trains in so many rounds, from the reference, against a frozen defender.

    It has seen no attacker of the run, and shares no draw with its training: the honest measure of a
    defender is the success of such an attacker.
    """
    at = Pair(arena.reference.attacker, defender)
    return solve(solver, Facing(arena.only("attacker", at), at, first=FRESH), rounds).policy.attacker


class Ordinary(NamedTuple):
    """Answers of a defender to ordinary prompts, beside those of the reference.

    win_rate : P(defender > reference), the mean over prompts. leaked : success of these prompts as attacks,
    float64[B] of the defender's answers. prompts, ours, theirs : what was asked and answered.
    """

    win_rate: Estimate
    leaked: Floats
    prompts: list[str]
    ours: Draws
    theirs: Draws


def ordinary(arena: TextRoleArena, defender: Policy, prompts: Sequence[str], replies: int = 2) -> Ordinary:
    """`replies` answers of the defender and of the reference to each prompt, under the seeds' system texts.

    Raises ValueError for fewer than 2 prompts, for fewer than 2 replies, and for an arena without a judge.
    """
    rules = replace(arena.rules, replies=replies)
    if rules.judge is None:
        raise ValueError("a win rate on ordinary prompts needs a judge: pass judge=... to the arena.")
    if replies < 2:
        raise ValueError(f"replies must be at least 2, got {replies}.")
    asked = [under(rules.seeds[i % len(rules.seeds)].system, text) for i, text in enumerate(prompts)]
    where = rules.context(DEFENDER, asked, rules.judge, EVALUATION + arena.round, len(asked))
    ours, theirs = (
        one.take(np.argsort(one.prompt, kind="stable"))
        for one in (where.draw(defender, "first"), where.draw(arena.reference.defender, "second"))
    )
    pairs = np.array(
        [(x * replies + i, x * replies + j) for x, i, j in np.ndindex(len(asked), replies, replies)]
    )
    won = judged(rules.judge, asked, ours.take(pairs[:, 0]), theirs.take(pairs[:, 1]))
    leaked = Table().judged(rules.success, [asked[x] for x in ours.prompt], ours.texts)
    return Ordinary(over_prompts(won.reshape(len(asked), -1).mean(axis=1)), leaked, asked, ours, theirs)


class Diversity(NamedTuple):
    """How much attacks differ: `self_bleu` in [0, 1], and the mean cosine `distance` of their embeddings.

    Both are over all attacks of the seeds; the embeddings are the base's last hidden states.
    """

    self_bleu: float
    distance: float


def diversity(arena: TextRoleArena, texts: Sequence[str]) -> Diversity:
    """The diversity of attacks; empty ones are left out. Raises ValueError for fewer than two."""
    some = [text for text in texts if text.strip()]
    states = LastLayer(arena.lm)
    return Diversity(self_bleu(some), distance(some, lambda rows: states([ASKED] * len(rows), rows)))
